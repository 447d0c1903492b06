"""Makes an engine that works on this machine: llama-cpp-python has no wheel that fits them all.

The builds that this processor can run are gone through, the fastest first:

    next build ──► failed here before? ──yes──► next
                        │ no
                        ▼
                   kept wheel? ──no──► compile ──refused by the compiler──► next, noted
                        │                 │
                        ▼                 ▼
               passed here before? ──► self-test ──failed──► next, noted
                        │ yes             │ passed, noted
                        ▼                 ▼
                          install: done

What a build did is noted beside its wheel, for each machine, so each is tried once. The one that
``XNAI_ENGINE_BUILD`` names is tried alone, and again at every start.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import sys
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path

import structlog

from xnai.errors import XnaiError
from xnai.llm.build import record
from xnai.llm.build.compile import TESTING, RefusedSourcesError, Workshop, open_workshop
from xnai.llm.build.inputs import build_failed, wheel_key
from xnai.llm.build.ladder import NATIVE, Rung, named, steps
from xnai.llm.build.log import FREE_SPACE
from xnai.llm.build.package import damaged_files, is_whole
from xnai.llm.build.record import BuildTrial, Installed, try_lock
from xnai.llm.build.self_test import SelfTest
from xnai.llm.hardware import machine_key
from xnai.llm.protocol import EngineStatus
from xnai.settings import PREFIX, Settings

LOCK_SECONDS = 0.5
CRASHED_AT_WORK = "crashed twice in a row when it was to answer"

_log = structlog.get_logger(__name__)


class EngineBuild:
    """Makes sure that ``llama_cpp`` can be imported by this interpreter's worker processes.

    ``detail`` says in words what is going on; ``progress`` (0 to 1) and ``eta_seconds`` are None
    while nothing is known; ``error`` is that of the last run.

    Args:
        settings: where the data folder is, and which build is wanted.
        niceness: how far the compiler steps back behind everything else (0 to 19).

    """

    def __init__(self, settings: Settings, niceness: int = 19) -> None:
        self.detail = "not begun"
        self.progress: float | None = None
        self.eta_seconds: float | None = None
        self.error: XnaiError | None = None
        self._niceness = niceness
        self._wanted = settings.engine_build
        self._own = settings.engine_cmake_args
        self._folder = settings.data_dir / "engine"
        self._log_path = settings.data_dir / "logs" / "engine-build.log"
        place = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
        self._scratch = self._folder / f"build-{place}"
        self._step: Rung | None = None  # that is being made or tried
        self._failed: dict[Rung, BuildTrial] = {}
        self._known = record.read_installed()

    @property
    def installed(self) -> bool:
        """Whether a build that passed on this machine is there, whole, and is the one wanted."""
        self._known = record.read_installed()
        return self._known is not None and self._fits(self._known) and is_whole()

    @property
    def status(self) -> EngineStatus:
        """The build in use, or the one that is being made, and how its self-test went."""
        if self._step is None and self.error is None and self._known is not None:
            return EngineStatus(self._known.build, "passed", self._known.told)
        name = self._step.name if self._step else (self._wanted or NATIVE)
        return EngineStatus(name, "failed" if self.error else "running", self._told_failed)

    async def run(self) -> None:
        """Have a build that works on this machine; returns at once if it is there.

        Cancelling it kills the compiler. One build at a time works for one environment; others
        wait for it and use what it made.

        Raises:
            XnaiError: ENGINE_BUILD_FAILED, with what is missing.

        """
        async with self._working() as workshop:
            if not self.installed:
                await self._provide(workshop)

    async def replace(self, *, certain: bool) -> bool:
        """Try the installed build again, whose worker crashed; have the next one if it fails.

        Args:
            certain: its crashes are proof enough, since they were with the model that comes with
                the program; otherwise a build that passes stays, and the model's file is at fault.

        Returns:
            whether another build is in its place.

        Raises:
            XnaiError: ENGINE_BUILD_FAILED, no other works.

        """
        before = self._known
        async with self._working() as workshop:
            if self.installed and self._known == before and before is not None:
                await self._try_again(workshop, before, certain=certain)
            if not self.installed:
                await self._provide(workshop)
        return self._known != before

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncGenerator[Workshop, None]:
        """One run, alone in this environment; how it ends is kept in ``detail`` and ``error``."""
        self.error = None
        try:
            async with (
                self._alone() as lock,
                open_workshop(
                    self._scratch, self._log_path, self._niceness, lock, self._tell
                ) as workshop,
            ):
                yield workshop
        except OSError as exc:
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                self.error = build_failed("the disk is full", FREE_SPACE)
            else:
                reason = exc.strerror or type(exc).__name__
                self.error = build_failed(reason, f"Look at {exc.filename or self._folder}.")
        except XnaiError as exc:
            self.error = exc
        if self.error is not None:
            self._tell("failed")
            raise self.error
        self._step, self._known = None, record.read_installed()
        self._tell("ready", 1.0)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncGenerator[int, None]:
        lock = os.open(Path(sys.prefix, ".engine-build.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not try_lock(lock):
                self._tell("another server of this environment is compiling it")
                await asyncio.sleep(LOCK_SECONDS)
            yield lock
        finally:
            os.close(lock)

    def _fits(self, known: Installed) -> bool:
        """Whether a build was made for this machine, from what is pinned now, and is wanted."""
        if known.machine != machine_key() or self._wanted not in {"", known.build}:
            return False
        try:
            return known.key == wheel_key(named(known.build), self._own)
        except ValueError:
            return False

    async def _try_again(self, workshop: Workshop, known: Installed, *, certain: bool) -> None:
        """Put the installed build to the test; one that fails is noted, and counts as gone.

        Files that are not those of its wheel any more are no fault of the build: it is installed
        anew.
        """
        self._step = named(known.build)
        if damaged := await asyncio.to_thread(damaged_files):
            _log.warning("engine_damaged", build=known.build, files=damaged)
            record.write_installed(None)
            return
        self._tell(f"testing the build for {known.words} again", TESTING)
        trial = await SelfTest(workshop.commands, known.build, None).run()
        if trial.passed and not certain:
            _log.info("engine_self_test_passed", build=known.build, again=True)
            return
        reason = trial.reason or CRASHED_AT_WORK
        self._note(self._step, BuildTrial(known.build, passed=False, reason=reason))
        record.write_installed(None)

    async def _provide(self, workshop: Workshop) -> None:
        self._failed = {}
        for step in self._ladder():
            self._step = step
            trial = record.read_trial(self._kept(step))
            if trial is not None and not trial.passed and not self._wanted:
                self._failed[step] = trial
            elif await self._make(workshop, step, trial):
                return
        raise self._none_works()

    def _ladder(self) -> list[Rung]:
        if not self._wanted:
            return steps()
        try:
            return [named(self._wanted)]
        except ValueError as exc:
            fix = f"Set {PREFIX}ENGINE_BUILD to another build, or leave it unset."
            reason = f"{PREFIX}ENGINE_BUILD is {self._wanted!r}, and {exc}"
            raise build_failed(reason, fix) from exc

    async def _make(self, workshop: Workshop, step: Rung, trial: BuildTrial | None) -> bool:
        """Have one build made, tried and installed; False if it does not work here."""
        kept = self._kept_wheel(step)
        if kept is not None:
            try:
                return await self._use(workshop, step, kept, trial)
            except (XnaiError, zipfile.BadZipFile) as exc:
                _log.warning("kept_engine_unusable", wheel=kept.name, reason=str(exc))
                await asyncio.to_thread(kept.unlink, missing_ok=True)
        try:
            made = await workshop.compile(step, self._own)
        except RefusedSourcesError as exc:
            # Not kept: another compiler may take them at another start.
            reason = f"could not be compiled ({exc})"
            self._failed[step] = BuildTrial(step.name, passed=False, reason=reason)
            _log.warning("engine_not_compiled", build=step.name, reason=str(exc))
            return False
        wheel = await asyncio.to_thread(_keep, made, self._kept(step))
        return await self._use(workshop, step, wheel, None)

    async def _use(
        self, workshop: Workshop, step: Rung, wheel: Path, trial: BuildTrial | None
    ) -> bool:
        if trial is None or not trial.passed:
            package = await workshop.unpack(wheel, step.name)
            self._tell(f"testing the build for {step.words}", TESTING)
            test = SelfTest(workshop.commands, step.name, package)
            trial = await test.run()
            if test.was_killed:  # perhaps for want of memory, which another program had then
                trial = await test.run()
            self._note(step, trial, is_kept=not test.was_killed)
        if not trial.passed:
            return False
        record.write_installed(None)
        await workshop.install(wheel)
        failed = tuple((one.words, its.reason) for one, its in self._failed.items())
        key = wheel_key(step, self._own)
        record.write_installed(
            Installed(step.name, key, machine_key(), step.words, trial.variant, failed, trial.at)
        )
        return True

    def _note(self, step: Rung, trial: BuildTrial, *, is_kept: bool = True) -> None:
        if is_kept:
            record.write_trial(self._kept(step), trial)
        if trial.passed:
            _log.info("engine_self_test_passed", build=step.name, variant=trial.variant or None)
            return
        self._failed[step] = trial
        _log.warning("engine_self_test_failed", build=step.name, reason=trial.reason)

    def _kept(self, step: Rung) -> Path:
        return self._folder / wheel_key(step, self._own)

    def _kept_wheel(self, step: Rung) -> Path | None:
        wheels = self._kept(step).glob("llama_cpp_python-*.whl")
        return next((wheel for wheel in wheels if zipfile.is_zipfile(wheel)), None)

    @property
    def _told_failed(self) -> str:
        tried = (f"the build for {step.words} {its.reason}" for step, its in self._failed.items())
        return "; ".join(tried)

    def _none_works(self) -> XnaiError:
        fix = f"{self._log_path} has the whole story."
        if self._wanted:
            fix = f"Leave {PREFIX}ENGINE_BUILD unset to have the next build tried. {fix}"
        return build_failed(f"no build of it works on this processor: {self._told_failed}", fix)

    def _tell(
        self, detail: str, progress: float | None = None, eta_seconds: float | None = None
    ) -> None:
        if self._failed and self._step is not None:
            detail = f"{self._told_failed}; now the build for {self._step.words}: {detail}"
        self.detail, self.progress, self.eta_seconds = detail, progress, eta_seconds


def _keep(wheel: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    wheel.chmod(0o600)
    return wheel.replace(folder / wheel.name)
