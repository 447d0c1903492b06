"""How fast a model reads and writes on this machine, measured through the engine itself."""

import time
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from xnai.llm.build import EngineBuild
from xnai.llm.engine import LocalEngine
from xnai.llm.protocol import Completion, Finished, TokenText
from xnai.settings import Settings
from xnai.types import Message, Sampling

_WORDS = ("harbour", "stone", "river", "window", "letter", "candle", "garden", "winter")
_PROMPT_WORDS = 330
_ANSWER_TOKENS = 64
_PATIENCE = 600.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second: ``prefill`` of reading a prompt, ``decode`` of writing alone."""

    prefill: float
    decode: float


async def compare(settings: Settings, models: Sequence[Path], rounds: int) -> list[Speed]:
    """Measure models in turn, so that a busy minute of the machine slows all of them.

    One is in memory at a time, as that may be all it has room for.

    Raises:
        XnaiError: one of them cannot be loaded or does not answer.

    """
    taken: list[list[Speed]] = [[] for _ in models]
    for _ in range(rounds):
        for path, speeds in zip(models, taken, strict=True):
            speeds.append(await _measure(settings, path))
    return [
        Speed(median(one.prefill for one in speeds), median(one.decode for one in speeds))
        for speeds in taken
    ]


async def _measure(settings: Settings, path: Path) -> Speed:
    engine = _engine(settings, path)
    try:
        await engine.start()
        await engine.ensure_ready(time.monotonic() + _PATIENCE)
        await _answer(engine, 40, 4)  # pages its weights in
        return await _answer(engine, _PROMPT_WORDS, _ANSWER_TOKENS)
    finally:
        await engine.close()


def _engine(settings: Settings, path: Path) -> LocalEngine:
    """An engine on a file as it is: one slot, no drafts."""
    changes = {"model": str(path), "slots": 1, "context": 2048, "drafting": False}
    own = settings.model_copy(update=changes)
    return LocalEngine(own, EngineBuild(own))


async def _answer(engine: LocalEngine, words: int, tokens: int) -> Speed:
    """One answer to a prompt that no cache knows, from its first word on."""
    seed = uuid.uuid4().hex
    text = " ".join(f"{_WORDS[int(seed[i % 32], 16) % 8]} {i}" for i in range(words // 2))
    messages = (Message("system", seed), Message("user", f"{seed} {text}. Go on for long."))
    deadline = time.monotonic() + _PATIENCE
    sampling = Sampling(temperature=0.0, max_tokens=tokens)
    completion = Completion(seed, "speed", messages, sampling, deadline)
    began = time.monotonic()
    first = last = 0.0
    read = written = 0
    async with aclosing(engine.complete(completion)) as events:
        async for event in events:
            if isinstance(event, TokenText):
                last = time.monotonic()
                first = first or last
            elif isinstance(event, Finished):
                read, written = event.usage.prompt_tokens, event.usage.completion_tokens
    decode = (written - 1) / (last - first) if last > first and written > 1 else 0.0
    return Speed(read / max(first - began, 1e-6), decode)
