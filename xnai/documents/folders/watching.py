"""Waits until something in a folder changes."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from watchfiles import awatch

QUIET_SECONDS = 300.0  # after which a folder is looked at again: network disks tell nothing
POLL_SECONDS = 30.0  # where a folder cannot be watched, as so many can be
_STEP_MILLISECONDS = 1_600  # in which changes are taken together


async def changed(folder: Path) -> None:
    """Return when something in a folder may have changed; after a while in any case."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            async with aclosing(awatch(folder, step=200, debounce=_STEP_MILLISECONDS)) as changes:
                async for _ in changes:
                    return
    except TimeoutError:
        return
    except (OSError, RuntimeError):  # too many folders are watched, or it is gone
        await asyncio.sleep(POLL_SECONDS)
