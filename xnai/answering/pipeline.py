"""One question turned into a stream of events."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import replace

import structlog

from xnai.answering import limits
from xnai.answering.answerers import Answerers, needs_model
from xnai.answering.events import Done, Event, Loading, Question, Reduced, Retrieved, Token
from xnai.answering.run import AnswerRun
from xnai.answering.scope_search import ScopeSearch
from xnai.answering.verification.verdict import Verdict
from xnai.answering.verification.verifier import Verifier
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.errors import QUESTION_EMPTY, Instead, XnaiError
from xnai.llm.delivery import Delivery
from xnai.llm.protocol import LanguageModel
from xnai.observability import metrics
from xnai.observability.metrics import AnswerWatch
from xnai.retrieval.text_ranker import TextRanker

log = structlog.get_logger(__name__)


class Pipeline:
    """Search, model and answerer, one after the other; what stands in for them if they fail.

    Args:
        library: whose documents.
        model: the model that answers.
        quietly: a block in which nothing else is done with the model.
        ranker: what compares lines of documents with questions.

    """

    def __init__(
        self,
        library: DocumentLibrary,
        model: LanguageModel,
        quietly: Callable[[], AbstractContextManager[None]] = nullcontext,
        ranker: TextRanker | None = None,
    ) -> None:
        self._quietly = quietly
        self._model = model
        self._search = ScopeSearch(library)
        self._answerers = Answerers(library, self._search, ranker)
        self._verifier = Verifier(library, model, TextWork())

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        """Stream the answer to one question; close the generator to cancel it.

        Raises:
            XnaiError: the question cannot be answered, or no longer.

        """
        with metrics.answering() as watch, self._quietly():
            run = AnswerRun.begin(question)
            if not question.text.strip():
                raise XnaiError(QUESTION_EMPTY)
            limits.check_question(question.text, question.system, self._model.context_tokens)
            if question.scope is not None:
                run = await self._search.look(run)
                if run.reduced is not None:
                    yield run.reduced
                yield Retrieved(run.passages[: question.passages], run.seconds)
            if needs_model(run) and (loading := self._loading(run)):
                yield loading
            delivery = Delivery(Token, run.deadline.at)
            while True:
                try:
                    run = await self._leased(run)
                    if run.lease is not None and run.lease.reason is not None:
                        yield Reduced("local_model", run.lease.reason)
                    answerer = await self._answerers.choose(run)
                    async with aclosing(answerer.answer(run)) as events:
                        async for event in events:
                            delivery.see(event)
                            _count(event, watch)
                            yield _in_language(event, run)
                except XnaiError as exc:
                    run = await _instead(run, delivery, exc)
                else:
                    return

    async def verify(self, question: Question) -> Verdict:
        """Check the statement that is the text of a question, in its scope.

        Raises:
            XnaiError: it cannot be checked, or not in time.

        """
        with self._quietly():
            return await self._verifier.verify(question)

    def _loading(self, run: AnswerRun) -> Loading | None:
        status = self._model.status
        if not (status.state == "loading" or status.idle):
            return None
        said = run.texts.say("Loading {name}", name=status.name)
        return Loading((not status.idle and status.detail) or said)

    async def _leased(self, run: AnswerRun) -> AnswerRun:
        """The run with the model that answers, unless it has one or needs none."""
        if run.lease is not None or run.failure is not None or not needs_model(run):
            return run
        return replace(run, lease=await self._model.ensure_ready(run.deadline.at))


async def _instead(run: AnswerRun, delivery: Delivery, error: XnaiError) -> AnswerRun:
    """The run as it is begun again after an error: with another model, or with passages alone.

    Raises:
        XnaiError: the error, if it ends the answer.

    """
    delivery.failed(error, curable=error.kind.degrade_to is Instead.PASSAGES)
    if run.lease is not None:
        try:
            return replace(run, lease=await run.lease.after(error, run.deadline.at))
        except XnaiError as exc:
            error = exc
    if run.failure is not None or not run.passages:
        raise error
    log.info("answering with passages alone", reason=error.code)
    return replace(run, lease=None, failure=error)


def _in_language(event: Event, run: AnswerRun) -> Event:
    return replace(event, language=run.language) if isinstance(event, Done) else event


def _count(event: Event, watch: AnswerWatch) -> None:
    match event:
        case Token():
            watch.token()
        case Done():
            metrics.prompt_tokens.inc(event.usage.prompt_tokens)
            metrics.completion_tokens.inc(event.usage.completion_tokens)
