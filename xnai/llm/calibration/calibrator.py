"""Measures, while nobody asks, which copy of a model is the fastest that answers as well.

    idle ──► make a copy ──► compare with the original ──differs──► delete it, note why
     ▲            │                     │ as good
     │            ▼                     ▼
     └── a question: stop at once    rounds of speed, original and copy in turn
         and take it up later           │
                                        ▼
                              faster? run it from now on, else delete it

One process at a time measures, beside the worker that has the model loaded; where there is no
memory for both, nothing is measured and the file is run as it came.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace

import structlog

from xnai.llm.build.record import read_installed
from xnai.llm.calibration.choice import ORIGINAL, Findings, copy_path, findings_file, key
from xnai.llm.calibration.measurements import Measurements, UnmeasurableError
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.llm.gguf.header import Header
from xnai.llm.hardware import available_memory, usable_cores
from xnai.settings import Settings

# Bits that a weight takes in each kind of copy, its share of the block's scale included.
COPIES: Mapping[str, float] = {"Q8_0": 8.5, "Q4_0": 4.5}
IDLE_SECONDS = 5.0  # without a question before measuring begins
SLICE_SECONDS = 20.0  # of measuring, after which it rests
REST_SECONDS = 10.0
MOST_SECONDS = 600.0  # of measuring in all; a model that takes longer is run as it came
ROUNDS = 3
SPARE_BYTES = 500_000_000  # of memory and disk that stay free beside a copy

_log = structlog.get_logger(__name__)


class DisturbedError(Exception):
    """A question came, and the measurement was stopped."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The model that is measured: its file, its header, and the key of its findings."""

    file: ModelFile
    header: Header
    key: str


class Calibrator:
    """Owns the measurements of one engine; one task, from ``start`` to ``close``.

    Args:
        settings: threads.
        files: where copies lie.
        options: how the worker's program is started, which writes copies.
        current: the model that is loaded, None while there is none or somebody asks it.
        apply: takes the findings of a model when all is measured, and has it loaded anew if
            another copy of it is better.

    """

    def __init__(
        self,
        settings: Settings,
        files: ModelFiles,
        options: WorkerOptions,
        current: Callable[[], ModelFile | None],
        apply: Callable[[ModelFile, Findings], Awaitable[None]],
    ) -> None:
        self._measurements = Measurements(settings.threads or usable_cores(), options)
        self._files = files
        self._current = current
        self._apply = apply
        self._findings = findings_file(files)
        self._step: asyncio.Task[Findings] | None = None
        self._disturbed_at = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to measure whenever the model is idle; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="calibration")

    def disturb(self) -> None:
        """Stop the measurement under way at once: somebody asks."""
        self._disturbed_at = time.monotonic()
        if self._step is not None:
            self._step.cancel()

    async def close(self) -> None:
        """Stop for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        finished: set[str] = set()
        while True:
            await asyncio.sleep(IDLE_SECONDS)
            try:
                await self._look(finished)
            except DisturbedError:
                continue
            except Exception:  # noqa: BLE001 - the model answers as well without
                _log.exception("calibration_failed")
                return

    async def _look(self, finished: set[str]) -> None:
        """Measure the loaded model for one slice, unless it is known already."""
        if not self._is_idle():
            return
        file = self._current()
        subject = None if file is None else await asyncio.to_thread(self._subject, file)
        if subject is None or subject.key in finished:
            return
        findings = await asyncio.to_thread(self._findings.read, subject.key)
        if findings.done:
            finished.add(subject.key)
            return
        findings = await self._measure(subject, findings)
        if not findings.done:
            await asyncio.sleep(REST_SECONDS)
            return
        finished.add(subject.key)
        speed = findings.speed(findings.copy)
        _log.info(
            "model_measured",
            model=subject.file.name,
            copy=findings.copy or "as it came",
            read=None if speed is None else round(speed.read, 1),
            write=None if speed is None else round(speed.write, 1),
            out=dict(findings.out),
        )
        await asyncio.to_thread(self._delete_losers, subject, findings)
        await self._apply(subject.file, findings)

    def _is_idle(self) -> bool:
        return time.monotonic() - self._disturbed_at >= IDLE_SECONDS

    def _subject(self, file: ModelFile) -> Subject | None:
        known = read_installed()
        if known is None:
            return None
        with contextlib.suppress(OSError):
            header = self._files.inspect(file)
            return Subject(file, header, key(file.path, known.build + known.variant))
        return None

    async def _measure(self, subject: Subject, findings: Findings) -> Findings:
        """Take one measurement after the other until the slice is over or all are taken."""
        began = time.monotonic()
        while not findings.done and time.monotonic() - began < SLICE_SECONDS:
            if not self._is_idle() or self._current() is None:
                raise DisturbedError
            step_began = time.monotonic()
            findings = await self._undisturbed(self._next(subject, findings))
            seconds = findings.seconds + time.monotonic() - step_began
            if seconds > MOST_SECONDS:
                findings = replace(findings, speeds={}, done=True)
            findings = replace(findings, seconds=seconds)
            await asyncio.to_thread(self._findings.write, subject.key, findings)
        return findings

    async def _undisturbed(self, work: Coroutine[None, None, Findings]) -> Findings:
        """Wait for a measurement.

        Raises:
            DisturbedError: it was stopped because somebody asked.

        """
        self._step = asyncio.create_task(work, name="measurement")
        try:
            await asyncio.wait({self._step})
            if self._step.cancelled():
                raise DisturbedError
            return self._step.result()
        finally:
            step, self._step = self._step, None
            if not step.done():
                step.cancel()
                await asyncio.wait({step})

    async def _next(self, subject: Subject, findings: Findings) -> Findings:
        """Take the next measurement that is missing; findings that are done lack none."""
        paths = {ORIGINAL: subject.file.path}
        for copy in await asyncio.to_thread(self._candidates, subject, findings):
            path = paths[copy] = copy_path(self._files, subject.key, copy)
            if not await asyncio.to_thread(path.exists):
                reason = await self._measurements.make_copy(subject.file.path, copy, path)
                out = {**findings.out, copy: reason} if reason else findings.out
                return replace(findings, out=out)
        copy = min(paths, key=lambda one: len(findings.speeds.get(one, ())))
        taken = findings.speeds.get(copy, ())
        if len(taken) >= (ROUNDS if len(paths) > 1 else 1):
            return replace(findings, done=True)
        try:
            taken = (*taken, await self._measurements.speed(paths[copy]))
        except UnmeasurableError as exc:
            if copy == ORIGINAL:
                return replace(findings, speeds={}, done=True)
            return replace(findings, out={**findings.out, copy: str(exc)})
        return replace(findings, speeds={**findings.speeds, copy: taken})

    def _candidates(self, subject: Subject, findings: Findings) -> list[str]:
        """The kinds of copies that are neither out, nor the file's own, nor too large."""
        if "-of-" in subject.file.name:  # a file in parts is not copied
            return []
        self._files.cache_dir.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(self._files.cache_dir).free
        room = min(available_memory(), disk) - SPARE_BYTES
        return [
            kind
            for kind, bits in COPIES.items()
            if kind not in findings.out
            and not subject.header.quantisation.startswith(kind)
            and subject.header.parameters * bits / 8 < room
        ]

    def _delete_losers(self, subject: Subject, findings: Findings) -> None:
        for copy in COPIES:
            if copy != findings.copy:
                copy_path(self._files, subject.key, copy).unlink(missing_ok=True)
