"""Quotes in place of an answer: what a model too small to read documents is good for.

A model of a few hundred million weights answers whatever it is asked, right or not. So it is not
asked over documents: the sentences that match best are shown, and that is said.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from xnai.answering.citations import best_sentence, cite
from xnai.answering.events import Done, Event, Retrieved, Token
from xnai.answering.evidence import QUOTED, evidence
from xnai.answering.run import AnswerRun
from xnai.answering.scope_search import ScopeSearch
from xnai.llm.protocol import LanguageModel
from xnai.locale import marked
from xnai.types import Citation, Usage

LEAST_PARAMETERS = 400_000_000  # weights of a model that answers from documents
_CONSIDERED = 4 * QUOTED  # sentences, of which some repeat others
_LEAST_WORDS = 4  # of a quote beside another
LEAD = marked(
    "The model that is loaded is too small to answer this itself. Closest in your documents:"
)


def is_able(model: LanguageModel) -> bool:
    """Whether a model answers from documents; one of unknown size counts as able."""
    return not 0 < model.parameters < LEAST_PARAMETERS


class Quoting:
    """Shows the sentences that match best, without asking the model."""

    def __init__(self, search: ScopeSearch) -> None:
        self._search = search

    async def answer(self, run: AnswerRun) -> AsyncGenerator[Event, None]:
        """Quote and cite."""
        if run.whole == "list":  # its passages begin with the first page, not the best one
            run = await self._search.best(run)
            yield Retrieved(run.passages, run.seconds)
        quotes = _distinct(evidence(run.passages, _CONSIDERED)) or _distinct(
            tuple(
                cite(index, passage, *best_sentence(run.question.text, passage))
                for index, passage in enumerate(run.passages[:QUOTED], 1)
            )
        )
        shown = (f"> {' '.join(one.quote.split())} [{one.index}]" for one in quotes)
        yield Token("\n\n".join([run.texts.say(LEAD), *shown]))
        yield Done(
            "stop", Usage(), quotes, run.seconds, evidence=quotes, outcome="quoted", route="quotes"
        )


def _distinct(quotes: Sequence[Citation]) -> tuple[Citation, ...]:
    """The first few quotes that say something of their own, numbered in their order.

    A heading of a word or two says nothing beside a sentence.
    """
    kept: list[Citation] = []
    for quote in quotes:
        says_little = bool(kept) and len(quote.quote.split()) < _LEAST_WORDS
        if not says_little and not any(_overlap(quote, other) for other in kept):
            kept.append(quote)
    return tuple(replace(quote, index=index) for index, quote in enumerate(kept[:QUOTED], 1))


def _overlap(one: Citation, other: Citation) -> bool:
    same_page = (one.document_id, one.page) == (other.document_id, other.page)
    return same_page and one.start < other.end and other.start < one.end
