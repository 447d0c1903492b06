"""What the cases of the other files share."""

import asyncio
import inspect
import time

from doors import MARKER


async def raised(doing):
    """Await something, or call it; what it raised, or None."""
    try:
        result = doing() if callable(doing) else doing
        if inspect.isawaitable(result):
            await result
    except Exception as exc:  # noqa: BLE001 - what it is, is checked
        return exc
    return None


async def refused(code, doing):
    """What must end in an error of that code."""
    error = await raised(doing)
    assert getattr(error, "kind", None) is not None, f"{code} expected, {error!r} came"
    assert error.kind.code == code, f"{code} expected, {error.kind.code} came: {error}"
    assert MARKER not in str(error)
    assert "Traceback" not in str(error)
    return error


async def until(condition, seconds=10):
    """Wait for what has no event of its own."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
