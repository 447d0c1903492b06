"""A step of the page whose title says how far the work is."""

import time
from asyncio import CancelledError
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import chainlit as cl

from xnai.ui.reading_language import texts_of

_INTERVAL = 0.15  # seconds between two updates; faster ones cannot be read


class ProgressStep:
    """One line on the page: a title while it runs, a summary and details when it is done."""

    def __init__(self, step: cl.Step) -> None:
        self._step = step
        self._shown = 0.0
        self._closed = False

    async def show(self, title: str) -> None:
        """Change the title, at most a few times a second."""
        now = time.monotonic()
        if now - self._shown < _INTERVAL or title == self._step.name:
            return
        self._shown = now
        self._step.name = title
        await self._step.update()

    async def finish(self, title: str, *details: str) -> None:
        """Close the step with a summary; details show when it is opened."""
        await self._close(title, *details)

    async def fail(self, title: str, reason: str) -> None:
        """Close the step in red with the reason."""
        self._step.is_error = True
        self._step.default_open = True
        await self._close(title, reason)

    async def remove(self) -> None:
        """Remove the step from the page, since what it said is over."""
        self._closed = True
        await self._step.remove()

    async def _close(self, title: str, *details: str) -> None:
        self._closed = True
        self._step.name = title
        self._step.output = "\n\n".join(detail for detail in details if detail)
        self._step.language = None
        self._step.end = cl.utils.utc_now()
        await self._step.update()

    @property
    def closed(self) -> bool:
        """Whether the step was finished, failed or removed."""
        return self._closed


@asynccontextmanager
async def progress_step(title: str) -> AsyncGenerator[ProgressStep, None]:
    """Show a step while the block runs, and close it whatever ends the block."""
    # cl.Step's own context manager writes the text of an exception into the page.
    step = cl.Step(name=title, type="tool", show_input=False)
    if parent := cl.context.current_step:
        step.parent_id = parent.id
    step.start = cl.utils.utc_now()
    await step.send()
    progress = ProgressStep(step)
    try:
        yield progress
    except BaseException as exc:
        if not progress.closed:
            end = progress.finish if isinstance(exc, CancelledError) else progress.fail
            stopped = texts_of(cl.context.session).say("{step} (stopped)", step=step.name)
            await end(stopped, "")
        raise
    if not progress.closed:
        await progress.finish(step.name)
