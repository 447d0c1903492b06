"""One request in the worker: from its messages to a prompt, from tokens to text."""

import base64
import time
from collections.abc import Sequence
from typing import Any

from xnai.errors import PROMPT_REFUSED, QUESTION_TOO_LONG
from xnai.llm.native import Model
from xnai.llm.refused import RefusedError
from xnai.llm.sampler import Sampler
from xnai.llm.scheduler import Job
from xnai.llm.template import ChatTemplate, TemplateRefusedError, Turn
from xnai.llm.text import TextStream
from xnai.llm.vocabulary import Vocabulary
from xnai.types import Sampling, TokenLogprob

LEAST_ANSWER = 64  # tokens that a prompt must leave, unless fewer are asked for


class Prompter:
    """Turns conversations into tokens."""

    def __init__(self, model: Model) -> None:
        self._vocabulary = vocabulary = model.vocabulary
        names = vocabulary.specials(), vocabulary.spelling(vocabulary.bos)
        self._template = ChatTemplate(
            model.chat_template, *names, vocabulary.spelling(vocabulary.eos)
        )

    def tokens(self, turns: Sequence[Turn]) -> list[int]:
        """The tokens of the rendered prompt.

        Raises:
            RefusedError: the template refuses the conversation.

        """
        try:
            segments = self._template.render(turns)
        except TemplateRefusedError as exc:
            raise RefusedError(PROMPT_REFUSED, reason=str(exc)) from exc
        tokens: list[int] = []
        for segment in segments:
            tokens += self._vocabulary.tokens(segment.text, special=segment.special)
        if self._vocabulary.adds_bos and tokens[:1] != [self._vocabulary.bos]:
            tokens.insert(0, self._vocabulary.bos)
        return tokens


def check_length(count: int, max_tokens: int, context: int) -> None:
    """See that a prompt leaves room for an answer.

    Raises:
        RefusedError: it does not.

    """
    limit = context - min(max_tokens, LEAST_ANSWER, context // 2)
    if count > limit:
        raise RefusedError(QUESTION_TOO_LONG, tokens=count, limit=limit)


class Answer:
    """One answer as it grows.

    Args:
        job: the prompt, how long the answer may become, and where the scheduler has it.
        sampling: when it ends.
        sampler: draws its tokens; freed by ``close``.
        vocabulary: spells them.

    """

    def __init__(
        self, job: Job, sampling: Sampling, sampler: Sampler, vocabulary: Vocabulary
    ) -> None:
        self.job = job
        self.reason = ""  # why it is over: stop, length
        self._sampler = sampler
        self._vocabulary = vocabulary
        self._stream = TextStream(sampling.stop)
        self._begun = time.monotonic()
        self._first_token = 0.0

    def draw(self, context: object, row: int) -> tuple[str, list[object]]:
        """Draw the next token from a row of logits.

        Returns what may be shown now, and the log probability if it is asked for; sets ``reason``
        when the answer is over.

        Raises:
            RefusedError: no token fits the form that binds the answer.

        """
        drawn = self._sampler.sample(context, row)
        self._first_token = self._first_token or time.monotonic()
        if self._vocabulary.ends(drawn.token):
            self.reason = "stop"
            return self._stream.flush(), []
        self.job.tokens.append(drawn.token)
        text = self._stream.feed(self._vocabulary.piece(drawn.token))
        if self._stream.stopped or drawn.last:
            self.reason = "stop"
            text += self._stream.flush()
        elif len(self.job.tokens) >= self.job.most_tokens:
            self.reason = "length"
            text += self._stream.flush()
        return text, [] if drawn.logprobs is None else [_wire(drawn.logprobs)]

    def figures(self) -> dict[str, Any]:
        """What the closing frame says."""
        now = time.monotonic()
        first = self._first_token or now
        return {
            "prompt_tokens": self.job.prompt_tokens,
            "completion_tokens": len(self.job.tokens) - self.job.prompt_tokens,
            "reused_tokens": self.job.reused,
            "prefill_seconds": first - self._begun,
            "decode_seconds": now - first,
        }

    def close(self) -> None:
        """Give the sampler's memory back."""
        self._sampler.free()


def _wire(entry: TokenLogprob) -> list[object]:
    data = base64.b64encode(entry.data).decode()
    alternatives = [_wire(other)[:3] for other in entry.alternatives]
    return [entry.token, data, entry.logprob, alternatives]
