import asyncio
import contextvars
from types import SimpleNamespace
from typing import Any

import pytest

from xnai.ui.broadcast import BACKLOG, LIMIT, Broadcast, Channel, Journal


class Sio:
    """A socket server whose sockets are queues that a test reads, or does not."""

    def __init__(self) -> None:
        self.manager = self
        self.eio = self
        self.sockets: dict[str, Any] = {}
        self.cut: list[str] = []

    def eio_sid_from_sid(self, sid: str, _: str) -> str:
        return sid

    def is_connected(self, sid: str, _: str) -> bool:
        return sid in self.sockets

    async def emit(self, event: str, data: Any, to: str) -> None:
        self.sockets[to].queue.put_nowait((event, data))

    async def disconnect(self, sid: str) -> None:
        self.cut.append(sid)

    def session(self, name: str, thread: str = "thread") -> Any:
        self.sockets[name] = SimpleNamespace(queue=asyncio.Queue())

        async def emit(event: str, data: Any) -> None:
            await self.emit(event, data, to=name)

        return SimpleNamespace(id=name, socket_id=name, thread_id=thread, emit=emit, to_clear=False)

    def read(self, name: str) -> list[tuple[str, Any]]:
        queue = self.sockets[name].queue
        return [queue.get_nowait() for _ in range(queue.qsize())]


def message(text: str, name: str = "m") -> dict[str, Any]:
    return {"id": name, "output": text, "streaming": True}


def token(text: str) -> dict[str, Any]:
    return {"id": "m", "token": text}


@pytest.fixture
def sio() -> Sio:
    return Sio()


async def running(sio: Sio, *names: str) -> tuple[Broadcast, Channel, list[Any]]:
    broadcast = Broadcast(sio)
    sessions = [sio.session(name) for name in names]
    for session in sessions:
        broadcast.subscribe(session)
    channel = await broadcast.start_run(sessions[0])
    for name in names:
        sio.read(name)
    return broadcast, channel, sessions


def test_a_journal_holds_the_last_state_of_everything():
    journal = Journal()
    journal.record("stream_start", message("The "))
    journal.record("stream_token", token("sea"))
    journal.record("new_message", {"id": "step", "output": ""})
    journal.record("delete_message", {"id": "step"})
    journal.record("action", {"id": "a", "forId": "m"})
    journal.record("action", {"id": "b", "forId": "m"})
    journal.record("remove_action", {"id": "a"})
    assert list(journal.events()) == [
        ("new_message", message("The sea")),
        ("delete_message", {"id": "step"}),
        ("remove_action", {"id": "b", "forId": "m"}),
        ("action", {"id": "b", "forId": "m"}),
    ]


async def test_what_a_run_tells_reaches_every_page_of_its_thread(sio):
    broadcast, _, (first, *_) = await running(sio, "first", "second")
    broadcast.subscribe(sio.session("stranger", "other"))
    await first.emit("stream_start", message("The "))
    assert sio.read("first") == sio.read("second") == [("stream_start", message("The "))]
    assert sio.read("stranger") == []


async def test_a_slow_page_gets_no_single_tokens_and_the_whole_text_when_it_reads(sio):
    _, _, (page,) = await running(sio, "page")
    await page.emit("stream_start", message(""))
    for number in range(5 * BACKLOG):
        await page.emit("stream_token", token(f"{number} "))
    assert sio.sockets["page"].queue.qsize() <= BACKLOG + 2
    sio.read("page")
    await page.emit("stream_token", token("end"))
    ((event, shown),) = sio.read("page")
    assert event == "new_message"
    assert shown["output"] == "".join(f"{n} " for n in range(5 * BACKLOG)) + "end"
    await page.emit("stream_token", token("."))
    assert sio.read("page") == [("stream_token", token("."))]


async def test_a_page_that_reads_nothing_is_cut_off(sio):
    broadcast, _, (page,) = await running(sio, "page")
    for number in range(LIMIT + 10):
        await page.emit("new_message", message("", str(number)))
    assert sio.cut
    assert sio.sockets["page"].queue.qsize() <= LIMIT + 1
    assert broadcast.is_watched("thread")


async def test_a_strange_task_end_does_not_end_the_running_indicator(sio):
    broadcast, channel, (page,) = await running(sio, "page")

    def strange() -> asyncio.Task[None]:
        async def tell() -> None:
            other = sio.session("late")
            broadcast.subscribe(other)
            await other.emit("task_end", {})

        return asyncio.get_running_loop().create_task(tell(), context=contextvars.Context())

    await strange()
    assert sio.read("late") == []
    channel.running = False
    await strange()
    assert sio.read("late") == [("task_end", {})]
    await page.emit("task_end", {})
    assert sio.read("page") == [("task_end", {})]


async def test_a_channel_is_forgotten_with_its_last_session(sio):
    broadcast, _, (first, second) = await running(sio, "first", "second")
    broadcast.unsubscribe(first)
    assert broadcast.sessions("thread") == [second]
    broadcast.unsubscribe(second)
    assert broadcast.sessions("thread") == []
    await broadcast.replay(second)
    assert sio.read("second") == []
