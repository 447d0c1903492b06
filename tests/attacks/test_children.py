"""Children that write without being read, will not end, or leave others behind: none holds us up.

On the code of before, waiting for such a child went on for ever, with whatever turn it held.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import STDOUT
from contextlib import aclosing
from pathlib import Path

import httpx
import psutil
import pytest
from documents_files import epub
from documents_library import GatedEmbedder, followed, opened

from rig.waiting import eventually, wait_until
from rig.whole_server import Server
from xnai.documents.parsers import media_type
from xnai.documents.parsers.client import ParserRun
from xnai.documents.parsers.process import Limits
from xnai.llm.engine.launch import WorkerOptions, requantise
from xnai.llm.engine.process import WorkerProcess
from xnai.llm.ipc import WorkerConfig
from xnai.processes import child
from xnai.processes.child import Program
from xnai.retrieval.embedding.onnx import OnnxEmbedder
from xnai.settings import Settings

PATIENCE = 60.0  # seconds; what waits for ever fails
# F_SETPIPE_SZ: so much is in the pipe that one look of the parent fills its buffer.
FLOOD = (
    "import fcntl, os\nfcntl.fcntl({number}, 1031, 2**20)\n"
    "while True: os.write({number}, b'\\xff' * 2**20)"
)
AHEAD = 2**20  # bytes; a reader that has written so much and writes no more is not read on
CHAPTERS = [(f"Chapter {n}", f"word{n} and others " * 6000) for n in range(50)]


def python(script: str) -> Program:
    return Program((sys.executable, "-c", script), child.environment())


def gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def written(pid: int) -> int:
    return psutil.Process(pid).io_counters().write_chars


class Ahead:
    """Says when a process stands still because nobody reads what it has written."""

    def __init__(self, least: int = AHEAD) -> None:
        self.least = least
        self.seen = [-1] * 9

    def of(self, pid: int) -> bool:
        self.seen = [*self.seen[1:], written(pid)]
        return self.seen[-1] > self.least and len(set(self.seen)) == 1

    def reader_of(self, pid: int) -> bool:
        """Whether the process of a server that reads a document stands still."""
        return any(self.of(reader) for reader in readers(pid))


def readers(pid: int) -> set[int]:
    """The processes of a server that read documents."""
    found = set()
    for process in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if "xnai.documents.parsers.main" in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


@pytest.mark.parametrize("stderr", [asyncio.subprocess.PIPE, STDOUT])
async def test_a_child_that_is_killed_while_it_floods_its_pipe_has_ended(stderr):
    running = await child.start(python(FLOOD.format(number=1)), stderr=stderr)
    ahead = Ahead(2 * child.BUFFER)
    await eventually(lambda: ahead.of(running.pid))

    async with asyncio.timeout(PATIENCE):
        assert await running.end() == -signal.SIGKILL

    assert gone(running.pid)


async def test_the_end_of_a_child_that_nobody_reads_is_noticed():
    script = "import os; os.write(1, b'x' * 180_000)"  # more than two buffers, and it goes in
    running = await child.start(python(script))
    async with asyncio.timeout(PATIENCE):
        assert await running.ends_within(PATIENCE)
        assert await running.end() == 0


async def test_what_a_child_started_ends_with_it_and_its_open_pipe_holds_up_nobody():
    script = "import subprocess as s\nprint(s.Popen(['sleep', '600']).pid, flush=True)\ninput()"
    running = await child.start(python(script))
    assert running.stdout is not None
    other = int(await running.stdout.readline())

    async with asyncio.timeout(PATIENCE):
        await running.end()

    await eventually(lambda: gone(other))


async def test_a_child_that_left_its_group_and_keeps_the_pipe_holds_up_nobody():
    script = (
        "import subprocess as s\n"
        "print(s.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)"
    )
    async with asyncio.timeout(PATIENCE):
        outcome = await child.run(python(script), seconds=PATIENCE)
    os.kill(int(outcome.output), signal.SIGKILL)

    assert outcome.code == 0


@pytest.mark.parametrize("number", [1, 2])
async def test_a_program_that_floods_costs_no_memory_and_ends_when_its_time_is_up(number):
    before = psutil.Process().memory_info().rss
    with pytest.raises(TimeoutError):
        await child.run(python(FLOOD.format(number=number)), seconds=2)

    assert psutil.Process().memory_info().rss - before < 64 * 2**20


async def test_a_start_that_is_cancelled_leaves_no_process():
    before = {process.pid for process in psutil.Process().children()}
    for ticks in range(6):
        starting = asyncio.create_task(child.start(python("input()")))
        for _ in range(ticks):
            await asyncio.sleep(0)
        if not starting.cancel():
            await (await starting).end()
        with contextlib.suppress(asyncio.CancelledError):
            await (await starting).end()

    def left() -> set[int]:
        return {process.pid for process in psutil.Process().children()} - before

    await eventually(lambda: not left())


async def test_a_reading_that_is_given_up_while_its_reader_is_ahead_ends(tmp_path):
    path = tmp_path / "book"
    path.write_bytes(epub(CHAPTERS))
    reading = ParserRun(path, media_type.EPUB, "book.epub", 10**8, Limits(PATIENCE, 1024))

    async with asyncio.timeout(PATIENCE), aclosing(reading.pages()) as pages:
        await anext(pages)
        ahead = Ahead()
        await eventually(lambda: ahead.of(reading.process_id))

    assert gone(reading.process_id)


async def test_after_stop_in_a_long_document_another_one_is_read(tmp_path):
    embedder = GatedEmbedder(tmp_path)
    long, short = tmp_path / "long", tmp_path / "short"
    long.write_bytes(epub(CHAPTERS))
    short.write_text("The lamp was replaced in October.")
    async with asyncio.timeout(2 * PATIENCE), opened(tmp_path / "data", embedder) as (library, _):
        first = await library.add("a", "long.epub", long)
        second = await library.add("b", "short.txt", short)
        embedder.gate.clear()
        reading = asyncio.create_task(followed(library, first.id))
        ahead = Ahead()
        await eventually(lambda: ahead.reader_of(os.getpid()))

        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        embedder.gate.set()
        events = await followed(library, second.id)

    assert events[-1].document is not None
    assert events[-1].document.status == "processed"


async def test_a_server_that_reads_a_long_document_deletes_it_reads_another_and_ends(tmp_path):
    server = Server(tmp_path, {"XNAI_LLM_URL": "http://127.0.0.1:9"})
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(lambda: server.wait(status="ready"))
        assert server.process is not None
        pid = server.process.pid
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:

            async def send(name: str) -> str:
                answer = await client.post("/v1/files", files={"file": (name, epub(CHAPTERS))})
                assert answer.is_success, answer.text
                return str(answer.json()["id"])

            first = await send("first.epub")
            ahead = Ahead()
            await eventually(lambda: ahead.reader_of(pid))
            assert (await client.delete(f"/v1/files/{first}")).is_success
        await asyncio.to_thread(server.upload, "short.txt", b"The lamp was replaced in October.")
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
            answer = await client.post("/v1/files", files={"file": ("2.epub", epub(CHAPTERS[1:]))})
            assert answer.is_success, answer.text
        ahead = Ahead()
        await eventually(lambda: ahead.reader_of(pid))
        assert await asyncio.to_thread(server.stop) in {0, -signal.SIGTERM}
    finally:
        server.process.kill()


def worker_script(tmp_path: Path, script: str) -> tuple[str, ...]:
    path = tmp_path / "worker.py"
    path.write_text(script)
    return (sys.executable, str(path))


def config(**more: str) -> WorkerConfig:
    return WorkerConfig(os.getpid(), "none", 512, 1, 10**10, **more)


@pytest.mark.parametrize("number", [1, 2])
async def test_a_worker_that_floods_with_nonsense_is_dead_and_gone(tmp_path, number):
    garbage = f"import os\n{FLOOD.format(number=number)}"
    if number != 1:
        garbage = f"import os\nos.write(1, b'\\xff' * 8)\n{garbage}"
    worker = await WorkerProcess.spawn(
        config(), WorkerOptions(5.0, 5.0, worker_script(tmp_path, garbage))
    )
    async with asyncio.timeout(PATIENCE):
        death = await worker.dead

    assert "unintelligible" in death.words
    await eventually(lambda: gone(worker.pid))


@pytest.mark.parametrize("begins", [True, False])
async def test_a_worker_may_take_long_for_its_first_sign_of_life_but_not_for_ever(tmp_path, begins):
    """Its libraries take seconds to load where other processes want the cores."""
    go = tmp_path / "go"
    os.mkfifo(go)
    script = (
        "import os, sys\nfrom xnai.llm import ipc\n"
        f"open({str(go)!r}).read()\n"
        "os.write(1, ipc.encode(ipc.Ready(512, 1, 1)))\n"
        "sys.stdin.read()\n"
    )
    options = WorkerOptions(0.05, 5.0, worker_script(tmp_path, script), 60.0 if begins else 0.5)
    worker = await WorkerProcess.spawn(config(), options)
    async with asyncio.timeout(PATIENCE):
        if begins:
            await eventually(lambda: worker._silent_ticks > 20)  # twice what is a hang later on
            go.write_text("")
            await worker.wait_ready("none")
        death = await worker.dead

    assert f"no sign of life for {0.05 if begins else 0.5:g} seconds" in death.words


async def test_a_worker_whose_pipes_outlive_it_is_dead(tmp_path):
    script = (
        "import subprocess as s, sys\n"
        "s.Popen(['sleep', '600'], stdout=s.DEVNULL, start_new_session=True)\n"
    )
    worker = await WorkerProcess.spawn(
        config(), WorkerOptions(5.0, 5.0, worker_script(tmp_path, script))
    )
    async with asyncio.timeout(PATIENCE):
        await worker.dead
    for process in psutil.process_iter(["cmdline", "ppid"]):
        if process.info["cmdline"] == ["sleep", "600"]:
            process.kill()


async def test_requantising_that_floods_its_log_can_be_stopped(tmp_path):
    pid = tmp_path / "pid"
    script = f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n{FLOOD.format(number=2)}"
    writing = asyncio.create_task(
        requantise(config(requantise_to="x"), worker_script(tmp_path, script))
    )
    await eventually(lambda: pid.exists() and pid.read_text())
    writing.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(writing, return_exceptions=True)

    assert writing.cancelled()
    assert gone(int(pid.read_text()))


async def test_an_embedder_that_is_closed_while_it_makes_its_model_ends(tmp_path):
    embedder = OnnxEmbedder(Settings(data_dir=tmp_path))
    await embedder.start()
    async with asyncio.timeout(PATIENCE):
        await embedder.close()
    assert not [
        process
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE and "quantize.py" in " ".join(process.cmdline())
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_what_is_said_to_the_service_does_not_end_its_children(number):
    mine = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    program = python("print(input())")
    async with asyncio.timeout(PATIENCE), child.child(program) as running:
        os.killpg(running.pid, number)  # before its first line is run
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"still here\n")
        said = await running.stdout.readline()
        await running.ends_within(PATIENCE)
        assert (b"still here\n", 0) == (said, running.returncode)
    assert mine == signal.pthread_sigmask(signal.SIG_BLOCK, ())


def told_all(server: Server, number: signal.Signals) -> None:
    """Send a signal to each process of a server, as systemd does when it ends a service."""
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def test_a_service_that_is_ended_with_all_its_processes_loses_no_document(tmp_path):
    server = Server(tmp_path, {"XNAI_LLM_URL": "http://127.0.0.1:9"})
    server.start()
    try:
        server.wait(status="ready")
        assert server.process is not None
        sent = {"file": ("book.epub", epub([("One", "some words " * 99)]))}
        answer = httpx.post(f"{server.url}/v1/files", files=sent, timeout=PATIENCE)
        place = f"{server.url}/v1/files/{answer.raise_for_status().json()['id']}"
        wait_until(lambda: readers(server.process.pid), "a reader", PATIENCE)
        told_all(server, signal.SIGTERM)
        assert server.process.wait(PATIENCE) in {0, -signal.SIGTERM}
        server.start()
        server.wait(status="ready")
        # What failed stays so: a start does not try it again.
        assert httpx.get(place, timeout=PATIENCE).json()["status"] != "error"
        wait_until(
            lambda: httpx.get(place, timeout=PATIENCE).json()["status"] == "processed",
            "it is read",
            PATIENCE,
        )
    finally:
        server.stop(signal.SIGKILL)


@pytest.mark.parametrize(("kills", "status"), [(1, "processed"), (2, "error")])
async def test_a_document_whose_reader_was_killed_is_read_once_more(tmp_path, kills, status):
    embedder = GatedEmbedder(tmp_path)
    path = tmp_path / "book"
    path.write_bytes(epub([("One", "words " * 60)]))
    async with asyncio.timeout(2 * PATIENCE), opened(tmp_path / "data", embedder) as (library, _):
        document = await library.add("a", "book.epub", path)
        killed: set[int] = set()
        reading = asyncio.create_task(followed(library, document.id))
        while len(killed) < kills and not reading.done():
            for pid in readers(os.getpid()) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            await asyncio.sleep(0.01)
        await asyncio.gather(reading, return_exceptions=True)
        kept = await library.get(document.id)

    assert kept is not None
    assert (kills, status) == (len(killed), kept.status)


def test_a_child_is_told_no_setting_and_no_secret(monkeypatch):
    secrets = ("XNAI_API_KEYS", "OPENAI_API_KEY", "HF_TOKEN", "CHAINLIT_AUTH_SECRET", "LC_TOKEN")
    for name in secrets:
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    told = child.environment()

    assert "s3cret" not in json.dumps(told)
    assert (told["OMP_NUM_THREADS"], told["PATH"]) == ("2", os.environ["PATH"])
