"""What is said where no answer is generated: the best passages, or that nothing was found."""

from collections.abc import AsyncGenerator, Sequence

from xnai.answering.citations import best_sentence, cite
from xnai.answering.events import Degraded, Done, Event, Question, Retrieved, Token
from xnai.answering.evidence import NOT_FOUND, evidence
from xnai.answering.run import AnswerRun
from xnai.answering.scope_search import ScopeSearch
from xnai.llm.protocol import FinishReason
from xnai.types import Citation, Passage, Usage

_SHOWN = 3


def quoted(question: Question, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """Cite the sentence of each passage that answers best."""
    return tuple(
        cite(index, passage, *best_sentence(question.text, passage))
        for index, passage in enumerate(passages, 1)
    )


class NotFound:
    """Says that the documents do not say, and quotes what comes closest."""

    async def answer(self, run: AnswerRun) -> AsyncGenerator[Event, None]:
        """Refuse, without asking the model."""
        closest = evidence(run.passages)
        yield Token(run.texts.say(NOT_FOUND))
        yield Done(
            "stop",
            Usage(),
            (),
            run.seconds,
            supported=False,
            evidence=closest,
            found=False,
            outcome="not_found",
        )


class PassagesAlone:
    """Quotes and cites the best passages: the rung below an answer that a model gives."""

    def __init__(self, search: ScopeSearch) -> None:
        self._search = search

    async def answer(self, run: AnswerRun) -> AsyncGenerator[Event, None]:
        """Quote, and say why no model answers.

        Raises:
            XnaiError: that reason, if nothing matches a question about whole documents.

        """
        reason = run.failure
        assert reason is not None
        if run.whole:  # what was to be read whole begins with the first page, not the best one
            run = await self._search.best(run)
            if not run.passages:
                raise reason
            yield Retrieved(run.passages, run.seconds)
        citations = quoted(run.question, run.passages[:_SHOWN])
        quotes = "\n\n".join(f"> {' '.join(c.quote.split())} [{c.index}]" for c in citations)
        yield Degraded("passages_only", reason, reason.retry_after)
        yield Token(quotes)
        yield Done("stop", Usage(), citations, run.seconds, outcome="quoted")


def done(
    run: AnswerRun, reason: FinishReason, usage: Usage, citations: tuple[Citation, ...]
) -> Done:
    """The end of an answer that a model has given; what stands nearest is cited if nothing is."""
    return Done(
        reason,
        usage,
        citations or quoted(run.question, run.passages[:1]),
        run.seconds,
        supported=bool(citations) or not run.passages,
        evidence=evidence(run.passages),
        outcome="answered" if citations else "quoted" if run.passages else "chat",
    )
