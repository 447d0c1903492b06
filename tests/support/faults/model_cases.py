"""Models that are not there, crash, hang, refuse and lie: the local one and endpoints."""

import asyncio
import socket
import struct
import time
from contextlib import aclosing
from pathlib import Path

from cases import refused
from doors import MARKER
from frame_options import OPTIONS
from gguf_files import LAMA, gguf
from remote_server import (
    DONE,
    SSE,
    RemoteServer,
    data,
    hanging_after,
    listening,
    piece,
    refusing,
    saying,
    settings,
)

from rig.waiting import eventually
from xnai.errors import ENGINE_BUILD_FAILED, XnaiError
from xnai.llm.build import inputs as build_inputs
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.gguf import catalogue
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles, bundled_path
from xnai.llm.protocol import Completion, EngineStatus
from xnai.llm.remote.router import Router
from xnai.llm.worker.chat_template import ChatTemplate
from xnai.llm.worker.grammar import _build_tokenizer
from xnai.llm.worker.sequence import Prompter
from xnai.resilience.breaker import Breaker
from xnai.resilience.states import State
from xnai.settings import Settings
from xnai.types import Message, Sampling

QUICK = {"llm_connect_timeout": 0.3, "llm_first_token_timeout": 0.3, "llm_token_timeout": 0.3}
LONG = {"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}}


async def aborting(request):
    await request.send(SSE, piece("A"))
    await asyncio.sleep(0.05)
    connection = request.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.writer.transport.abort()  # with the line above: a reset


REMOTE = (
    ("remote_first_token_timeout", hanging_after(SSE)),
    ("remote_stalled", hanging_after(SSE, piece("A"))),
    ("remote_broke_off", saying(SSE, piece("A"), DONE)),
    ("remote_broke_off", saying(SSE, piece("A"), data(error={"message": "SECRET"}))),
    ("remote_broke_off", saying()),
    ("remote_broke_off", saying(SSE.replace("Connection: close", "Content-Length: 9"), "data")),
    ("remote_garbled", saying(SSE, "data: SECRET\n\n")),
    ("remote_garbled", saying("SECRET SECRET\r\n\r\n")),
    ("remote_garbled", saying(SSE.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"))),
    ("remote_garbled", refusing(307)),
    ("remote_key_refused", refusing(401)),
    ("remote_broke_off", aborting),
    ("remote_busy", refusing(429)),
    ("remote_refused", refusing(418)),
    ("remote_model_unknown", refusing(404, {"error": {"code": "model_not_found"}})),
    ("model_down", refusing(500)),
    ("question_too_long", refusing(400, LONG)),
)


class Build:
    """An engine that is there, is being built, or could not be."""

    detail, progress, eta_seconds = "compiling", 0.5, 9.0
    status = EngineStatus("native", "running")

    def __init__(self, *, installed=True, error=None):
        self.installed, self.error = installed, error
        self.doubts = []

    async def run(self):
        await asyncio.sleep(60)

    async def replace(self, *, certain):
        self.doubts.append(certain)
        return False


def ask(text="hello", seconds=20.0, user="u", **sampling):
    values = {"max_tokens": 10, **sampling}
    deadline = time.monotonic() + seconds
    return Completion("r", user, (Message("user", text),), Sampling(**values), deadline)


async def answer(model, completion):
    await model.ensure_ready(completion.deadline)
    async with aclosing(model.complete(completion)) as events:
        return [event async for event in events]


async def remote(code, chat=None, completion=None, **values):
    server = RemoteServer(chat) if chat else RemoteServer()
    changes = {name: values.pop(name) for name in ("models", "paths") if name in values}
    for name, value in changes.items():
        setattr(server, name, value)
    async with listening(server):
        fleet = Router(settings(server.url, **{**QUICK, **values}))
        try:
            await refused(code, answer(fleet, completion or ask()))
        finally:
            await fleet.close()


async def remotes():
    for code, chat in REMOTE:
        await remote(code, chat)
    await remote("bad_request", refusing(400), ask(grammar='root ::= "a"'))
    await remote("answer_timeout", hanging_after(SSE), ask(seconds=0.2))
    await remote("remote_model_unknown", llm_model="huge")
    await remote("remote_garbled", models={"data": 7})
    await remote("remote_garbled", paths={"/v1/models": saying("HTTP/1.1 200 OK\r\n\r\n{")})
    too_long = saying("HTTP/1.1 200 OK\r\n\r\n", b"[" + b"1," * 3_000_000)
    await remote("remote_garbled", paths={"/v1/models": too_long})
    await remote("model_down", paths={"/v1/models": hanging_after()})
    away = {"data": [{"id": "t", "object": "model", "owned_by": "xnai"}]}
    loading = refusing(200, {"model": "down", "eta_seconds": 3})
    await remote("model_down", models=away, paths={"/health/ready": loading})
    with socket.socket() as deaf:  # a port that nobody accepts on
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        name = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        filling = [socket.socket() for _ in range(3)]
        for one in filling:
            one.settimeout(0)
            one.connect_ex(deaf.getsockname())
        fleet = Router(settings(name, **QUICK))
        await refused("remote_connect_timeout", answer(fleet, ask()))
        await fleet.close()
        for one in filling:
            one.close()
    two = Router(settings("http://127.0.0.1:1", "http://127.0.0.1:2", **QUICK))
    await refused("remote_all_down", answer(two, ask()))
    await two.close()
    await refused("shutting_down", answer(two, ask()))
    one = Router(settings("http://127.0.0.1:1", **QUICK))
    await refused("model_down", one.ensure_ready(time.monotonic() - 1))
    await refused("remote_unreachable", answer(one, ask()))
    await one.close()
    async with listening(healthy := RemoteServer()):
        breaker = Breaker("endpoint")
        shut = Router(settings(healthy.url, **QUICK), lambda _: breaker)
        await answer(shut, ask())
        await breaker.set_state(State.FORCED_OPEN, "by hand")
        await refused("remote_paused", answer(shut, ask()))
        await shut.close()
    async with listening(server := RemoteServer(hanging_after(SSE))):
        full = Router(
            settings(server.url, **{**QUICK, "llm_first_token_timeout": 5.0}, queue_limit=1)
        )
        first = asyncio.create_task(answer(full, ask()))
        await eventually(lambda: server.asked)
        second = [asyncio.create_task(answer(full, ask())) for _ in range(9)]
        done, _ = await asyncio.wait(second, return_when=asyncio.FIRST_COMPLETED)
        assert {task.exception().code for task in done} == {"queue_full"}
        await full.close()
        await asyncio.gather(first, *second, return_exceptions=True)


async def local(folder):
    folder.mkdir()
    (folder / "mine.gguf").symlink_to(bundled_path())
    (folder / "other.gguf").symlink_to(bundled_path())

    def engine(build=None, options=OPTIONS, **values):
        chosen = {"data_dir": folder / "data", "models_dir": folder, "model": "mine", **values}
        return LocalEngine(Settings(_env_file=None, **chosen), build or Build(), options)

    one = engine(queue_limit=1)
    await refused("model_loading", one.ensure_ready(time.monotonic() + 0.05))
    await one.start()
    await one.ensure_ready(time.monotonic() + 20)
    await refused("answer_timeout", answer(one, ask("wait=9", 0.3)))
    held = [asyncio.create_task(answer(one, ask("wait=5", user=str(n)))) for n in range(2)]
    await eventually(lambda: one.waiting)
    await refused("queue_full", answer(one, ask(user="1")))
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    crash = await refused("model_crashed", answer(one, ask("late die=SIGKILL")))
    assert crash.retry_after
    await answer(one, ask())
    # Two in a row before any answer have the engine doubted, see Build.replace.
    for _ in range(3):
        before = one.worker_pid
        await refused("question_killed_model", answer(one, ask("die=SIGSEGV")))
        await eventually(lambda before=before: one.worker_pid not in {None, before})
    await answer(one, ask())
    assert one._supervisor._build.doubts == [False]
    (folder / "broken").touch()
    await refused("model_unsupported", one.use("other"))
    await eventually(lambda: one.status.state == "down")
    await refused("model_down", answer(one, ask()))
    await one.close()
    await refused("shutting_down", answer(one, ask()))
    (folder / "broken").unlink()
    closing = engine()
    await closing.start()
    await closing.ensure_ready(time.monotonic() + 20)
    waiting = [asyncio.create_task(answer(closing, ask("wait=9", user=str(n)))) for n in range(2)]
    await eventually(lambda: closing.waiting)
    await closing.close()
    for task in waiting:
        await refused("shutting_down", task)
    building = engine(Build(installed=False))
    await refused("model_preparing", building.ensure_ready(time.monotonic() + 1))
    unlucky = engine()
    unlucky._supervisor._loader = Broken()
    await unlucky.start()
    await refused("internal", unlucky.ensure_ready(time.monotonic() + 5))
    await unlucky.close()
    failed = XnaiError(ENGINE_BUILD_FAILED, reason="a test said so", fix="Wait.")
    lost = engine(Build(installed=False, error=failed))
    lost._supervisor._state.become("down")
    await refused("engine_build_failed", lost.ensure_ready(time.monotonic() + 1))


async def real(folder):
    """The worker itself refuses: the model is the bundled one, as it came."""
    folder.mkdir()
    (folder / "mine.gguf").symlink_to(bundled_path())
    chosen = {"data_dir": folder / "data", "models_dir": folder, "model": "mine", "context": 256}
    engine = LocalEngine(Settings(_env_file=None, **chosen, slots=1), Build(), WorkerOptions())
    await engine.start()
    await refused("question_too_long", answer(engine, ask("word " * 900)))
    await refused("grammar_invalid", answer(engine, ask(grammar="root ::= <think>")))
    await engine.close()
    (folder / "odd.gguf").write_bytes(gguf({**LAMA, "general.architecture": "odd"}))
    odd = LocalEngine(
        Settings(_env_file=None, **{**chosen, "model": "odd"}), Build(), WorkerOptions()
    )
    await odd.start()
    await refused("model_unsupported", odd.ensure_ready(time.monotonic() + 20))
    await odd.close()
    prompter = Prompter.__new__(Prompter)
    prompter._template = ChatTemplate("{{ raise_exception('no') }}", (), "", "")
    turn = {"role": "user", "content": "x"}
    await refused("prompt_refused", lambda: prompter.tokens([turn]))
    await refused("grammar_invalid", lambda: _build_tokenizer(Endless()))


class Endless:
    """A vocabulary without an end."""

    size = 1

    def ends(self, _token):
        return False


class Broken:
    """A loader that fails in a way that nobody foresaw."""

    async def load(self, *_):
        raise RuntimeError(MARKER)


async def model_files(folder, patch):
    folder.mkdir()
    checked = ModelFiles(Settings(_env_file=None, models_dir=folder, data_dir=folder / "data"))

    def check(name):
        return lambda: checked.check(ModelFile(name, folder / f"{name}.gguf"))

    (folder / "html.gguf").write_bytes(b"<html>")
    with bundled_path().open("rb") as whole:
        (folder / "cut.gguf").write_bytes(whole.read(500_000))
    (folder / "whole.gguf").symlink_to(bundled_path())
    (folder / "folder.gguf").mkdir()
    await refused("model_not_gguf", check("html"))
    await refused("model_truncated", check("cut"))
    await refused("model_not_found", check("gone"))
    await refused("model_unsupported", check("folder"))
    await refused("model_not_found", lambda: checked.find("gone"))
    other = ModelFile("x", folder / "whole.gguf", bundled=True)
    patch.setattr(catalogue, "BUNDLED_SHA256", "0" * 64)
    await refused("bundled_model_unusable", lambda: checked.check(other))
    patch.setattr(catalogue, "available_memory", lambda: 1000)
    await refused("model_too_large", check("whole"))
    patch.setattr(catalogue, "BUNDLED_PACKAGE", "no_such_package")
    await refused("bundled_model_unusable", checked.configured)
    patch.setenv("PATH", str(folder))
    await refused("engine_build_failed", lambda: build_inputs.check_machine(Path("/")))
    patch.undo()


async def all_cases(folder, patch):
    await model_files(folder / "files", patch)
    await asyncio.gather(remotes(), local(folder / "local"))
    await real(folder / "real")
