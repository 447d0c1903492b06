"""The worker crashes, hangs, vanishes, is switched and is stopped."""

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from paths import ROOT

from rig.waiting import collect, eventually, wait_until
from xnai.errors import ENGINE_BUILD_FAILED, XnaiError
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.protocol import Completion, EngineStatus, Finished, Queued, TokenText
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = pytest.mark.engine

Maker = Callable[..., Awaitable[LocalEngine]]


class Build:
    """An engine that is installed, or is being built for as long as a test likes."""

    detail = "compiling"
    progress = 0.5
    eta_seconds = 42.0
    status = EngineStatus("native", "passed")

    def __init__(self, *, installed: bool = True, error: XnaiError | None = None) -> None:
        self.installed = installed
        self.error: XnaiError | None = None
        self._failure = error
        self.finish = asyncio.Event()
        self.doubts: list[bool] = []  # how sure the supervisor was, each time it doubted the engine
        self.replaced = False

    async def run(self) -> None:
        await self.finish.wait()
        if self._failure is not None:
            self.error = self._failure
            raise self._failure
        self.installed = True

    async def replace(self, *, certain: bool) -> bool:
        self.doubts.append(certain)
        return self.replaced


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llm")


@pytest_asyncio.fixture
async def make(folder: Path) -> AsyncIterator[Maker]:
    engines: list[LocalEngine] = []

    async def make_engine(
        build: Build | None = None, hang_seconds: float = 10, **values: object
    ) -> LocalEngine:
        settings = Settings(
            _env_file=None,
            **{
                "data_dir": folder / "data",
                "models_dir": folder / "models",
                "context": 1024,
                **values,
            },
        )
        engine = LocalEngine(settings, build or Build(), WorkerOptions(hang_seconds))
        engines.append(engine)
        await engine.start()
        return engine

    yield make_engine
    for engine in engines:
        await engine.close()


def ask(text: str = "Tell a story.", **sampling: object) -> Completion:
    values = {"max_tokens": 900, "temperature": 1.0, **sampling}
    return Completion("r", "u", (Message("user", text),), Sampling(**values), time.monotonic() + 60)


async def ready(engine: LocalEngine) -> int:
    await engine.ensure_ready(time.monotonic() + 60)
    assert engine.worker_pid is not None
    return engine.worker_pid


async def error_of(awaitable: Awaitable[object]) -> XnaiError:
    with pytest.raises(XnaiError) as caught:
        await awaitable
    return caught.value


async def test_twenty_first_questions_at_once_load_the_model_once(make):
    engine, loads = await make(), []
    engine.on_load(lambda: loads.append(1))
    answers = await asyncio.gather(
        *(collect(engine.complete(ask("Hi", max_tokens=2))) for _ in range(20))
    )
    assert [Finished] * 20 == [type(events[-1]) for events in answers]
    assert (engine.counters.loads, loads) == (1, [1])


async def test_a_killed_worker_ends_the_answer_in_words_and_the_next_is_given(make):
    engine = await make()
    pid = await ready(engine)
    async with aclosing(engine.complete(ask())) as events:
        async for event in events:
            if isinstance(event, TokenText):
                break
        os.kill(pid, signal.SIGKILL)
        error = await error_of(_drain(events))
    assert error.code == "model_crashed"
    assert "killed (SIGKILL)" in error.message
    assert isinstance((await collect(engine.complete(ask("Hi", max_tokens=2))))[-1], Finished)
    assert (engine.counters.loads, engine.counters.restarts) == (2, 1)


