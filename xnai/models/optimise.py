"""Makes a copy of a model that this machine's processor reads faster, and measures the gain."""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xnai.errors import DISK_TOO_SMALL, MODEL_EXISTS, OPTIMISE_FAILED, XnaiError
from xnai.llm.build import EngineBuild
from xnai.llm.config import WorkerConfig
from xnai.llm.files import SUFFIX, ModelFile, ModelFiles
from xnai.llm.gguf import Header
from xnai.llm.launch import requantise
from xnai.llm.machine import human_size, usable_cores
from xnai.llm.speed import Speed, compare
from xnai.settings import Settings

Kind = Literal["Q8_0", "Q4_0"]
# Bits that a weight takes, its share of the block's scale included.
_BITS = {"Q8_0": 8.5, "Q4_0": 4.5}
_HEADER_BYTES = 50_000_000
_SPARE_BYTES = 200_000_000  # that stay free on the disk
_GAIN = 1.05  # a copy that is less faster than that is not worth its place
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Gain:
    """What a copy is worth; ``kept`` is False if it was deleted again for gaining too little."""

    model: str
    copy: str
    path: Path
    size_before: int
    size_after: int
    before: Speed
    after: Speed
    kept: bool

    @property
    def prefill(self) -> float:
        """How many times as fast prompts are read."""
        return self.after.prefill / max(self.before.prefill, 1e-9)

    @property
    def decode(self) -> float:
        """How many times as fast text is written."""
        return self.after.decode / max(self.before.decode, 1e-9)


async def optimise(
    settings: Settings, name: str, kind: Kind, tell: Callable[[str], None], *, keep: bool = False
) -> Gain:
    """Requantise a model beside the original, and compare the two in turn.

    Args:
        settings: where the models are, and threads.
        name: of a model of the list.
        kind: how the copy stores its weights.
        tell: hears what is being done.
        keep: keep the copy even if it gains nothing.

    Raises:
        XnaiError: there is no such model or no room, or the engine fails.

    """
    files = ModelFiles(settings)
    file = files.find(name)
    header = files.inspect(file)
    target = _target(settings, file, kind)
    _check(settings, file, header, target, kind)
    if not EngineBuild(settings).installed:
        await EngineBuild(settings).run()
    tell(f"Writing {target.name}")
    config = WorkerConfig(
        parent=os.getpid(),
        model=str(file.path),
        context=512,
        threads=settings.threads or usable_cores(),
        memory_limit=8 * header.tensor_bytes + 4_000_000_000,
        requantise_to=str(target),
        requantise_as=kind,
    )
    if not await requantise(config):
        reason = "llama.cpp could not requantise it; the log above says more"
        raise XnaiError(OPTIMISE_FAILED, name=file.name, reason=reason)
    try:
        tell(f"Measuring both, {ROUNDS} rounds in turn")
        before, after = await compare(settings, (file.path, target), ROUNDS)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return await asyncio.to_thread(_judge, file, target, before, after, keep)


def _judge(file: ModelFile, target: Path, before: Speed, after: Speed, keep: bool) -> Gain:
    sizes = file.path.stat().st_size, target.stat().st_size
    copy = target.name.removesuffix(SUFFIX)
    gain = Gain(file.name, copy, target, *sizes, before, after, kept=True)
    if not keep and gain.prefill < _GAIN and gain.decode < _GAIN:
        target.unlink()
        return Gain(file.name, copy, target, *sizes, before, after, kept=False)
    return gain


def _target(settings: Settings, file: ModelFile, kind: Kind) -> Path:
    return settings.models_dir / f"{file.name}-{kind}{SUFFIX}"


def _check(settings: Settings, file: ModelFile, header: Header, target: Path, kind: Kind) -> None:
    if header.quantisation == kind:
        reason = f"its weights are stored as {kind} already"
        raise XnaiError(OPTIMISE_FAILED, name=file.name, reason=reason)
    if "-of-" in file.name:
        reason = "it is split into several files"
        raise XnaiError(OPTIMISE_FAILED, name=file.name, reason=reason)
    if target.exists():
        raise XnaiError(MODEL_EXISTS, path=target)
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    needed = int(header.parameters * _BITS[kind] / 8) + _HEADER_BYTES + _SPARE_BYTES
    free = shutil.disk_usage(settings.models_dir).free
    if needed > free:
        raise XnaiError(
            DISK_TOO_SMALL,
            name=target.name,
            needed=human_size(needed),
            folder=settings.models_dir,
            free=human_size(free),
        )
