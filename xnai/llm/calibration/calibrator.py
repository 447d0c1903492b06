"""Measures, while nobody asks, how a model is best run here, one measurement after the other.

    idle ──► the next measurement (``plan``) ──► note it ──► all known? ──► run the model so
     ▲                │                                            │ no
     │                ▼                                            ▼
     ├── a question: stop at once, take it up later          until the slice is over
     └── others work on the machine: a speed does not count, and is taken again later

One process at a time measures, beside the worker that has the model loaded, and only while the
memory holds both. What is known is kept after each, so that a stop costs one measurement at most.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import structlog

from xnai.aio import sleep_to_tick
from xnai.llm.build.record import installed_path, read_installed
from xnai.llm.calibration import plan
from xnai.llm.calibration.choice import (
    Findings,
    Speed,
    Tuning,
    findings_file,
    key,
    model_part,
    notes_path,
)
from xnai.llm.calibration.measurements import Measurements, UnmeasurableError
from xnai.llm.calibration.neighbours import CrowdedError, Neighbours
from xnai.llm.calibration.plan import Measurement
from xnai.llm.calibration.subject import Loaded, Subject
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.llm.hardware import silicon_cores, usable_cores
from xnai.settings import Settings

IDLE_SECONDS = 5.0  # without a question before measuring begins
SLICE_SECONDS = 20.0  # of measuring, after which it rests
REST_SECONDS = 10.0

_log = structlog.get_logger(__name__)

# A model's file and the engine, as they were when they were looked at.
Stamp = tuple[ModelFile, int, int, int]


class DisturbedError(Exception):
    """A question came, and the measurement was stopped."""


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
        current: Callable[[], Loaded | None],
        apply: Callable[[ModelFile, Findings], Awaitable[None]],
    ) -> None:
        threads = settings.threads or usable_cores()
        self._measurements = Measurements(threads, options, self._gpu_layers)
        fixed = bool(settings.threads)
        self._ways = plan.ways_to_run(usable_cores(), silicon_cores(), fixed=fixed)
        self._neighbours = Neighbours(threads)
        self._files = files
        self._current = current
        self._apply = apply
        self._findings = findings_file(files)
        self._step: asyncio.Task[Findings] | None = None
        self._disturbed_at = time.monotonic()
        self._finished: Stamp | None = None  # of what is known
        self._unfinished: Stamp | None = None  # of what is not
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
        while True:
            await sleep_to_tick(IDLE_SECONDS)
            try:
                await self._look()
            except DisturbedError:
                continue
            except CrowdedError:
                await asyncio.sleep(REST_SECONDS)
            except Exception:  # noqa: BLE001 - the model answers as well without
                _log.exception("calibration_failed")
                return

    async def _look(self) -> None:
        """Measure the loaded model for one slice, unless it is known already."""
        loaded = self._current()
        if loaded is None or not self._is_idle():
            return
        stamp = await asyncio.to_thread(_stamp, loaded.file)
        if stamp is None or stamp == self._finished:
            return  # a look at the header each time would cost more than all else that is idle
        if (left := await self._unmeasured(loaded, stamp)) is None:
            return
        subject, findings = left
        findings = await self._measure(subject, findings)
        if not findings.done:
            await asyncio.sleep(REST_SECONDS)
            return
        self._finished = stamp
        speed = findings.speed(findings.copy)
        _log.info(
            "model_measured",
            model=subject.file.name,
            run=findings.told,
            read=None if speed is None else round(speed.read, 1),
            write=None if speed is None else round(speed.write, 1),
            out=dict(findings.out),
        )
        await self._apply(subject.file, findings)

    async def _unmeasured(self, loaded: Loaded, stamp: Stamp) -> tuple[Subject, Findings] | None:
        """What is left to be measured of a model; None if nothing is, or the machine is busy."""
        busy = await asyncio.to_thread(self._neighbours.too_busy)  # since the last look
        if busy and stamp == self._unfinished:
            return None  # its file would be opened in vain
        if (subject := await asyncio.to_thread(self._subject, loaded.file)) is None:
            return None
        findings = await asyncio.to_thread(self._findings.read, subject.key)
        if findings.done:
            self._finished = stamp
        else:
            self._unfinished = stamp
        return None if busy or findings.done else (subject, findings)

    def _gpu_layers(self) -> int:
        loaded = self._current()
        return 0 if loaded is None else loaded.gpu_layers

    def _is_idle(self) -> bool:
        return time.monotonic() - self._disturbed_at >= IDLE_SECONDS

    def _subject(self, file: ModelFile) -> Subject | None:
        known = read_installed()
        if known is None:
            return None
        with contextlib.suppress(OSError):
            header = self._files.inspect(file)
            return Subject(file, header, key(file.path, known))
        return None

    async def _measure(self, subject: Subject, findings: Findings) -> Findings:
        """Take one measurement after the other until the slice is over or all are taken."""
        began = time.monotonic()
        while not findings.done and time.monotonic() - began < SLICE_SECONDS:
            if not self._is_idle() or self._current() is None:
                raise DisturbedError
            copies, measurement = await asyncio.to_thread(self._next, subject, findings)
            most = plan.most_seconds(findings, subject.header.parameters)
            if measurement is None or findings.seconds > most:
                findings = plan.ended(findings, copies)
            elif not subject.has_room(measurement):
                return findings
            else:
                findings = await self._take(subject, findings, measurement)
            await asyncio.to_thread(self._keep, subject, findings)
        return findings

    async def _take(
        self, subject: Subject, findings: Findings, measurement: Measurement
    ) -> Findings:
        """Take one measurement; one that is stopped counts in the time that all may take."""
        began = time.monotonic()
        try:
            taken = await self._undisturbed(self._taken(subject, findings, measurement))
        except (DisturbedError, CrowdedError):
            spent = replace(findings, seconds=findings.seconds + time.monotonic() - began)
            await asyncio.to_thread(self._findings.write, subject.key, spent)
            raise
        return replace(taken, seconds=findings.seconds + time.monotonic() - began)

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

    async def _taken(
        self, subject: Subject, findings: Findings, measurement: Measurement
    ) -> Findings:
        copy, original = measurement.copy, subject.file.path
        path = subject.path(self._files, copy)
        notes = notes_path(self._files, subject.key)
        try:
            match measurement.kind:
                case "make":
                    await self._measurements.make_copy(original, copy, path)
                case "keep":
                    await self._measurements.keep(original, notes)
                case "compare":
                    if reason := await self._measurements.compare(path, notes):
                        return plan.without(findings, copy, reason)
                    return replace(findings, good=(*findings.good, copy))
                case "speed" | "way":
                    tuning = Tuning.parse(measurement.way) if measurement.way else Tuning()
                    speed = await self._speed(path, tuning)
                    return plan.with_speed(findings, measurement, speed)
        except UnmeasurableError as exc:
            _log.warning("model_unmeasurable", model=subject.file.name, reason=str(exc), copy=copy)
            return plan.failed(findings, measurement, str(exc))
        return findings

    async def _speed(self, path: Path, tuning: Tuning) -> Speed:
        """Measure a speed.

        Raises:
            CrowdedError: others worked beside it.
            UnmeasurableError: it fails, or takes too long.

        """
        await asyncio.to_thread(self._neighbours.too_busy)  # counts from here on
        try:
            speed = await self._measurements.speed(path, tuning)
        except UnmeasurableError:
            await asyncio.to_thread(self._neighbours.require_quiet)
            raise
        await asyncio.to_thread(self._neighbours.require_quiet)
        return speed

    def _next(self, subject: Subject, findings: Findings) -> tuple[list[str], Measurement | None]:
        """The kinds of copies that may be made, and the next measurement; blocks."""
        copies = subject.copies(self._files)
        there = [copy for copy in copies if subject.path(self._files, copy).exists()]
        has_notes = notes_path(self._files, subject.key).exists()
        return copies, plan.next_measurement(
            findings, copies, self._ways, there, has_notes=has_notes
        )

    def _keep(self, subject: Subject, findings: Findings) -> None:
        """Write what is known, and delete what is of no use any more; blocks."""
        self._findings.write(subject.key, findings)
        for copy in findings.out:
            subject.path(self._files, copy).unlink(missing_ok=True)
        if not findings.done:
            return
        # Also what was measured with former engines, and what a process left that was killed.
        chosen = subject.path(self._files, findings.copy)
        for path in self._files.cache_dir.glob(f"{model_part(subject.file.path)}-*"):
            if path != chosen:
                path.unlink(missing_ok=True)


def _stamp(file: ModelFile) -> Stamp | None:
    """What changes with a model's file or the engine; None where one is not there; blocks."""
    try:
        model, engine = file.path.stat(), installed_path().stat()
    except OSError:
        return None
    return file, model.st_size, model.st_mtime_ns, engine.st_mtime_ns