async def _drain(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def test_an_answer_that_showed_nothing_yet_is_tried_again(make):
    engine = await make()
    pid = await ready(engine)
    async with aclosing(engine.complete(ask("word " * 800, max_tokens=2))) as events:
        await anext(events)
        os.kill(pid, signal.SIGKILL)
        rest = [event async for event in events]
    assert isinstance(rest[-1], Finished)


async def test_a_worker_that_hangs_is_noticed_and_replaced(make):
    engine = await make(hang_seconds=1.5)
    pid = await ready(engine)
    async with aclosing(engine.complete(ask())) as events:
        async for event in events:
            if isinstance(event, TokenText):
                break
        os.kill(pid, signal.SIGSTOP)
        error = await error_of(_drain(events))
    assert "no sign of life" in error.message
    assert isinstance((await collect(engine.complete(ask("Hi", max_tokens=2))))[-1], Finished)


async def test_a_worker_that_keeps_dying_is_restarted_ever_later(make):
    engine = await make()
    for _ in range(2):
        os.kill(await ready(engine), signal.SIGKILL)
        await eventually(lambda: engine.worker_pid is None)
    await eventually(lambda: engine.status.state == "down")
    status = engine.status
    assert status.error_code == "model_down"
    assert status.retry_in is not None
    error = await error_of(collect(engine.complete(ask())))
    assert (error.code, error.retry_after is not None) == ("model_down", True)
    await eventually(lambda: engine.status.state == "ready")


PARENT = """
    import asyncio, sys, time
    from pathlib import Path
    from xnai.llm.build.engine_build import EngineBuild
    from xnai.llm.engine.local_engine import LocalEngine
    from xnai.settings import Settings

    async def main():
        folder = Path(sys.argv[1])
        settings = Settings(_env_file=None, data_dir=folder / "data", models_dir=folder)
        engine = LocalEngine(settings, EngineBuild(settings))
        await engine.start()
        await engine.ensure_ready(time.monotonic() + 60)
        print(engine.worker_pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


def test_a_worker_dies_with_its_parent_even_on_kill_9(folder):
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    pid = next(int(line) for line in parent.stdout if line.strip().isdigit())
    worker = psutil.Process(pid)
    parent.kill()
    parent.communicate(timeout=30)
    assert _is_gone(worker)


def test_a_worker_that_loads_dies_with_its_parent_too(folder):
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(folder)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    workers = wait_until(lambda: psutil.Process(parent.pid).children(), "a worker", pace=0.01)
    parent.kill()
    parent.wait(30)
    assert [_is_gone(worker) for worker in workers] == [True]


def _is_gone(process: psutil.Process) -> bool:
    with suppress(psutil.TimeoutExpired):
        process.wait(30)
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_a_worker_ends_when_its_pipe_is_closed(make):
    engine = await make()
    worker = psutil.Process(await ready(engine))
    stdin = (await engine._supervisor.worker())._process.stdin
    assert stdin is not None
    stdin.close()
    assert await asyncio.to_thread(_is_gone, worker)


async def test_closing_ends_open_and_waiting_answers_and_leaves_no_process(make):
    engine = await make()
    worker = psutil.Process(await ready(engine))
    async with aclosing(engine.complete(ask())) as events:
        await anext(events)
        waiting = asyncio.create_task(error_of(collect(engine.complete(ask()))))
        await eventually(lambda: engine.running + engine.waiting == 2)
        await engine.close()
        codes = [(await error_of(_drain(events))).code, (await waiting).code]
    assert codes == ["shutting_down"] * 2
    assert not worker.is_running()


async def test_closing_while_the_model_loads_leaves_no_process(make):
    others = set(psutil.Process().children())  # servers of other tests

    def workers() -> list[psutil.Process]:
        found = set(psutil.Process().children()) - others
        return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]

    engine = await make()
    await eventually(lambda: bool(workers()))
    await engine.close()
    assert workers() == []


async def test_while_the_engine_is_built_questions_hear_when_to_come_back(make):
    build = Build(installed=False)
    engine = await make(build)
    error = await error_of(collect(engine.complete(ask())))
    assert (error.code, error.retry_after) == ("model_preparing", 42.0)
    status = engine.status
    assert (
        status.state,
        status.detail,
        status.progress,
        status.eta_seconds,
    ) == ("preparing", "compiling", 0.5, 42.0)
    build.finish.set()
    await eventually(lambda: engine.status.state == "ready")


async def test_a_failed_build_is_what_questions_hear(make):
    failure = XnaiError(ENGINE_BUILD_FAILED, reason="no compiler", fix="Install g++.")
    build = Build(installed=False, error=failure)
    engine = await make(build)
    build.finish.set()
    await eventually(lambda: engine.status.state == "down")
    assert (await error_of(collect(engine.complete(ask())))).code == "engine_build_failed"
    assert engine.status.error_code == "engine_build_failed"


async def test_a_vanished_file_is_named_and_looked_at_again_with_the_next_question(make, tmp_path):
    path = tmp_path / "mine.gguf"
    engine = await make(models_dir=tmp_path, model=str(path))
    await eventually(lambda: engine.status.state == "down")
    assert engine.status.error_code == "model_not_found"
    assert (await error_of(collect(engine.complete(ask())))).code == "model_not_found"
    path.write_bytes(b"rubbish")
    assert (await error_of(collect(engine.complete(ask())))).code == "model_not_gguf"
    shutil.copy(_bundled(), path)
    assert isinstance((await collect(engine.complete(ask("Hi", max_tokens=2))))[-1], Finished)
    assert engine.status.name == "mine"


def _bundled() -> Path:
    path = bundled_path()
    assert path is not None
    return path


async def test_a_file_with_rubbish_for_weights_is_refused_in_words(make, tmp_path):
    data = bytearray(_bundled().read_bytes())
    data[data.index(b"llama.block_count") + 3] ^= 1
    (tmp_path / "odd.gguf").write_bytes(data)
    engine = await make(models_dir=tmp_path, model="odd")
    error = await error_of(engine.ensure_ready(time.monotonic() + 60))
    assert error.code == "model_unsupported"
    assert "block_count" in error.message


def _with_template(source: bytes) -> bytes:
    """The bundled model with another chat template of the same length."""
    data, key = _bundled().read_bytes(), b"tokenizer.chat_template"
    start = data.index(key) + len(key) + 4
    (length,) = struct.unpack("<Q", data[start : start + 8])
    return data[: start + 8] + source.ljust(length) + data[start + 8 + length :]


async def test_a_template_that_never_ends_is_refused_while_the_model_loads(make, tmp_path):
    rounds = b"{% for i in range(99999) %}" * 3 + b"{% endfor %}" * 3
    (tmp_path / "loop.gguf").write_bytes(_with_template(rounds))
    engine = await make(models_dir=tmp_path, model="loop")
    error = await error_of(engine.ensure_ready(time.monotonic() + 60))
    assert (error.code, "does not end" in error.message) == ("model_unsupported", True)


async def test_a_template_that_takes_all_memory_fails_alone(make, tmp_path):
    (tmp_path / "bomb.gguf").write_bytes(_with_template(b"{{ 'a' * 9000000000 }}"))
    engine = await make(models_dir=tmp_path, model="bomb")
    await ready(engine)
    assert (await error_of(collect(engine.complete(ask())))).code == "prompt_refused"
    assert (engine.status.state, engine.counters.restarts) == ("ready", 0)


async def test_another_model_is_used_after_the_current_answer(make, tmp_path):
    (tmp_path / "other.gguf").symlink_to(_bundled())
    engine = await make(models_dir=tmp_path)
    first = await ready(engine)
    async with aclosing(engine.complete(ask("Count to nine.", max_tokens=20))) as events:
        await anext(events)
        switch = asyncio.create_task(engine.use("other"))
        rest = [event async for event in events]
    await switch
    assert isinstance(rest[-1], Finished)
    assert (engine.status.name, engine.status.state) == ("other", "ready")
    assert first != engine.worker_pid
    assert engine.counters.restarts == 0


async def test_a_model_that_cannot_be_loaded_leaves_the_former_one_in_use(make, tmp_path):
    (tmp_path / "bad.gguf").write_bytes(_bundled().read_bytes()[:1_000_000])
    engine = await make(models_dir=tmp_path)
    await ready(engine)
    assert (await error_of(engine.use("bad"))).code == "model_truncated"
    assert (await error_of(engine.use("nothing"))).code == "model_not_found"
    assert isinstance((await collect(engine.complete(ask("Hi", max_tokens=2))))[-1], Finished)
    assert engine.status.name == "SmolLM2-135M-Instruct"


async def test_a_model_that_the_library_refuses_leaves_the_former_one_in_use(make, tmp_path):
    data = bytearray(_bundled().read_bytes())
    data[data.index(b"llama.block_count") + 3] ^= 1
    (tmp_path / "odd.gguf").write_bytes(data)
    engine = await make(models_dir=tmp_path)
    await ready(engine)
    assert (await error_of(engine.use("odd"))).code == "model_unsupported"
    assert isinstance((await collect(engine.complete(ask("Hi", max_tokens=2))))[-1], Finished)


async def test_questions_that_come_while_the_model_loads_wait_in_line(make):
    engine = await make()
    first = asyncio.create_task(collect(engine.complete(ask("Hi", max_tokens=2))))
    await asyncio.sleep(0)
    second = await collect(engine.complete(ask("Hi", max_tokens=2)))
    assert Queued(1, None) == second[0]
    assert isinstance((await first)[-1], Finished)
