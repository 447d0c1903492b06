"""Engines over a real process that speaks the worker's frames, and who reads their answers."""

import asyncio
import sys
import time
from collections.abc import Awaitable
from contextlib import aclosing
from pathlib import Path

from paths import SUPPORT

from xnai.errors import XnaiError
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import Completion, CompletionEvent, Finished, TokenText
from xnai.types import Message, Sampling

WORKER = (sys.executable, str(SUPPORT / "frame_worker.py"))
OPTIONS = WorkerOptions(hang_seconds=2.0, step_seconds=9.0, command=WORKER)


def ask(text: str = "", user: str = "u", seconds: float = 60) -> Completion:
    deadline = time.monotonic() + seconds
    return Completion("r", user, (Message("user", text),), Sampling(), deadline)


async def ready(engine: LocalEngine) -> int:
    await engine.ensure_ready(time.monotonic() + 60)
    assert engine.worker_pid is not None
    return engine.worker_pid


async def outcome(awaitable: Awaitable[list[CompletionEvent]]) -> str:
    """``finished``, or the error in words."""
    try:
        assert isinstance((await awaitable)[-1], Finished)
    except XnaiError as exc:
        return f"{exc.code}: {exc.message}"
    return "finished"


def loads(folder: Path) -> int:
    return len((folder / "loads").read_text().splitlines()) if (folder / "loads").exists() else 0


class Reader:
    """Reads one answer in a task of its own and notes what came when."""

    def __init__(self, engine: LocalEngine, text: str, user: str = "u") -> None:
        self.events: list[CompletionEvent] = []
        self.ended_at = 0.0
        self.task = asyncio.create_task(self._read(engine, ask(text, user)))

    async def _read(self, engine: LocalEngine, completion: Completion) -> list[CompletionEvent]:
        try:
            async with aclosing(engine.complete(completion)) as events:
                async for event in events:
                    self.events.append(event)
        finally:
            self.ended_at = time.monotonic()
        return self.events

    def has(self, kind: type) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TokenText))
