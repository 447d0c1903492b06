"""What is known of a question while it is answered, and what answers it."""

import time
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from xnai.answering.events import Event, Question, Reduced
from xnai.answering.language import language_of, texts_for
from xnai.answering.query import Kind
from xnai.errors import XnaiError
from xnai.llm.deadline import AnswerDeadline
from xnai.llm.protocol import LanguageModel, Lease
from xnai.locale import Texts
from xnai.types import Passage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AnswerRun:
    """One question on its way to an answer; a step that learns more makes a new one of it.

    Attributes:
        question: what was asked, by whom, about which documents, and how.
        started: when, as ``time.monotonic()``.
        deadline: when the answer is of no use any more.
        language: that of the question, as ``Done`` tells it.
        passages: what was found, best first; all there is, in its order, where ``whole`` is set.
        whole: what is asked of whole documents, if it is.
        reduced: what the search had to do without.
        lease: the model that answers; None where none is needed.
        failure: why no model can answer, where passages stand in for it.

    """

    question: Question
    started: float
    deadline: AnswerDeadline
    language: str = ""
    passages: tuple[Passage, ...] = ()
    whole: Kind | None = None
    reduced: Reduced | None = None
    lease: Lease | None = None
    failure: XnaiError | None = None

    @classmethod
    def begin(cls, question: Question) -> Self:
        """Start the clock of a question."""
        started = time.monotonic()
        deadline = AnswerDeadline(started + question.timeout, question.timeout)
        return cls(question, started, deadline, language_of(question))

    @property
    def texts(self) -> Texts:
        """What the program says, in the language of the question."""
        return texts_for(self.question, self.language)

    @property
    def model(self) -> LanguageModel:
        """The model that answers."""
        assert self.lease is not None
        return self.lease.model

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started

    async def within(self, work: Awaitable[T]) -> T:
        """Wait for a step, but not past the deadline.

        Raises:
            XnaiError: ANSWER_TIMEOUT.

        """
        return await self.deadline.limit(work)


class Answerer(Protocol):
    """One way to answer; ``Answerers.choose`` says which one a question gets.

    One object serves all questions, several at a time: what belongs to one is in its run or in
    local variables. A new way is a class with this method and a line in ``choose``.
    """

    def answer(self, run: AnswerRun) -> AsyncGenerator[Event, None]:
        """Stream the events of one answer, ``Done`` last.

        Until its first ``Token`` nothing was shown, and the question may be put to another model
        or answered with passages alone: an error is raised as it is, and never hidden by retrying
        here. Closing the generator cancels all that it has begun.

        Raises:
            XnaiError: the question cannot be answered this way, or no longer.

        """
        ...
