"""One request in the worker: from its messages to a prompt, from tokens to text."""

import time
from collections.abc import Callable, Iterable, Iterator

from xnai.errors import PROMPT_REFUSED, QUESTION_TOO_LONG
from xnai.llm.ipc import BEAT_SECONDS, Figures, RefusedError
from xnai.llm.protocol import FinishReason, StateRequest
from xnai.llm.worker.chat_template import ChatTemplate, TemplateRefusedError, Turn
from xnai.llm.worker.detokenizer import TextStream
from xnai.llm.worker.kept_states import Offered
from xnai.llm.worker.llama import Model
from xnai.llm.worker.sampler import Sampler
from xnai.llm.worker.steps import Sequence
from xnai.llm.worker.tokenizer import Vocabulary
from xnai.types import Sampling, TokenLogprob

# Above what the server lets through, which counts questions and history alone.
CHARACTERS_PER_TOKEN = 64
LEAST_ANSWER = 64  # tokens that a prompt must leave, unless fewer are asked for


class Prompter:
    """Turns conversations into tokens."""

    def __init__(self, model: Model) -> None:
        self._vocabulary = vocabulary = model.vocabulary
        names = vocabulary.specials(), vocabulary.spelling(vocabulary.bos)
        self._template = ChatTemplate(
            model.chat_template, *names, vocabulary.spelling(vocabulary.eos)
        )

    def tokens(self, turns: list[Turn]) -> list[int]:
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

    def counts(self, texts: Iterable[str], tell: Callable[[], None]) -> Iterator[int]:
        """Count the tokens of each text; calls ``tell`` now and then, for it may take long."""
        told = time.monotonic()
        for text in texts:
            total = 0
            for part in self._vocabulary.parts(text):
                total += self._vocabulary.count(part)
                if time.monotonic() - told > BEAT_SECONDS:
                    told = time.monotonic()
                    tell()
            yield total


def check_characters(turns: list[Turn], context: int) -> None:
    """See that a prompt may fit, before the time is spent on tokenising it.

    Raises:
        RefusedError: it cannot, whatever it says.

    """
    characters = sum(len(turn["content"]) for turn in turns)
    if characters > CHARACTERS_PER_TOKEN * context:
        least = characters // CHARACTERS_PER_TOKEN
        raise RefusedError(QUESTION_TOO_LONG, tokens=f"at least {least}", limit=context)


def check_length(count: int, max_tokens: int, context: int) -> None:
    """See that a prompt leaves room for an answer.

    Raises:
        RefusedError: it does not.

    """
    limit = context - min(max_tokens, LEAST_ANSWER, context // 2)
    if count > limit:
        raise RefusedError(QUESTION_TOO_LONG, tokens=count, limit=limit)


class Generated:
    """One answer as it grows.

    Args:
        sequence: the prompt, how long the answer may become, and where the scheduler has it.
        sampling: when it ends.
        sampler: draws its tokens; freed by ``close``.
        vocabulary: spells them.
        state: the hidden state of its prompt that is wanted besides, if any is.

    """

    def __init__(
        self,
        sequence: Sequence,
        sampling: Sampling,
        sampler: Sampler,
        vocabulary: Vocabulary,
        state: StateRequest | None = None,
    ) -> None:
        self.sequence = sequence
        self.keep = ""  # the name under which its prompt is kept on disk, until it is
        self.offered: Offered | None = None  # what its prompt can begin with, until it is taken
        self.reason: FinishReason | None = None  # why it is over
        self.state = state  # until it is told
        self._sampler = sampler
        self._vocabulary = vocabulary
        self._stream = TextStream(sampling.stop)
        self._begun = time.monotonic()
        self._first_token = 0.0

    def draw(self, context: object, row: int) -> tuple[str, list[TokenLogprob]]:
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
        self.sequence.tokens.append(drawn.token)
        text = self._stream.feed(self._vocabulary.piece(drawn.token))
        if self._stream.stopped or drawn.last:
            self.reason = "stop"
            text += self._stream.flush()
        elif len(self.sequence.tokens) >= self.sequence.most_tokens:
            self.reason = "length"
            text += self._stream.flush()
        return text, [] if drawn.logprobs is None else [drawn.logprobs]

    def figures(self) -> Figures:
        """What it has taken so far."""
        now = time.monotonic()
        first = self._first_token or now
        return Figures(
            prompt_tokens=self.sequence.prompt_tokens,
            completion_tokens=len(self.sequence.tokens) - self.sequence.prompt_tokens,
            reused_tokens=self.sequence.reused,
            prefill_seconds=first - self._begun,
            decode_seconds=now - first,
        )

    def close(self) -> None:
        """Give the sampler's memory back."""
        self._sampler.free()
