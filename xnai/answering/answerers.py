"""Which way a question is answered: the one place where that is chosen."""

from xnai.answering import map_reduce
from xnai.answering.events import Question
from xnai.answering.evidence import is_found
from xnai.answering.fallbacks import NotFound, PassagesAlone
from xnai.answering.generative import Generative
from xnai.answering.map_reduce import MapReduce
from xnai.answering.query import is_gated
from xnai.answering.quoting import Quoting, is_able
from xnai.answering.reading.reader import LEAST_CONTEXT, Reader
from xnai.answering.run import Answerer, AnswerRun
from xnai.answering.scope_search import ScopeSearch
from xnai.documents.protocol import DocumentLibrary
from xnai.retrieval.text_ranker import TextRanker


class Answerers:
    """All the ways to answer.

    Args:
        library: whose documents are read.
        search: what looks for the best passages.
        ranker: what compares lines with questions.

    """

    def __init__(
        self, library: DocumentLibrary, search: ScopeSearch, ranker: TextRanker | None = None
    ) -> None:
        self._passages_alone = PassagesAlone(search)
        self._map_reduce = MapReduce()
        self._not_found = NotFound()
        self._quoting = Quoting(search)
        self._generative = Generative()
        self._reader = Reader(library, ranker)

    async def choose(self, run: AnswerRun) -> Answerer:
        """The way to answer one question, with the model that it was given.

        Raises:
            XnaiError: the model does not say how long the documents are, or ANSWER_TIMEOUT.

        """
        if run.failure is not None:
            return self._passages_alone
        if map_reduce.has_fixed_form(run):
            return self._map_reduce
        if not has_documents(run):
            return self._generative
        return await self._over_documents(run)

    async def _over_documents(self, run: AnswerRun) -> Answerer:
        found = bool(run.whole) or not is_gated(run.question) or is_found(run.passages)
        if in_own_words(run.question):
            return self._generative if found else self._not_found
        if not is_able(run.model):
            return self._quoting if run.passages and found else self._not_found
        if run.model.context_tokens < LEAST_CONTEXT:
            if run.whole == "list":
                return self._map_reduce
            return self._generative if found else self._not_found
        if run.whole == "list" and not await self._reader.reads_whole(run):
            return self._map_reduce
        return self._reader


def needs_model(run: AnswerRun) -> bool:
    """Whether a model has to be asked: not for what has a fixed form in whole documents."""
    return not map_reduce.has_fixed_form(run)


def has_documents(run: AnswerRun) -> bool:
    """Whether there are documents to answer from, as far as they can be searched."""
    reduced = run.reduced is not None and run.reduced.rung == "no_documents"
    return run.question.scope is not None and not reduced


def in_own_words(question: Question) -> bool:
    """Whether a client wants the model's own text, in a form or with its tokens' probabilities."""
    sampling = question.sampling
    bound = sampling.bound or bool(sampling.stop) or sampling.logprobs is not None
    return bound or question.continues
