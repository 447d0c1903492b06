"""Compiles the engine on this machine: llama-cpp-python has no wheel that fits every processor."""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import importlib
import os
import shutil
import sys
import zipfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator, Mapping
from importlib.util import find_spec
from pathlib import Path

import structlog

from xnai.errors import XnaiError
from xnai.llm.build_inputs import (
    LOCKS,
    build_failed,
    check_machine,
    cmake_args,
    compilers,
    wheel_key,
)
from xnai.llm.build_log import BuildLog
from xnai.settings import PREFIX, Settings, load_settings

LOCK_SECONDS = 0.5
LINE_LIMIT = 1_000_000  # bytes; a linker's command line is long
# Shares of the work that are done when a step begins.
FETCHING, COMPILING, INSTALLING = 0.02, 0.08, 0.98

_HERE = Path(__file__).resolve().parent
_log = structlog.get_logger(__name__)


class EngineBuild:
    """Makes sure that ``llama_cpp`` can be imported by this interpreter's worker processes.

    ``detail`` says in words what is going on; ``progress`` (0 to 1) and ``eta_seconds`` are None
    while nothing is known; ``error`` is that of the last run.

    Args:
        settings: where the data folder is.
        niceness: how far the compiler steps back behind everything else (0 to 19).

    """

    def __init__(self, settings: Settings, niceness: int = 19) -> None:
        self.detail = "not begun"
        self.progress: float | None = None
        self.eta_seconds: float | None = None
        self.error: XnaiError | None = None
        self._niceness = niceness
        self._folder = settings.data_dir / "engine"
        self._log_path = settings.data_dir / "logs" / "engine-build.log"
        place = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
        self._scratch = self._folder / f"build-{place}"
        self._lock = -1
        self._build_log: BuildLog | None = None

    @property
    def installed(self) -> bool:
        """Whether the engine is there, whole: pip writes INSTALLER when all else is in place."""
        importlib.invalidate_caches()
        spec = find_spec("llama_cpp")
        if spec is None or not spec.submodule_search_locations:
            return False
        package = Path(next(iter(spec.submodule_search_locations)))
        finished = package.parent.glob("llama_cpp_python-*.dist-info/INSTALLER")
        return any(finished) and any((package / "lib").glob("libllama.*"))

    async def run(self) -> None:
        """Fetch, compile and install the engine; returns at once if it is there.

        Cancelling it kills the compiler. One build at a time works for one environment; others
        wait for it and use what it made.

        Raises:
            XnaiError: ENGINE_BUILD_FAILED, with what is missing.

        """
        self.error = None
        try:
            async with self._alone():
                if not self.installed:
                    await self._provide()
            self._tell("ready", 1.0)
        except OSError as exc:
            full = exc.errno in {errno.ENOSPC, errno.EDQUOT}
            reason = "the disk is full" if full else exc.strerror or type(exc).__name__
            self.error = build_failed(reason, f"Look at {exc.filename or self._folder}.")
        except XnaiError as exc:
            self.error = exc
        if self.error is not None:
            self._tell("failed")
            raise self.error

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None, None]:
        lock = os.open(Path(sys.prefix, ".engine-build.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _try_lock(lock):
                self._tell("another server of this environment is compiling it")
                await asyncio.sleep(LOCK_SECONDS)
            self._lock = lock
            yield
        finally:
            self._lock = -1
            os.close(lock)

    async def _provide(self) -> None:
        await asyncio.to_thread(self._clear_scratch)
        self._build_log = await asyncio.to_thread(BuildLog, self._log_path)
        try:
            kept = self._kept_wheel()
            if kept is not None and await self._install_kept(kept):
                return
            check_machine(self._folder)
            await self._install(await self._compile())
        finally:
            self._build_log.close()
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    def _clear_scratch(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        (self._scratch / "tmp").mkdir(parents=True)

    def _kept_wheel(self) -> Path | None:
        wheels = (self._folder / wheel_key()).glob("llama_cpp_python-*.whl")
        return next((wheel for wheel in wheels if zipfile.is_zipfile(wheel)), None)

    async def _install_kept(self, wheel: Path) -> bool:
        try:
            await self._install(wheel)
        except XnaiError as exc:
            _log.warning("kept_engine_unusable", wheel=wheel.name, reason=exc.message)
            await asyncio.to_thread(wheel.unlink, missing_ok=True)
            return False
        return True

    async def _compile(self) -> Path:
        """Build the wheel and keep it in the data folder; returns where it is."""
        tools, built = self._scratch / "tools", self._scratch / "wheel"
        self._tell("fetching the build tools", 0.0)
        build_lock, lock = LOCKS / "engine-build.lock", LOCKS / "engine.lock"
        hashed = ("--no-deps", "--require-hashes", "--progress-bar", "off")
        target = ("--only-binary", ":all:", "--no-compile", "--target", tools, "-r", build_lock)
        await self._pip("install", *hashed, *target)
        self._tell("fetching the sources", FETCHING)
        paths = {
            "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(tools),
            "CMAKE_ARGS": cmake_args(),
            "CMAKE_BUILD_PARALLEL_LEVEL": str(compilers()),
        }
        source = ("--no-build-isolation", "--no-cache-dir", "-v", "-w", built, "-r", lock)
        await self._pip("wheel", *hashed, *source, environment=paths)
        return await asyncio.to_thread(self._keep, next(built.glob("llama_cpp_python-*.whl")))

    def _keep(self, wheel: Path) -> Path:
        folder = self._folder / wheel_key()
        folder.mkdir(parents=True, exist_ok=True)
        return wheel.replace(folder / wheel.name)

    async def _install(self, wheel: Path) -> None:
        self._tell("installing", INSTALLING)
        how = ("--no-deps", "--no-index", "--force-reinstall", "--no-compile")
        await self._pip("install", *how, wheel)
        check = "import llama_cpp; llama_cpp.llama_backend_init()"
        await self._command(sys.executable, "-c", check)

    async def _pip(
        self, verb: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> None:
        options = ("--disable-pip-version-check", "--no-input")
        command = (sys.executable, "-m", "pip", verb, *options, *map(str, arguments))
        await self._command(*command, environment=environment)

    async def _command(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Run one command of the build under the reaper.

        Raises:
            XnaiError: it failed.

        """
        assert self._build_log is not None
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        own["TMPDIR"] = str(self._scratch / "tmp")
        reaper = (str(_HERE / "reaper.py"), str(self._niceness), str(self._scratch))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *reaper,
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env={**own, **(environment or {})},
            limit=LINE_LIMIT,
            start_new_session=True,
            # Whoever comes next must find the lock taken until the reaper has done its work.
            pass_fds=(self._lock,),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                self._follow(line.decode(errors="replace").rstrip())
            code = await process.wait()
        finally:
            process.stdin.close()
            await process.wait()
        if code:
            raise build_failed(*self._build_log.cause(code))

    def _follow(self, line: str) -> None:
        log = self._build_log
        assert log is not None
        log.add(line)
        if log.total and self.progress is not None and self.progress < INSTALLING:
            share = log.done / log.total
            self._tell(
                f"{log.done} of {log.total} files compiled",
                min(INSTALLING, COMPILING + share * (INSTALLING - COMPILING)),
            )
            self.eta_seconds = log.eta_seconds

    def _tell(self, detail: str, progress: float | None = None) -> None:
        self.detail, self.progress, self.eta_seconds = detail, progress, None


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _run_and_tell() -> int:
    build = EngineBuild(load_settings(), niceness=0)
    if build.installed:
        return 0
    running = asyncio.create_task(build.run())
    told = ""
    while not running.done():
        await asyncio.wait({running}, timeout=1)
        told = _tell_terminal(build, told)
    print()
    try:
        await running
    except XnaiError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _tell_terminal(build: EngineBuild, told: str) -> str:
    """Print where the build is, on a terminal in place; elsewhere once per step and tenth."""
    percent = 0 if build.progress is None else int(100 * build.progress)
    eta = "" if build.eta_seconds is None else f", about {build.eta_seconds:.0f} s left"
    if sys.stdout.isatty():
        line = f"The model's engine: {percent} %, {build.detail}{eta}"
        print(f"\r\033[K{line}", end="", flush=True)
        return line
    line = f"{percent // 10} {build.detail if not build.eta_seconds else ''}"
    if line != told:
        print(f"The model's engine: {percent} %, {build.detail}{eta}", flush=True)
    return line


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(_run_and_tell()))
    except KeyboardInterrupt:
        sys.exit(130)
