"""Our engine without its server, and the bare loop, each behind one call."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from peers import Setup, die_with_parent

from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import Completion, Finished, TokenText
from xnai.settings import Settings
from xnai.types import Message, Sampling

LOAD_SECONDS = 120.0
ANSWER_SECONDS = 300.0
SPIN_COUNT = "GOMP_SPINCOUNT"
Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one answer: seconds to the first token, tokens/s after it, tokens of the prompt."""

    first: float
    rate: float
    tokens: int
    prompt_tokens: int


@asynccontextmanager
async def local_engine(setup: Setup, **settings: Any) -> AsyncIterator[LocalEngine]:
    """Our engine with its worker, loaded."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    fixed: dict[str, Any] = {
        "data_dir": setup.folder / "data",
        "models_dir": setup.folder / "models",
        "model": os.environ.get("XNAI_MODEL", ""),
        "threads": setup.threads,
        "slots": setup.slots,
        "context": setup.context,
        "calibration": False,  # measuring would begin while a peer has its turn
    }
    chosen = Settings(_env_file=None, **(fixed | settings))
    engine = LocalEngine(chosen, EngineBuild(chosen))
    await engine.start()
    try:
        await engine.ensure_ready(time.monotonic() + LOAD_SECONDS)
        yield engine
    finally:
        await engine.close()


def completion(messages: Messages, tokens: int, user: str = "bench") -> Completion:
    """A greedy request, as the clients of serving.py send it."""
    sampling = Sampling(max_tokens=tokens, temperature=0.0, repeat_penalty=1.0)
    turns = tuple(Message(m["role"], m["content"]) for m in messages)  # type: ignore[arg-type]
    return Completion("bench", user, turns, sampling, time.monotonic() + ANSWER_SECONDS)


async def engine_speed(engine: LocalEngine, messages: Messages, tokens: int) -> Speed:
    """One answer of our engine."""
    began = first = last = time.perf_counter()
    usage, shown = None, False
    async with aclosing(engine.complete(completion(messages, tokens))) as events:
        async for event in events:
            if isinstance(event, TokenText):
                last = time.perf_counter()
                first, shown = (first if shown else last), True
            elif isinstance(event, Finished):
                usage = event.usage
    assert usage is not None
    rate = (usage.completion_tokens - 1) / (last - first)
    return Speed(first - began, rate, usage.completion_tokens, usage.prompt_tokens)


class BareLoop:
    """bare.py in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def speed(self, messages: Messages, tokens: int) -> Speed:
        """One answer; blocks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = json.dumps({"messages": messages, "tokens": tokens})
        self._process.stdin.write(job + "\n")
        self._process.stdin.flush()
        figures = json.loads(self._process.stdout.readline())
        rate = (figures["tokens"] - 1) / figures["rest"]
        return Speed(figures["first"], rate, figures["tokens"], figures["prompt_tokens"])

    async def speed_async(self, messages: Messages, tokens: int) -> Speed:
        """One answer, without blocking the loop."""
        return await asyncio.to_thread(self.speed, messages, tokens)


@contextmanager
def bare_loop(setup: Setup, model: Path, spin_count: int | None = None) -> Iterator[BareLoop]:
    """The bare loop, with OpenMP's own default of spinning unless a count is given."""
    environment: Mapping[str, str] = {k: v for k, v in os.environ.items() if k != SPIN_COUNT}
    if spin_count is not None:
        environment = {**environment, SPIN_COUNT: str(spin_count)}
    program = Path(__file__).with_name("bare.py")
    command = [sys.executable, str(program), str(model), str(setup.context), str(setup.threads)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock taken
    )
    try:
        yield BareLoop(process)
    finally:
        process.kill()
        process.communicate()
