"""One question turned into a stream of events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from xnai import grounding, whole_document
from xnai.citations import Citer, best_sentence, cite
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import (
    ANSWER_TIMEOUT,
    BUNDLED_MODEL_UNUSABLE,
    ENGINE_BUILD_FAILED,
    MODEL_CRASHED,
    MODEL_DOWN,
    MODEL_NOT_FOUND,
    MODEL_NOT_GGUF,
    MODEL_PREPARING,
    MODEL_TOO_LARGE,
    MODEL_TRUNCATED,
    MODEL_UNSUPPORTED,
    QUESTION_EMPTY,
    REMOTE_AWAY,
    XnaiError,
)
from xnai.events import (
    Degraded,
    Done,
    Event,
    Loading,
    Prompted,
    Question,
    Reading,
    Retrieved,
    Token,
    Waiting,
)
from xnai.follow_up import leant_on
from xnai.grounding import CopyCiter
from xnai.llm.protocol import (
    Completion,
    Finished,
    LanguageModel,
    Prefill,
    Queued,
    TokenText,
)
from xnai.prompt import FENCES, Prompt, build_prompt
from xnai.telemetry import metrics
from xnai.types import Citation, Passage, Usage

T = TypeVar("T")
log = structlog.get_logger(__name__)

# Errors of the model after which the passages alone are still worth showing.
_MODEL_AWAY = frozenset(
    kind.code
    for kind in (
        MODEL_PREPARING,
        MODEL_DOWN,
        MODEL_CRASHED,
        MODEL_NOT_FOUND,
        MODEL_NOT_GGUF,
        MODEL_TRUNCATED,
        MODEL_TOO_LARGE,
        MODEL_UNSUPPORTED,
        BUNDLED_MODEL_UNUSABLE,
        ENGINE_BUILD_FAILED,
        *REMOTE_AWAY,
    )
)
_SHOWN_WITHOUT_MODEL = 3


class Pipeline:
    """Retrieval, prompt, model and citations, one after the other."""

    def __init__(self, library: DocumentLibrary, model: LanguageModel) -> None:
        self._library = library
        self._model = model

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
        kind = _whole(question)
        if question.scope is not None:
            looking = self._library.everything(question.scope) if kind else self._search(question)
            passages = await self._within(deadline, question, looking)
            yield Retrieved(tuple(passages[: question.passages]), time.monotonic() - started)
        shown = False
        answering = self._generate
        if kind and passages:
            answering = partial(self._read_whole, kind)
        try:
            async with aclosing(answering(question, passages, started, deadline)) as events:
                async for event in events:
                    shown = shown or isinstance(event, Token)
                    yield event
        except XnaiError as exc:
            if shown or not passages or exc.code not in _MODEL_AWAY:
                raise
            log.info("answering with passages alone", reason=exc.code)
            for degraded in _passages_only(question, passages, exc, started):
                yield degraded

    async def _search(self, question: Question) -> list[Passage]:
        assert question.scope is not None
        # "And when was it built?" finds nothing without what was asked before.
        before = [f"{message.content[:500]}\n" for message in leant_on(question)]
        query = "".join([*before, question.text])
        return await self._library.search(query, question.scope, question.passages)

    async def _within(self, deadline: float, question: Question, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await work
        except TimeoutError as exc:
            raise XnaiError(ANSWER_TIMEOUT, seconds=question.timeout) from exc

    async def _read_whole(
        self,
        kind: whole_document.Kind,
        question: Question,
        passages: Sequence[Passage],
        started: float,
        deadline: float,
    ) -> AsyncGenerator[Event, None]:
        """Answer about all of the documents, in one prompt or part by part."""
        await self._model.ensure_ready(deadline)
        if await self._within(deadline, question, whole_document.fits(self._model, passages)):
            prompt = await build_prompt(self._model, question, passages)
            yield Prompted(prompt.tokens, self._model.context_tokens, prompt.dropped)
            completion = _completion(question, prompt, deadline, copying=False)
            events = self._stream(question, passages, completion, Citer(passages), started)
            async with aclosing(events):
                async for event in events:
                    yield event
            return
        reading = whole_document.MapReduce(self._model, question, kind, deadline)
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
            detail = "" if status.idle else status.detail
            yield Loading(detail or f"Loading {status.name}")
        await self._model.ensure_ready(deadline)
        if not question.sampling.bound and not grounding.is_found(passages, self._model.parameters):
            for ending in _not_found(passages, started):
                yield ending
            return
        usable = grounding.fit_to_strength(self._model.parameters, passages)
        evidence_only = usable != list(passages)
        copying = evidence_only and not question.sampling.bound
        asked = replace(question, history=leant_on(question)) if copying else question
        building = build_prompt(self._model, asked, usable, evidence_only=copying)
        prompt = await self._within(deadline, question, building)
        yield Prompted(prompt.tokens, self._model.context_tokens, prompt.dropped, evidence_only)
        # Whatever the model was given, all of the passages may support it.
        citer: Citer | CopyCiter = Citer(passages, marks=not question.sampling.bound)
        if copying:
            citer = CopyCiter(question.text, passages, usable[0])
        completion = _completion(question, prompt, deadline, copying=copying)
        answering = self._stream(question, passages, completion, citer, started)
        async with aclosing(answering) as events:
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
                        if text or event.logprobs:
                            yield Token(text, event.logprobs)
                    case Finished():
                        if text := citer.finish():
                            yield Token(text)
                        seconds = time.monotonic() - started
                        cited = citer.citations or _quoted(question, passages[:1])
                        supported = bool(citer.citations) or not passages
                        quoted = grounding.evidence(passages)
                        yield Done(event.reason, event.usage, cited, seconds, supported, quoted)


def _whole(question: Question) -> whole_document.Kind | None:
    """What is asked of whole documents, if it is; an answer bound to a form is of one piece."""
    if question.scope is None or question.sampling.bound:
        return None
    return whole_document.kind_of(question.text)


def _completion(
    question: Question, prompt: Prompt, deadline: float, *, copying: bool
) -> Completion:
    fences = FENCES if prompt.passages and not question.sampling.bound else ()
    stop = question.sampling.stop + fences
    sampling = replace(question.sampling, max_tokens=prompt.max_tokens, stop=stop)
    if copying:
        sampling = grounding.copying(sampling)
    return Completion(
        request_id=question.request_id,
        user=question.user,
        messages=prompt.messages,
        sampling=sampling,
        deadline=deadline,
    )


def _not_found(passages: Sequence[Passage], started: float) -> list[Event]:
    """Say that the documents do not say, and quote what comes closest."""
    seconds = time.monotonic() - started
    closest = grounding.evidence(passages)
    return [
        Token(grounding.NOT_FOUND),
        Done("stop", Usage(), (), seconds, supported=False, evidence=closest, found=False),
    ]


def _quoted(question: Question, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    return tuple(
        cite(index, passage, *best_sentence(question.text, passage))
        for index, passage in enumerate(passages, 1)
    )


def _passages_only(
    question: Question, passages: Sequence[Passage], reason: XnaiError, started: float
) -> list[Event]:
    """Build the rung below a generated answer: the best passages, quoted and cited."""
    citations = _quoted(question, passages[:_SHOWN_WITHOUT_MODEL])
    quotes = "\n\n".join(f"> {' '.join(c.quote.split())} [{c.index}]" for c in citations)
    return [
        Degraded("passages_only", reason, reason.retry_after),
        Token(quotes),
        Done("stop", Usage(), citations, time.monotonic() - started),
    ]
