"""How good the answers are: right, cited by what supports them, and refused when they must be."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass

from xnai.answering.events import Done, Question, Retrieved, Token
from xnai.evaluation.measures import contains, exact, mean, median, token_f1, without_marks
from xnai.evaluation.sets import EvalQuestion
from xnai.evaluation.workspace import Progress, Workspace
from xnai.types import Citation, Passage, Sampling, Scope

MAX_TOKENS = 128
TIMEOUT = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One question with its answer and what it is worth."""

    id: str
    question: str
    answers: tuple[str, ...]
    text: str
    quotes: tuple[str, ...]
    refused: bool
    quoted: bool
    exact: float
    f1: float
    contained: bool
    contained_or_quoted: bool
    citations: int
    right_citations: int
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    best_score: float  # of the best passage and of the best sentence
    best_sentence: float

    @property
    def answerable(self) -> bool:
        """Whether there is a right answer."""
        return bool(self.answers)


Answerer = Callable[[Workspace, EvalQuestion, Scope], Awaitable[AnswerRow]]


async def answer(space: Workspace, question: EvalQuestion, scope: Scope) -> AnswerRow:
    """Ask the whole pipeline, greedily."""
    asked = Question(
        question.text,
        request_id=f"eval-{question.id}",
        user="eval",
        scope=scope,
        passages=space.settings.passages,
        sampling=Sampling(max_tokens=MAX_TOKENS, temperature=0.0),
        timeout=TIMEOUT,
    )
    text = ""
    passages: tuple[Passage, ...] = ()
    done: Done | None = None
    began = time.monotonic()
    async with aclosing(space.pipeline.answer(asked)) as events:
        async for event in events:
            match event:
                case Retrieved():
                    passages = event.passages
                case Token():
                    text += event.text
                case Done():
                    done = event
    assert done is not None
    return row(question, text, passages, done, time.monotonic() - began)


def row(
    question: EvalQuestion, text: str, passages: Sequence[Passage], done: Done, seconds: float
) -> AnswerRow:
    """Compare an answer with what is known to be right."""
    answers = question.answers or ()
    said = without_marks(text)
    refused = done.outcome == "not_found"
    quotes = tuple(citation.quote for citation in (*done.citations, *done.evidence))
    right = [c for c in done.citations if contains(_cited_passage(c, passages), answers)]
    contained = not refused and contains(said, answers)
    return AnswerRow(
        id=question.id,
        question=question.text,
        answers=answers,
        text=text,
        quotes=quotes,
        refused=refused,
        quoted=done.outcome == "quoted",
        exact=0.0 if refused else exact(said, answers),
        f1=0.0 if refused else token_f1(said, answers),
        contained=contained,
        contained_or_quoted=contained or any(contains(quote, answers) for quote in quotes),
        citations=len(done.citations),
        right_citations=len(right),
        seconds=seconds,
        prompt_tokens=done.usage.prompt_tokens,
        completion_tokens=done.usage.completion_tokens,
        best_score=passages[0].score if passages else 0.0,
        best_sentence=max((p.ranked[0].score for p in passages if p.ranked), default=0.0),
    )


def _cited_passage(citation: Citation, passages: Sequence[Passage]) -> str:
    """The text of the passage that a citation is a part of."""
    for passage in passages:
        same = (passage.document_id, passage.page) == (citation.document_id, citation.page)
        if same and passage.start <= citation.start and citation.end <= passage.end:
            return passage.text
    return citation.quote


async def answers(
    space: Workspace,
    questions: Sequence[EvalQuestion],
    progress: Progress,
    answerers: Sequence[Answerer],
) -> list[list[AnswerRow]]:
    """Answer one question after the other, each by every answerer in turn.

    In turn, so that what else the machine does slows all of them alike.
    """
    rows: list[list[AnswerRow]] = [[] for _ in answerers]
    asked = [question for question in questions if question.answers is not None]
    for done, question in enumerate(asked):
        progress("answers", done, len(asked))
        for own, answerer in zip(rows, answerers, strict=True):
            own.append(await answerer(space, question, space.scope()))
    progress("answers", len(asked), len(asked))
    return rows


def summary(rows: Sequence[AnswerRow]) -> dict[str, float]:
    """The means over the questions; citations are counted one by one, times are medians."""
    known = [r for r in rows if r.answerable]
    unknown = [r for r in rows if not r.answerable]
    cited = sum(r.citations for r in known if not r.refused)
    figures = {
        "answerable": float(len(known)),
        "unanswerable": float(len(unknown)),
        "exact_match": mean([r.exact for r in known]),
        "token_f1": mean([r.f1 for r in known]),
        "contained": mean([r.contained for r in known]),
        "contained_answered": mean([r.contained and not r.quoted for r in known]),
        "contained_or_quoted": mean([r.contained_or_quoted for r in known]),
        "citation_precision": sum(r.right_citations for r in known if not r.refused) / cited
        if cited
        else 0.0,
        "citation_recall": mean([r.right_citations > 0 for r in known]),
        "false_refusals": mean([r.refused for r in known]),
        "quoted": mean([r.quoted for r in known]),
        "seconds": median([r.seconds for r in rows]),
        "prompt_tokens": mean([r.prompt_tokens for r in rows]),
        "completion_tokens": mean([r.completion_tokens for r in rows]),
    }
    if unknown:
        figures["true_refusals"] = mean([r.refused for r in unknown])
        figures["quoted_unanswerable"] = mean([r.quoted for r in unknown])
        figures["false_answers"] = mean([not (r.refused or r.quoted) for r in unknown])
    return figures


def as_json(rows: Sequence[AnswerRow]) -> list[dict[str, object]]:
    """Rows for a program to read."""
    return [asdict(r) for r in rows]
