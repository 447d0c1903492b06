"""Commands of a build, each under the reaper: whatever happens to the server, they end with it."""

import asyncio
import os
import sys
from asyncio.subprocess import STDOUT
from collections.abc import Callable, Mapping
from pathlib import Path

from xnai.data_folder.rights import former_umask
from xnai.processes import child
from xnai.settings import PREFIX

REAPER_SECONDS = 10.0  # in which the reaper ends what it started
LINE_LIMIT = 1_000_000  # bytes; a linker's command line is long
_REAPER = Path(__file__).resolve().with_name("reaper.py")


class SilenceError(Exception):
    """A command printed nothing for too long, and was ended."""


class Commands:
    """Runs one command after the other.

    Args:
        scratch: the folder that the reaper removes if the server dies; has a ``tmp``.
        niceness: how far the commands step back behind everything else (0 to 19).
        lock: a file handle that they keep open: whoever waits for the lock on it goes on only when
            the reaper has done its work.

    """

    def __init__(self, scratch: Path, niceness: int, lock: int) -> None:
        self.scratch = scratch
        self._niceness = niceness
        self._lock = lock

    async def run(
        self,
        *command: str,
        on_line: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        silence: float | None = None,
    ) -> int:
        """Run one command; returns its exit status as a shell would (128 + signal).

        Args:
            command: program and arguments.
            on_line: hears every line of its output.
            environment: variables besides the server's own, whose settings are left out.
            silence: seconds without a line after which it is ended.

        Raises:
            SilenceError: it printed nothing for that long.

        """
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        own["TMPDIR"] = str(self.scratch / "tmp")
        reaper = (str(_REAPER), str(self._niceness), str(self.scratch))
        program = child.Program(
            (sys.executable, *reaper, *command),
            {**own, **(environment or {})},
            inherited=(self._lock,),
            umask=former_umask(),  # the environment may be shared, what is in the data folder not
        )
        # When its standard input is closed the reaper ends all that still runs.
        running = child.child(program, stderr=STDOUT, limit=LINE_LIMIT, patience=REAPER_SECONDS)
        async with running as process:
            try:
                await _follow(process, on_line, silence)
            except TimeoutError as exc:
                raise SilenceError from exc
            await process.ends_within(REAPER_SECONDS)
            return await process.end(REAPER_SECONDS)


async def _follow(
    process: child.Child, on_line: Callable[[str], None], silence: float | None
) -> None:
    assert process.stdout is not None
    while True:
        async with asyncio.timeout(silence):
            line = await process.stdout.readline()
        if not line:
            return
        on_line(line.decode(errors="replace").rstrip())
