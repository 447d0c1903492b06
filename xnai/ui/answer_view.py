"""One answer on the page: pipeline events in, steps and streamed text out."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import chainlit as cl
from chainlit.data import get_data_layer

from xnai.answering.events import (
    Calculated,
    Degraded,
    Done,
    Event,
    Prompted,
    Question,
    Reduced,
    Retrieved,
    Token,
)
from xnai.answering.language import texts_for
from xnai.answering.pipeline import Pipeline
from xnai.answering.streams import Stream, StreamState
from xnai.llm.protocol import LanguageModel
from xnai.locale import IN_ENGLISH, Texts, marked
from xnai.observability import metrics
from xnai.types import Citation, Passage
from xnai.ui import actions, citation_links, conversation, live_links, markdown, whole_answer
from xnai.ui.summary_line import SummaryLine, summary_line

_EMIT_INTERVAL = 0.04  # seconds between two messages to the browser while text streams
_SAVE_INTERVAL = 1.0  # seconds of text that are lost if the server is killed

CLOSE_SOURCE = "xnai:close-source"  # see public/page/reader.js
_CUT_SHORT = marked("\n\n*The answer reached its longest length (see the settings panel).*")
_UNSUPPORTED = marked(
    "\n\n*No sentence of this answer stands in your documents; take it with care. "
    "The closest passage is below.*"
)


class AnswerView:
    """Shows one answer while it grows.

    ``text`` is what the model has written so far.

    Args:
        message: where the answer is shown.
        question_id: the user's message that is answered.
        model: what is asked, and named when it has answered.
        existing: the text that the message holds already, for an answer that is continued.
        earlier: what is cited in it.

    """

    def __init__(
        self,
        message: cl.Message,
        question_id: str,
        model: LanguageModel,
        existing: str = "",
        earlier: Sequence[Citation] = (),
    ) -> None:
        self.message = message
        self.text = existing
        self._model = model
        self.degraded = False
        self.is_cut_short = False  # at its longest length
        self.is_answered = False  # by documents
        self._question_id = question_id
        self._links = live_links.LinkBreaker()
        self.message.content = self._links.feed(existing)
        self._buffer = ""
        self._request_id = ""
        self._texts = IN_ENGLISH  # until the question is known
        self._asked: tuple[str, ...] = ()  # libraries
        self._passages: Sequence[Passage] = ()
        # By the text shown so far; the last event says what is added to the earlier ones.
        self.cited: list[Citation] = [*earlier]
        self._earlier = earlier
        self._offset = 0  # of the numbers of marks, behind those that are there
        self._is_finished = False
        self._emitted = self._saved = 0.0
        self._goes_on = bool(existing)
        self._known = bool(existing)  # whether the message is in the history

    async def run(self, pipeline: Pipeline, question: Question, stream: Stream) -> None:
        """Show an answer to its end; an error of the pipeline is raised after the text is saved."""
        self._request_id = question.request_id
        self._texts, self._asked = texts_for(question), question.asked
        searches = question.scope is not None
        async with (
            summary_line(searches=searches, texts=self._texts) as line,
            aclosing(pipeline.answer(question)) as events,
        ):
            if searches:
                self._offset = citation_links.last_mark(self.text)
                stream.retrieving()
            async for event in events:
                stream.see(event)
                await self._show(event, line)

    async def close(self, state: StreamState) -> None:
        """Save the text so far, with a mark that says why the answer ended."""
        await self._complete_text()
        if self.degraded or (
            state in {StreamState.FAILED, StreamState.TIMED_OUT} and not self.text
        ):
            mark = ""  # an error message follows
        else:
            mark = self._texts.say(markdown.MARKS[state])
        self.message.content = f"{self.message.content}{mark}".strip()
        if self.cited and not self._is_finished:
            self._show_sources(self.cited)
        if self.message.content:
            await self._send_final(state)

    @property
    def texts(self) -> Texts:
        """What is said around the answer, in the language of the question."""
        return self._texts

    async def _show(self, event: Event, line: SummaryLine) -> None:
        match event:
            case Retrieved():
                self._passages = event.passages
                await line.found(event)
            case Calculated():
                line.calculated(event)
            case Prompted():
                line.left_out(event)
            case Reduced():
                metrics.error(event.reason.code)
                line.reduced(event, self._request_id)
            case Degraded():
                metrics.error(event.reason.code)
                self.degraded = True
                self._set_start_time()
                self.message.content = markdown.degraded(
                    event.reason, event.retry_in, self._request_id, self._texts
                )
                await self.message.send()
                self._known = True
            case Token():
                if not self.degraded:
                    self.cited += self._moved(event.citations)
                    await line.writes()
                    await self._show_text(citation_links.moved(event.text, self._offset))
            case Done():
                await self._finish(event, line)
            case _:
                await line.progress(event)

    async def _show_text(self, text: str) -> None:
        self.text += text
        self._buffer += self._links.feed(text)
        if time.monotonic() - self._emitted >= _EMIT_INTERVAL:
            await self._flush()

    async def _flush(self) -> None:
        if self._buffer:
            text, self._buffer = self._buffer, ""
            self._emitted = time.monotonic()
            if not self.message.created_at:
                self._set_start_time()
            await self.message.stream_token(text)
            if self._emitted - self._saved >= _SAVE_INTERVAL:
                await self._save()

    async def _complete_text(self) -> None:
        """Show the rest of the text, and restore the code in it to what was written."""
        await self._flush()
        if self.text and not self.degraded:
            self.message.content = await asyncio.to_thread(
                whole_answer.break_links_outside_code, self.text
            )

    async def _save(self) -> None:
        """Save the unfinished text to the history, in case the server is killed."""
        self._saved = time.monotonic()
        self.message.metadata = self._metadata(markdown.RUNNING)
        layer = get_data_layer()
        if layer is not None:
            keep = layer.update_step if self._known else layer.create_step
            self._known = self.message.persisted = True
            await keep(self.message.to_dict())

    def _metadata(self, end: str) -> dict[str, str]:
        return {conversation.END: end, actions.QUESTION: self._question_id}

    def _set_start_time(self) -> None:
        # The page orders by this time, and the steps came first.
        self.message.created_at = cl.utils.utc_now()

    async def _finish(self, event: Done, line: SummaryLine) -> None:
        await self._complete_text()
        if event.reason == "length":
            self.is_cut_short = True
            self.message.content += self._texts.say(_CUT_SHORT)
        if not event.supported and event.found:
            self.message.content += self._texts.say(_UNSUPPORTED)
        # Sources below the words that nothing was found would say that something was.
        quotes = self._moved(event.evidence) if event.found else []
        sources = [*self._earlier, *(self._moved(event.citations) or quotes)]
        self.cited, self._is_finished = sources, True
        if self.degraded:
            passages = markdown.marked_passages(self._passages, event.citations, self._texts)
            text = self.message.content + passages
            self.message.content = citation_links.linked(text, sources, self._texts)
        else:
            self._show_sources(sources, quotes)
        await self._end_line(event, sources, line)
        self.is_answered = event.outcome in {"answered", "quoted"} and bool(sources)
        cut_short = self.is_cut_short and not self.degraded
        await self._send_final(actions.CUT_SHORT if cut_short else StreamState.COMPLETED)

    def _moved(self, citations: Sequence[Citation]) -> list[Citation]:
        """Citations of this part of the answer, numbered behind those of an earlier one."""
        return [replace(one, index=one.index + self._offset) for one in citations]

    async def _end_line(self, event: Done, sources: Sequence[Citation], line: SummaryLine) -> None:
        if not event.found:
            # A source of an earlier answer would seem to be one of this.
            await cl.context.emitter.send_window_message({"type": CLOSE_SOURCE})
        if self._goes_on:
            await line.remove()
            return
        asked = self._model.status.name if event.usage.completion_tokens else ""
        await line.end(sources, found=event.found, model=asked, libraries=self._asked)

    def _show_sources(self, cited: Sequence[Citation], found: Sequence[Citation] = ()) -> None:
        text, sources = citation_links.numbered(self.message.content, cited)
        further = markdown.further(found, sources)
        text += markdown.sources(sources, self._texts) + markdown.evidence(further, self._texts)
        self.message.content = citation_links.linked(text, [*sources, *further], self._texts)

    async def _send_final(self, state: str) -> None:
        self.message.metadata = self._metadata(state)
        await actions.remove(self._question_id)
        self.message.actions = actions.actions_after(
            state, self._question_id, self.text, self._model
        )
        # send() persists a new message, update() one that is on the page already.
        if self._known:
            await self.message.update()
        else:
            await self.message.send()
