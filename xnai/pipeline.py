"""One question turned into a stream of events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from xnai import grounding, whole_document
from xnai.citations import Citer
from xnai.documents.protocol import DocumentLibrary
from xnai.ending import done
from xnai.errors import (
    ANSWER_TIMEOUT,
    DOCUMENTS_TOO_LONG,
    EMBEDDING_MODEL_MISSING,
    INDEX_DAMAGED,
    QUESTION_EMPTY,
    SEARCH_DOWN,
    SEARCH_PAUSED,
    XnaiError,
)
from xnai.events import (
    Done,
    Event,
    Loading,
    Prompted,
    Question,
    Reading,
    Reduced,
    Retrieved,
    Token,
    Waiting,
)
from xnai.follow_up import is_gated, leant_on, query_of
from xnai.grounding import CopyCiter
from xnai.llm.protocol import (
    Completion,
    Finished,
    HasEndpoints,
    HasFallback,
    LanguageModel,
    Prefill,
    Queued,
    TokenText,
)
from xnai.prompt import build_prompt, completion_of
from xnai.query_likelihood import QueryLikelihood
from xnai.retrieval.search import Found
from xnai.telemetry import metrics, spanned
from xnai.types import Passage
from xnai.whole_question import Kind, commanded, kind_of
from xnai.without_answer import MODEL_AWAY, not_found, passages_only

T = TypeVar("T")
log = structlog.get_logger(__name__)

# Errors of the search after which a question can still be answered without documents.
_SEARCH_AWAY = frozenset({SEARCH_DOWN, SEARCH_PAUSED, INDEX_DAMAGED, EMBEDDING_MODEL_MISSING})


class Pipeline:
    """Retrieval, prompt, model and citations, one after the other.

    ``tells_apart``: whether the model has a say in the order of passages that match alike.
    """

    def __init__(
        self, library: DocumentLibrary, model: LanguageModel, *, tells_apart: bool = True
    ) -> None:
        self._library = library
        self._model = model
        self._likelihood = QueryLikelihood(model, enabled=tells_apart)

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        """Stream the answer to one question; close the generator to cancel it.

        Raises:
            XnaiError: the question cannot be answered, or no longer.

        """
        with metrics.answering() as watch:
            async with aclosing(self._answer(question)) as events:
                async for event in events:
                    if isinstance(event, Token):
                        watch.token()
                    elif isinstance(event, Done):
                        metrics.prompt_tokens.inc(event.usage.prompt_tokens)
                        metrics.completion_tokens.inc(event.usage.completion_tokens)
                    yield event

    async def _answer(self, question: Question) -> AsyncGenerator[Event, None]:
        started = time.monotonic()
        deadline = started + question.timeout
        if not question.text.strip():
            raise XnaiError(QUESTION_EMPTY)
        passages: Sequence[Passage] = ()
        kind = None
        if question.scope is not None:
            looking = self._look(question, _whole(question))
            found, missing, kind = await self._within(deadline, question, looking)
            passages = found.passages
            if missing is not None:
                yield Reduced("no_documents", missing)
            elif found.text_only is not None:
                yield Reduced("text_only", found.text_only)
            yield Retrieved(tuple(passages[: question.passages]), time.monotonic() - started)
        shown = False
        answering = self._generate
        if kind and passages:
            answering = partial(self._read_whole, kind)
        try:
            begin = partial(answering, question, passages, started, deadline)
            async with aclosing(self._with_stand_in(begin)) as events:
                async for event in events:
                    shown = shown or isinstance(event, Token)
                    yield event
        except XnaiError as exc:
            if shown or not passages or exc.code not in MODEL_AWAY:
                raise
            log.info("answering with passages alone", reason=exc.code)
            degraded = self._passages_alone(question, kind, passages, exc, started)
            async with aclosing(degraded) as events:
                async for event in events:
                    yield event

    async def _passages_alone(
        self,
        question: Question,
        kind: Kind | None,
        passages: Sequence[Passage],
        reason: XnaiError,
        started: float,
    ) -> AsyncGenerator[Event, None]:
        if kind:  # what was to be read whole begins with the first page, not the best one
            looking = self._look(question, None)
            found, _, _ = await self._within(started + question.timeout, question, looking)
            if not found.passages:
                raise reason
            passages = found.passages
            yield Retrieved(tuple(passages), time.monotonic() - started)
        for event in passages_only(question, passages, reason, started):
            yield event

    @spanned("search")
    async def _look(
        self, question: Question, kind: Kind | None
    ) -> tuple[Found, XnaiError | None, Kind | None]:
        """What the search found, or all there is and what is asked of it.

        If it cannot search, nothing and the reason.
        """
        try:
            if kind is not None and (whole := await self._everything(question)) is not None:
                return whole, None, kind
            return await self._search(question), None, None
        except XnaiError as exc:
            if exc.kind not in _SEARCH_AWAY:
                raise
            log.warning("answering without documents", code=exc.code)
            return Found([]), exc, None

    async def _everything(self, question: Question) -> Found | None:
        """All passages in scope; None if there are too many and nobody insists on them."""
        assert question.scope is not None
        try:
            return Found(await self._library.everything(question.scope))
        except XnaiError as exc:
            if exc.kind is not DOCUMENTS_TOO_LONG or commanded(question.text):
                raise
            log.info("searching what is too long to be read whole")
            return None

    async def _search(self, question: Question) -> Found:
        assert question.scope is not None
        return await self._library.find(query_of(question), question.scope, question.passages)

    async def _with_stand_in(
        self, begin: Callable[[], AsyncGenerator[Event, None]]
    ) -> AsyncGenerator[Event, None]:
        """An answer, begun again for the model that stands in if it fails before its first text."""
        shown = False
        try:
            async with aclosing(self._told(begin())) as events:
                async for event in events:
                    shown = shown or isinstance(event, Token)
                    yield event
        except XnaiError as exc:
            other = self._model if isinstance(self._model, HasFallback) else None
            if shown or other is None or not other.move_on(exc):
                raise
            async with aclosing(self._told(begin())) as events:
                async for event in events:
                    yield event

    async def _told(self, answer: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events of an answer, and once that another model has stood in for the chosen one."""
        told = False
        async with aclosing(answer) as events:
            async for event in events:
                reason = self._model.reduced if isinstance(self._model, HasFallback) else None
                if reason is not None and not told:
                    told = True
                    yield Reduced("local_model", reason)
                yield event

    async def _within(self, deadline: float, question: Question, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await work
        except TimeoutError as exc:
            raise XnaiError(ANSWER_TIMEOUT, seconds=question.timeout) from exc

    async def _read_whole(
        self,
        kind: Kind,
        question: Question,
        passages: Sequence[Passage],
        started: float,
        deadline: float,
    ) -> AsyncGenerator[Event, None]:
        """Answer about all of the documents, in one prompt or part by part."""
        reading = whole_document.MapReduce(self._model, question, kind, deadline)
        at_once = False
        if reading.needs_model:
            await self._model.ensure_ready(deadline)
            fitting = whole_document.fits(self._model, passages)
            at_once = await self._within(deadline, question, fitting)
        if at_once:
            prompt = await build_prompt(self._model, question, passages)
            yield Prompted(prompt.tokens, self._model.context_tokens, prompt.dropped)
            completion = completion_of(question, prompt, deadline)
            events = self._stream(question, passages, completion, Citer(passages), started)
            async with aclosing(events):
                async for event in events:
                    yield event
            return
        async with aclosing(reading.answer(passages)) as mapped:
            async for event in mapped:
                yield event
        yield reading.done(time.monotonic() - started)

    async def _generate(
        self,
        question: Question,
        passages: Sequence[Passage],
        started: float,
        deadline: float,
    ) -> AsyncGenerator[Event, None]:
        status = self._model.status
        if status.state == "loading" or status.idle:
            yield Loading((not status.idle and status.detail) or f"Loading {status.name}")
        await self._model.ensure_ready(deadline)
        if is_gated(question) and not grounding.is_found(passages, self._model.parameters):
            for ending in not_found(passages, started):
                yield ending
            return
        ranked = await self._likelihood.best_first(question, passages, deadline)
        parameters = self._model.parameters
        usable = await asyncio.to_thread(
            grounding.fit_to_strength, parameters, ranked, question.text
        )
        evidence_only = usable != ranked
        copying = evidence_only and grounding.may_copy(question)
        asked = replace(question, history=leant_on(question)) if copying else question
        building = build_prompt(self._model, asked, usable, evidence_only=copying)
        prompt = await self._within(deadline, question, building)
        yield Prompted(prompt.tokens, self._model.context_tokens, prompt.dropped, evidence_only)
        # Whatever the model was given, all of the passages may support it.
        citer: Citer | CopyCiter = Citer(passages, marks=not question.sampling.bound)
        if copying:
            citer = CopyCiter(question.text, passages, usable[0], alone=not leant_on(question))
        completion = completion_of(question, prompt, deadline)
        if copying:
            # Not every server gives log probabilities, and a refusal would cost the answer.
            asks = not isinstance(self._model, HasEndpoints)
            copied = grounding.copying(completion.sampling, logprobs=asks)
            completion = replace(completion, sampling=copied)
        async with aclosing(self._stream(question, passages, completion, citer, started)) as events:
            async for event in events:
                yield event

    async def _stream(
        self,
        question: Question,
        passages: Sequence[Passage],
        completion: Completion,
        citer: Citer | CopyCiter,
        started: float,
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(self._model.complete(completion)) as stream:
            async for event in stream:
                match event:
                    case Queued():
                        yield Waiting(event.position, event.eta_seconds)
                    case Prefill():
                        yield Reading(event.done, event.total)
                    case TokenText():
                        text = citer.feed(event.text)
                        logprobs = event.logprobs
                        if isinstance(citer, CopyCiter):
                            citer.note(logprobs)
                            logprobs = ()  # of text that nobody sees
                        if text or logprobs:
                            yield Token(text, logprobs)
                    case Finished():
                        if text := await asyncio.to_thread(citer.finish):
                            yield Token(text)
                        yield done(question, passages, citer, event, started)


def _whole(question: Question) -> Kind | None:
    """What is asked of whole documents, if it is; an answer bound to a form is of one piece."""
    in_one_piece = question.sampling.bound or question.continues
    return None if in_one_piece else kind_of(question.text)
