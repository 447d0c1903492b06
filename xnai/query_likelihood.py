"""Which of several passages that match alike a question is about, as the model sees it.

Query likelihood (Ponte and Croft, SIGIR 1998) with a language model that reads the passage, as in
the unsupervised reranker of Sachan et al. (EMNLP 2022): the passage after which the question is
the most likely text comes first. That knows other things than a search, which compares words with
words. The model is made to say the question, by a grammar that allows nothing else, and the log
probabilities of its tokens are summed.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import aclosing

import numpy as np
import structlog

from xnai import grounding
from xnai.errors import XnaiError
from xnai.events import Question
from xnai.follow_up import leant_on
from xnai.llm.protocol import (
    Completion,
    Finished,
    HasEndpoints,
    LanguageModel,
    Queued,
    TokenText,
)
from xnai.prompt import EXAMPLES
from xnai.telemetry import spanned
from xnai.types import Message, Passage, Sampling

# Chosen on 689 questions of the development half of SQuAD: of the 113 whose second passage was so
# close to the first, 20 got the right passage instead of a wrong one, and 5 a wrong one.
CLOSE = 0.03  # of a score, behind the search's first
MOST = 3  # passages that are read
WEIGHT = 0.01  # of a score, for a nat
AHEAD = 0.02  # of a score, for the search's first
PATIENCE = 5.0  # seconds; an order that takes longer is not worth waiting for
SHARE = 0.25  # of the time that the question has left, at most
REST = 60.0  # seconds for which a model that failed or took too long is not asked again
LONGEST = 300  # characters of a question
_TOKENS = 96  # of a question; of a longer one the sums would be of different beginnings
_SYSTEM = "Write the question that the text answers."
_ESCAPED = re.compile(r'(["\\])')

log = structlog.get_logger(__name__)


class _UntoldError(Exception):
    """The model does not say now, through no fault of its own."""


class QueryLikelihood:
    """Asks a model which of the best passages a question is about.

    Passages are read one after the other: a question never has more than one place in the queue.

    Args:
        model: what is asked.
        enabled: false where the passages' scores are not those of late interaction, which the
            weights here are for.

    """

    def __init__(self, model: LanguageModel, *, enabled: bool = True) -> None:
        self._model = model
        self._enabled = enabled
        self._resting = ("", 0.0)  # a model's name, and until when

    async def best_first(
        self, question: Question, passages: Sequence[Passage], deadline: float
    ) -> list[Passage]:
        """The passages, the one that the question is about first; the others keep their order.

        Only where a small model copies its answer from the first. The order stays where the
        search's first is clearly ahead, others wait for the model, or it does not say in time.

        Args:
            question: what was asked.
            passages: what was found, with cosines of late interaction as scores.
            deadline: of the question, as ``time.monotonic()``; at most a quarter of what is left
                is used.

        """
        near = [one for one in passages if passages[0].score - one.score < CLOSE][:MOST]
        if not self._is_of_use(question, near):
            return list(passages)
        nats = await self._asked(question, near, deadline)
        if not nats:
            return list(passages)
        scores = np.array([passage.score for passage in near]) + WEIGHT * np.array(nats)
        scores[0] += AHEAD
        # What the search had later is not taken unless the model is for it.
        scores[1:][np.array(nats[1:]) <= nats[0]] = -np.inf
        first = near[int(scores.argmax())]
        return [first, *(passage for passage in passages if passage is not first)]

    def _is_of_use(self, question: Question, near: Sequence[Passage]) -> bool:
        """Whether there is a choice, one passage is answered from, and the model can say which.

        Remote servers cannot be made to say a text; and the same seed gives the same text, which
        does not go with an order that depends on who else waits.
        """
        model, status = self._model, self._model.status
        name, until = self._resting
        rests = name == status.name and time.monotonic() < until
        copies = grounding.is_small(model.parameters) and grounding.may_copy(question)
        alone = not leant_on(question) and question.sampling.seed is None
        told = not (rests or status.waiting or isinstance(model, HasEndpoints))
        choice = len(near) > 1 and near[0].evidence is not None and len(question.text) <= LONGEST
        return self._enabled and choice and copies and alone and told

    @spanned("query_likelihood")
    async def _asked(
        self, question: Question, near: Sequence[Passage], deadline: float
    ) -> list[float]:
        """The question's log likelihood after each passage, in nats; none if it is not told."""
        name = self._model.status.name
        seconds = min(PATIENCE, SHARE * (deadline - time.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                return [await self._log_likelihood(question, one, deadline) for one in near]
        except _UntoldError:
            return []
        except TimeoutError:
            log.info("query_likelihood.too_slow", model=name, seconds=seconds)
            if seconds < PATIENCE:  # it was the question that had little time left
                return []
        except XnaiError as exc:
            log.info("query_likelihood.failed", model=name, code=exc.code)
        self._resting = (name, time.monotonic() + REST)
        return []

    async def _log_likelihood(self, question: Question, passage: Passage, deadline: float) -> float:
        sampling = Sampling(
            max_tokens=_TOKENS,
            temperature=0.0,
            repeat_penalty=1.0,
            grammar=saying(question.text),
            logprobs=0,
        )
        completion = Completion(
            question.request_id, question.user, _messages(passage), sampling, deadline
        )
        nats = 0.0
        async with aclosing(self._model.complete(completion)) as events:
            async for event in events:
                match event:
                    case Queued() | Finished("length"):
                        raise _UntoldError
                    case TokenText():
                        nats += sum(one.logprob for one in event.logprobs)
        return nats


def _messages(passage: Passage) -> tuple[Message, ...]:
    """A prompt after which a question about the passage follows; examples first."""
    shown = [
        message
        for text, asked, _ in EXAMPLES
        for message in (Message("user", f"Text: {text}"), Message("assistant", asked))
    ]
    text = " ".join(passage.text.split())
    return (Message("system", _SYSTEM), *shown, Message("user", f"Text: {text}"))


def saying(question: str) -> str:
    """A grammar (GBNF) that allows a question's words and nothing else."""
    words = " ".join(question.split())
    text = "".join(character for character in words if character.isprintable())
    return 'root ::= "' + _ESCAPED.sub(r"\\\1", text) + '"'
