"""Compiles the engine and installs it: pip, CMake and the compiler, in a place of their own."""

import asyncio
import contextlib
import os
import shutil
import sys
import zipfile
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

from xnai.llm.build.commands import Commands
from xnai.llm.build.inputs import (
    LOCKS,
    build_failed,
    check_machine,
    cmake_args,
    compilers,
)
from xnai.llm.build.ladder import Rung
from xnai.llm.build.log import BuildLog

# Shares of the work that are done when a step begins.
FETCHING, COMPILING, TESTING, INSTALLING = 0.02, 0.08, 0.95, 0.99

Tell = Callable[[str, float, float | None], None]


class RefusedSourcesError(Exception):
    """The compiler refuses the sources with these options; the text says how."""


class Workshop:
    """Where one run of the build works; made by ``open_workshop``.

    Args:
        commands: runs pip and what it starts.
        log: takes what they print.
        tell: hears what is going on, the share done (0 to 1), and the seconds left if known.

    """

    def __init__(self, commands: Commands, log: BuildLog, tell: Tell) -> None:
        self.commands = commands
        self._log = log
        self._tell = tell

    async def compile(self, step: Rung, own: str) -> Path:
        """Build the wheel of a step; returns where it lies in the scratch folder.

        Args:
            step: which build.
            own: ``XNAI_ENGINE_CMAKE_ARGS``.

        Raises:
            XnaiError: ENGINE_BUILD_FAILED, something is missing on this machine.
            RefusedSourcesError: the compiler does not take the sources.

        """
        scratch = self.commands.scratch
        check_machine(scratch)
        tools, built = scratch / "tools", scratch / f"wheel-{step.name}"
        build_lock, lock = LOCKS / "engine-build.lock", LOCKS / "engine.lock"
        hashed = ("--no-deps", "--require-hashes", "--progress-bar", "off")
        self._log.begin()
        if not await asyncio.to_thread(tools.exists):
            self._tell("fetching the build tools", 0.0, None)
            target = ("--only-binary", ":all:", "--no-compile", "--target", tools)
            await self._pip("install", *hashed, *target, "-r", build_lock)
        self._tell("fetching the sources", FETCHING, None)
        paths = {
            "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(tools),
            "CMAKE_ARGS": cmake_args(step, own),
            "CMAKE_BUILD_PARALLEL_LEVEL": str(compilers()),
        }
        source = ("--no-build-isolation", "--no-cache-dir", "-v", "-w", built, "-r", lock)
        await self._pip("wheel", *hashed, *source, environment=paths)
        return next(built.glob("llama_cpp_python-*.whl"))

    async def install(self, wheel: Path) -> None:
        """Install a wheel into this environment.

        Raises:
            XnaiError: ENGINE_BUILD_FAILED, pip does not take it.

        """
        self._tell("installing", INSTALLING, None)
        how = ("--no-deps", "--no-index", "--force-reinstall", "--no-compile")
        await self._pip("install", *how, wheel)

    async def unpack(self, wheel: Path, name: str) -> Path:
        """Unpack a wheel to try it; returns the folder in which its package lies."""
        folder = self.commands.scratch / f"try-{name}"
        await asyncio.to_thread(_unpack, wheel, folder)
        return folder

    async def _pip(
        self, verb: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> None:
        options = ("--disable-pip-version-check", "--no-input")
        command = (sys.executable, "-m", "pip", verb, *options, *map(str, arguments))
        code = await self.commands.run(*command, on_line=self._follow, environment=environment)
        if code:
            cause = self._log.cause(code)
            if cause.of_sources and verb == "wheel":
                raise RefusedSourcesError(cause.reason)
            raise build_failed(cause.reason, cause.fix)

    def _follow(self, line: str) -> None:
        log, before = self._log, self._log.done
        log.add(line)
        if log.done != before:
            share = COMPILING + log.done / log.total * (TESTING - COMPILING)
            self._tell(f"{log.done} of {log.total} files compiled", share, log.eta_seconds)


@contextlib.asynccontextmanager
async def open_workshop(
    scratch: Path, log_path: Path, niceness: int, lock: int, tell: Tell
) -> AsyncGenerator[Workshop, None]:
    """Make an empty scratch folder and a new log; both are put away at the end.

    Args:
        scratch: the folder; what is left there is removed first.
        log_path: what the commands print goes there.
        niceness: how far the commands step back behind everything else (0 to 19).
        lock: see ``Commands``.
        tell: see ``Workshop``.

    """
    await asyncio.to_thread(_clear, scratch)
    log = await asyncio.to_thread(BuildLog, log_path)
    try:
        yield Workshop(Commands(scratch, niceness, lock), log, tell)
    finally:
        log.close()
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _clear(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "tmp").mkdir(parents=True)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
