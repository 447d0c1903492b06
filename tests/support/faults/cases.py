"""What the cases of the other files share."""

import inspect

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
