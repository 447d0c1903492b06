"""One answer on the page: pipeline events in, steps and streamed text out."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing

import chainlit as cl
from chainlit.data import get_data_layer

from xnai.events import (
    Degraded,
    Done,
    Event,
    Loading,
    Parts,
    Prompted,
    Question,
    Reading,
    Reduced,
    Retrieved,
    Token,
    Waiting,
)
from xnai.pipeline import Pipeline
from xnai.streams import State, Stream
from xnai.telemetry import metrics
from xnai.types import Citation, Passage
from xnai.ui import conversation, offers, render
from xnai.ui.elements import side_element
from xnai.ui.steps import ProgressStep, progress_step

_EMIT_INTERVAL = 0.04  # seconds between two messages to the browser while text streams
_SAVE_INTERVAL = 1.0  # seconds of text that are lost if the server is killed

_CUT_SHORT = "\n\n*The answer reached its longest length (see the settings panel).*"


class AnswerView:
    """Shows one answer while it grows.

    ``text`` is what the model said so far.

    Args:
        message: where it is shown.
        question_id: the user's message that is answered.
        said: what the message holds already, in an answer that is continued.

    """

    def __init__(self, message: cl.Message, question_id: str, said: str = "") -> None:
        self.message = message
        self.text = said
        self.degraded = False
        self._question_id = question_id
        self._links = render.LinkBreaker()
        self.message.content = self._links.feed(said)
        self._buffer = ""
        self._request_id = ""
        self._passages: Sequence[Passage] = ()
        self._cited: list[Citation] = []  # by the lines that were shown, before the end says
        self._emitted = self._saved = 0.0
        self._by_parts = False  # whether text and status take turns
        self._known = bool(said)  # whether the message is in the history
        self._search: ProgressStep | None = None
        self._status: ProgressStep | None = None
        self._steps = AsyncExitStack()

    async def run(self, pipeline: Pipeline, question: Question, stream: Stream) -> None:
        """Show an answer to its end; an error of the pipeline is raised after the text is kept."""
        self._request_id = question.request_id
        async with self._steps, aclosing(pipeline.answer(question)) as events:
            if question.scope is not None:
                stream.retrieving()
                searching = progress_step("Searching the documents")
                self._search = await self._steps.enter_async_context(searching)
            async for event in events:
                stream.see(event)
                await self._show(event)

    async def close(self, state: State) -> None:
        """Keep the text there is, with a mark that says why it ended."""
        await self._flush()
        if self.degraded or (state in {State.FAILED, State.TIMED_OUT} and not self.text):
            mark = ""  # an error message follows
        else:
            mark = render.MARKS[state]
        self.message.content = f"{self.message.content}{mark}".strip()
        if self._cited:
            self._show_sources(self._cited)
        if self.message.content:
            await self._settle(state)

    async def _show(self, event: Event) -> None:
        match event:
            case Retrieved():
                await self._show_passages(event)
            case Loading() | Waiting() | Reading() | Parts():
                await self._show_status(event)
            case Prompted():
                await self._show_dropped(event)
            case Reduced():
                metrics.error(event.reason.code)
                async with progress_step("Notice") as step:
                    await step.finish(*render.reduced(event.rung, event.reason, self._request_id))
            case Degraded():
                metrics.error(event.reason.code)
                self.degraded = True
                await self._end_status()
                self._begin()
                self.message.content = render.degraded(
                    event.reason, event.retry_in, self._request_id
                )
                await self.message.send()
                self._known = True
            case Token() if not self.degraded:
                self._cited += event.citations
                await self._show_text(event.text)
            case Done():
                await self._finish(event)

    async def _show_passages(self, event: Retrieved) -> None:
        self._passages = event.passages
        count = len(event.passages)
        found = f"{count} passage{'s' if count != 1 else ''} in {render.duration(event.seconds)}"
        assert self._search is not None
        await self._search.finish(f"Retrieval: {found}", render.passage_list(event.passages))

    async def _show_status(self, event: Loading | Waiting | Reading | Parts) -> None:
        match event:
            case Loading():
                title = event.detail
            case Waiting():
                title = render.waiting(event.position, event.eta_seconds)
            case Reading():
                share = event.done / max(1, event.total)
                title = f"Reading {event.total:,} tokens: {share:.0%}"
            case Parts():
                self._by_parts = True
                title = f"Read {event.done:,} of {event.total:,} parts of the documents"
        if self._status is None:
            self._status = await self._steps.enter_async_context(progress_step(title))
        await self._status.show(title)

    async def _end_status(self) -> None:
        if self._status is not None and not self._status.closed:
            await self._status.remove()

    async def _show_dropped(self, event: Prompted) -> None:
        if event.evidence_only:
            async with progress_step("Evidence") as step:
                await step.finish(
                    "The model was given the sentence that answers best, alone",
                    "It is too small to make use of more: whole passages lead it astray. "
                    "A model of a billion weights or more is given all of them.",
                )
        if not event.dropped:
            return
        left_out = " and ".join(event.dropped)
        async with progress_step("Left out") as step:
            await step.finish(
                f"Left out {left_out}: the model takes {event.context_tokens:,} tokens",
                "A model with a larger context, or fewer passages per question, avoids this.",
            )

    async def _show_text(self, text: str) -> None:
        if not self._by_parts:  # then there is more to come, and the status tells how much
            await self._end_status()
        self.text += text
        self._buffer += self._links.feed(text)
        if time.monotonic() - self._emitted >= _EMIT_INTERVAL:
            await self._flush()

    async def _flush(self) -> None:
        if self._buffer:
            text, self._buffer = self._buffer, ""
            self._emitted = time.monotonic()
            if not self.message.created_at:
                self._begin()
            await self.message.stream_token(text)
            if self._emitted - self._saved >= _SAVE_INTERVAL:
                await self._save()

    async def _save(self) -> None:
        """Put the text into the history as it is, for the case that the server is killed."""
        self._saved = time.monotonic()
        self.message.metadata = self._metadata(render.RUNNING)
        layer = get_data_layer()
        if layer is not None:
            keep = layer.update_step if self._known else layer.create_step
            self._known = self.message.persisted = True
            await keep(self.message.to_dict())

    def _metadata(self, end: str) -> dict[str, str]:
        return {conversation.END: end, offers.QUESTION: self._question_id}

    def _begin(self) -> None:
        # The page orders by this time, and the steps came first.
        self.message.created_at = cl.utils.utc_now()

    async def _finish(self, event: Done) -> None:
        await self._end_status()
        await self._flush()
        if event.reason == "length":
            self.message.content += _CUT_SHORT
        if not event.supported and event.found:
            self.message.content += (
                "\n\n*No sentence of this answer stands in your documents; take it with care. "
                "The closest passage is below.*"
            )
        sources = event.citations or event.evidence
        self._cited = []
        if self.degraded:
            self.message.content += render.marked(self._passages, event.citations)
            self.message.elements = [citation_element(c) for c in sources]
        else:
            self._show_sources(sources)
        self.message.content += render.evidence(event.evidence, sources)
        await self._settle(State.COMPLETED)
        if self.message.elements:
            await _open_source(self.message.elements[0])

    def _show_sources(self, citations: Sequence[Citation]) -> None:
        self.message.content += render.sources(citations)
        self.message.elements = [citation_element(c) for c in citations]

    async def _settle(self, state: State) -> None:
        self.message.metadata = self._metadata(state)
        await offers.withdraw(self._question_id)
        self.message.actions = offers.after(state, self._question_id, self.text)
        # send() persists a new message, update() one that is on the page already.
        if self._known:
            await self.message.update()
        else:
            await self.message.send()


async def _open_source(element: cl.CustomElement) -> None:
    # Chainlit opened all of them; ElementSidebar would send this one a second time.
    emit = cl.context.emitter.emit
    await emit("set_sidebar_title", element.name)
    await emit("set_sidebar_elements", {"elements": [element.to_dict()], "key": element.id})


def citation_element(citation: Citation) -> cl.CustomElement:
    """Build what ``[n]`` opens in the side panel; see public/elements/Citation.jsx.

    Chainlit links the places where an element's name stands in the text, and loads a custom
    element's code from a file of that name: the api serves Citation.jsx for every ``[n].jsx``.
    """
    return side_element(
        f"[{citation.index}]",
        {
            "document": citation.document_id,
            "file": citation.file_name,
            "page": citation.page,
            "start": citation.start,
            "end": citation.end,
            "quote": citation.quote,
        },
    )
