"""What is read before an answer: the passages that match a question, or whole documents."""

from dataclasses import replace

import structlog

from xnai.answering.events import Question, Reduced
from xnai.answering.query import Kind, commanded, kind_of, query_of
from xnai.answering.run import AnswerRun
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import DOCUMENTS_TOO_LONG, Instead, XnaiError
from xnai.observability import spanned
from xnai.types import Passage

log = structlog.get_logger(__name__)


class ScopeSearch:
    """Looks for what a question is about, in the documents that it may see."""

    def __init__(self, library: DocumentLibrary) -> None:
        self._library = library

    async def look(self, run: AnswerRun) -> AnswerRun:
        """The run with what was found: all there is, where that is asked for, else the best.

        If nothing can be searched, the run says so and has no passages.

        Raises:
            XnaiError: the asker's own, or ANSWER_TIMEOUT.

        """
        return await run.within(self._look(run))

    async def best(self, run: AnswerRun) -> AnswerRun:
        """The run with the passages that match best, also of a question about whole documents.

        Raises:
            XnaiError: as ``look``.

        """
        return await run.within(self._best(run))

    @spanned("search")
    async def _look(self, run: AnswerRun) -> AnswerRun:
        kind = _whole(run.question)
        try:
            everything = await self._everything(run) if kind == "list" else None
            if everything is not None:
                return replace(run, passages=everything, whole=kind)
            found = await self._found(run)
            return replace(found, whole="summary") if kind == "summary" else found
        except XnaiError as exc:
            return _without_documents(run, exc)

    @spanned("search")
    async def _best(self, run: AnswerRun) -> AnswerRun:
        try:
            return await self._found(run)
        except XnaiError as exc:
            return _without_documents(run, exc)

    async def _everything(self, run: AnswerRun) -> tuple[Passage, ...] | None:
        """All passages in scope; None if there are too many and nobody insists on them."""
        assert run.question.scope is not None
        try:
            return tuple(await self._library.everything(run.question.scope))
        except XnaiError as exc:
            if exc.kind is not DOCUMENTS_TOO_LONG or commanded(run.question.text):
                raise
            log.info("searching what is too long to be read whole")
            return None

    async def _found(self, run: AnswerRun) -> AnswerRun:
        question = run.question
        assert question.scope is not None
        found = await self._library.find(query_of(question), question.scope, question.passages)
        reduced = Reduced("text_only", found.text_only) if found.text_only is not None else None
        return replace(run, passages=tuple(found.passages), whole=None, reduced=reduced)


def _without_documents(run: AnswerRun, error: XnaiError) -> AnswerRun:
    if error.kind.degrade_to is not Instead.NO_DOCUMENTS:
        raise error
    log.warning("answering without documents", code=error.code)
    return replace(run, passages=(), whole=None, reduced=Reduced("no_documents", error))


def _whole(question: Question) -> Kind | None:
    """What is asked of whole documents, if it is; an answer bound to a form is of one piece."""
    in_one_piece = question.sampling.bound or question.continues
    return None if in_one_piece else kind_of(question.text)
