"""Single measurements, each in a process of its own that a cancellation ends at once."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Literal

from xnai.llm.calibration.choice import LEAST_SAME, MOST_DIVERGENCE, Speed
from xnai.llm.engine.launch import WorkerOptions, process_environment, requantise
from xnai.llm.hardware import available_memory
from xnai.llm.ipc import WorkerConfig
from xnai.llm.probe.task import MeasureTask
from xnai.processes import child

STEP_SECONDS = 180.0  # limit of one measurement


class UnmeasurableError(Exception):
    """A measurement fails; the text says why, after the name of the copy."""


class Measurements:
    """Takes measurements of models' files.

    Args:
        threads: CPU threads.
        options: how the worker's program is started, which writes copies.

    """

    def __init__(self, threads: int, options: WorkerOptions) -> None:
        self._threads = threads
        self._options = options

    async def speed(self, model: Path) -> Speed:
        """Measure how fast 512 tokens are read and 128 written.

        Raises:
            UnmeasurableError: the file cannot be run, or takes too long.

        """
        found = await self._probe("speed", model)
        return Speed(found["read"], found["write"])

    async def make_copy(self, original: Path, kind: str, path: Path) -> str:
        """Write a copy, and keep it if it answers as the original does.

        Args:
            original: the file as it came.
            kind: how the copy stores its weights, such as ``Q8_0``.
            path: where the copy goes.

        Returns:
            why there is no copy, empty if there is one.

        """
        notes, made = path.with_suffix(".notes"), path.with_suffix(".new")
        try:
            await self._probe("keep", original, notes)
            await self._requantise(original, kind, made)
            found = await self._probe("compare", made, notes)
            if not found["divergence"] <= MOST_DIVERGENCE:
                return f"diverges by {found['divergence']:.3f} nats"
            if not found["same"] >= LEAST_SAME:
                return f"finds another token likeliest in {1 - found['same']:.1%} of cases"
            made.replace(path)
        except UnmeasurableError as exc:
            return str(exc)
        finally:
            for left in (notes, made, *path.parent.glob(f"{made.stem}.*.tmp")):
                left.unlink(missing_ok=True)
        return ""

    async def _requantise(self, original: Path, kind: str, path: Path) -> None:
        config = WorkerConfig(
            parent=os.getpid(),
            model=str(original),
            context=0,
            threads=self._threads,
            memory_limit=available_memory(),
            requantise_to=str(path),
            requantise_as=kind,
        )
        async with asyncio.timeout(STEP_SECONDS):
            if not await requantise(config, self._options.command):
                raise UnmeasurableError("cannot be written")

    async def _probe(
        self, what: Literal["speed", "keep", "compare"], model: Path, notes: Path = Path(os.devnull)
    ) -> dict[str, float]:
        task = MeasureTask(what, os.getpid(), str(model), self._threads, str(notes))
        program = child.Program(
            (sys.executable, "-m", "xnai.llm.probe.measure", task.to_json()),
            await asyncio.to_thread(process_environment),
        )
        try:
            done = await child.run(program, seconds=STEP_SECONDS)
        except TimeoutError as exc:
            raise UnmeasurableError("takes too long to be measured") from exc
        if done.code:
            raise UnmeasurableError(f"cannot be run ({_failure(done.output, done.code)})")
        return dict(json.loads(done.output))


def _failure(said: bytes, code: int) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(said)["failed"])
    return f"status {code}"
