"""How the page is told that something failed that is no answer: in a toast, never by Chainlit.

Chainlit shows the text of whatever a handler raises.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import chainlit as cl

from xnai.errors import XnaiError
from xnai.reporting import current_request_id, report
from xnai.ui import render


@asynccontextmanager
async def told() -> AsyncGenerator[None, None]:
    """Tell the page what the block, or the function that this decorates, fails with."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - whatever it is, Chainlit would show its text
        error = report(exc)
        with suppress(Exception):  # the page may be gone, and then there is nobody to tell
            await toast(error)


async def toast(error: XnaiError) -> None:
    """Show an error beside the chat."""
    await cl.context.emitter.send_toast(render.toast(error, current_request_id()), "error")
