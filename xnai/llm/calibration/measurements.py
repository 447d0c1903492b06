"""Single measurements, each in a process of its own that a cancellation ends at once."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from xnai.llm.calibration.choice import LEAST_SAME, MOST_DIVERGENCE, Speed, Tuning
from xnai.llm.engine.launch import WorkerOptions, process_environment, requantise
from xnai.llm.hardware import available_memory
from xnai.llm.ipc import CHUNK, WorkerConfig
from xnai.llm.probe.task import MeasureTask
from xnai.processes import child

STEP_SECONDS = 180.0  # limit of one measurement


class UnmeasurableError(Exception):
    """A measurement fails; the text says why, after the name of the copy."""


class Measurements:
    """Takes measurements of models' files.

    Args:
        threads: CPU threads, unless others are measured.
        options: how the worker's program is started, which writes copies.
        gpu_layers: how many layers of the model the worker has on a GPU.

    """

    def __init__(self, threads: int, options: WorkerOptions, gpu_layers: Callable[[], int]) -> None:
        self._threads = threads
        self._options = options
        self._gpu_layers = gpu_layers

    async def speed(self, model: Path, tuning: Tuning) -> Speed:
        """Measure how fast a file is read and written when it is run in one way.

        Raises:
            UnmeasurableError: the file cannot be run, or takes too long.

        """
        found = await self._probe("speed", model, tuning=tuning)
        return Speed(found["read"], found["write"])

    async def make_copy(self, original: Path, kind: str, path: Path) -> None:
        """Write a copy; ``path`` appears whole or not at all.

        Args:
            original: the file as it came.
            kind: how the copy stores its weights, such as ``Q8_0``.
            path: where the copy goes.

        Raises:
            UnmeasurableError: it cannot be written, or takes too long.

        """
        config = WorkerConfig(
            parent=os.getpid(),
            model=str(original),
            context=0,
            threads=self._threads,
            memory_limit=available_memory(),
            requantise_to=str(path),
            requantise_as=kind,
        )
        try:
            async with asyncio.timeout(STEP_SECONDS):
                if not await requantise(config, self._options.command):
                    raise UnmeasurableError("cannot be written")
        except TimeoutError as exc:
            raise UnmeasurableError("takes too long to be written") from exc
        finally:
            for left in path.parent.glob(f"{path.stem}.*.tmp"):
                left.unlink(missing_ok=True)

    async def keep(self, original: Path, notes: Path) -> None:
        """Note what the original expects; ``notes`` appear whole or not at all.

        Raises:
            UnmeasurableError: the file cannot be run, or takes too long.

        """
        unfinished = notes.with_suffix(".unfinished")
        try:
            await self._probe("keep", original, unfinished)
            unfinished.replace(notes)
        finally:
            unfinished.unlink(missing_ok=True)

    async def compare(self, copy: Path, notes: Path) -> str:
        """Compare a copy with what the original expects.

        Returns:
            why it does not answer as the original does, empty if it does.

        Raises:
            UnmeasurableError: the file cannot be run, or takes too long.

        """
        found = await self._probe("compare", copy, notes)
        if not found["divergence"] <= MOST_DIVERGENCE:
            return f"diverges by {found['divergence']:.3f} nats"
        if not found["same"] >= LEAST_SAME:
            return f"finds another token likeliest in {1 - found['same']:.1%} of cases"
        return ""

    async def _probe(
        self,
        what: Literal["speed", "keep", "compare"],
        model: Path,
        notes: Path = Path(os.devnull),
        tuning: Tuning = Tuning(),  # noqa: B008 - frozen
    ) -> Mapping[str, float]:
        task = MeasureTask(
            what,
            os.getpid(),
            str(model),
            tuning.threads or self._threads,
            str(notes),
            tuning.chunk or CHUNK,
            self._gpu_layers(),
        )
        command = (sys.executable, "-m", "xnai.llm.probe.measure", task.to_json())
        environment = await asyncio.to_thread(process_environment, tuning.spin)
        try:
            done = await child.run(child.Program(command, environment), seconds=STEP_SECONDS)
        except TimeoutError as exc:
            raise UnmeasurableError("takes too long to be measured") from exc
        if done.code:
            raise UnmeasurableError(f"cannot be run ({_failure(done.output, done.code)})")
        return dict(json.loads(done.output))


def _failure(said: bytes, code: int) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(said)["failed"])
    return f"status {code}"
