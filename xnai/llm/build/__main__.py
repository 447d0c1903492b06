"""``python -m xnai.llm.build``: have the engine ready, told on the terminal."""

import asyncio
import sys

from xnai.data_folder.ownership import prepare_folder
from xnai.data_folder.rights import make_private
from xnai.errors import XnaiError
from xnai.llm.build.engine_build import EngineBuild
from xnai.settings import load_settings


async def _run_and_tell() -> int:
    try:
        settings = load_settings()
        build = EngineBuild(settings, niceness=0)
        if build.installed:
            return 0
        make_private()
        prepare_folder(settings.data_dir)
    except XnaiError as exc:
        print(exc, file=sys.stderr)
        return 1
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
