"""Errors beside the chat: failures that are no answer are shown in a toast.

Left alone, Chainlit would show the text of whatever a handler raises.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import chainlit as cl

from xnai.errors import XnaiError
from xnai.observability.error_reports import current_request_id, report
from xnai.ui import markdown
from xnai.ui.reading_language import texts_of


@asynccontextmanager
async def errors_as_toasts() -> AsyncGenerator[None, None]:
    """Show what the block, or the decorated function, fails with."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - whatever it is, Chainlit would show its text
        error = report(exc)
        with suppress(Exception):  # the page may be gone
            await show_error(error)


async def show_error(error: XnaiError) -> None:
    """Show an error beside the chat."""
    words = markdown.toast(error, current_request_id(), texts_of(cl.context.session))
    await cl.context.emitter.send_toast(words, "error")
