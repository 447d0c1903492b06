"""How the worker answers one request with the loaded model."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from xnai.errors import PROMPT_REFUSED, QUESTION_TOO_LONG, ErrorKind
from xnai.llm.native import BATCH, AbortedError, Model, Sampler
from xnai.llm.template import ChatTemplate, TemplateRefusedError, Turn
from xnai.llm.text import TextStream
from xnai.types import Sampling

LEAST_ANSWER = 64  # tokens that a prompt must leave, unless fewer are asked for

Send = Callable[..., None]


class RefusedError(Exception):
    """A request that cannot be answered; ``values`` fill the words of ``kind``."""

    def __init__(self, kind: ErrorKind, **values: object) -> None:
        self.kind = kind
        self.values = values
        super().__init__(kind.code)


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


class Answer:
    """One answer in the making; ``send`` takes a frame's type and its fields."""

    def __init__(self, model: Model, prompter: Prompter, send: Send) -> None:
        self._model = model
        self._prompter = prompter
        self._send = send
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._prefill_seconds = 0.0
        self._decode_seconds = 0.0
        self._read_tokens = 0

    def run(self, turns: Sequence[Turn], sampling: Sampling) -> None:
        """Answer, and send exactly one closing frame: finished, cancelled or error."""
        try:
            tokens = self._prompter.tokens(turns)
            self._check_length(len(tokens), sampling.max_tokens)
            self._prefill(tokens)
            reason = self._decode(sampling)
        except AbortedError:
            self._send("cancelled", **self._figures())
        except RefusedError as exc:
            self._send("error", code=exc.kind.code, values=exc.values)
        else:
            self._send("finished", reason=reason, **self._figures())

    def _check_length(self, count: int, max_tokens: int) -> None:
        limit = self._model.context - min(max_tokens, LEAST_ANSWER, self._model.context // 2)
        if count > limit:
            raise RefusedError(QUESTION_TOO_LONG, tokens=count, limit=limit)

    def _prefill(self, tokens: list[int]) -> None:
        self._prompt_tokens = len(tokens)
        begun = time.monotonic()
        done = reused = self._model.reuse(tokens)
        self._send("prefill", done=done, total=len(tokens))
        while done < len(tokens):
            self._model.decode(tokens[done : done + BATCH])
            done = min(done + BATCH, len(tokens))
            self._send("prefill", done=done, total=len(tokens))
        self._read_tokens = done - reused
        self._prefill_seconds = time.monotonic() - begun

    def _decode(self, sampling: Sampling) -> str:
        sampler = self._model.sampler(sampling)
        begun = time.monotonic()
        try:
            return self._generate(sampler, sampling)
        finally:
            self._decode_seconds = time.monotonic() - begun
            sampler.free()

    def _generate(self, sampler: Sampler, sampling: Sampling) -> str:
        stream = TextStream(sampling.stop)
        vocabulary = self._model.vocabulary
        reason = "length"
        while True:
            token = self._model.sample(sampler)
            if vocabulary.ends(token):
                reason = "stop"
                break
            self._completion_tokens += 1
            self._show(stream.feed(vocabulary.piece(token)))
            if stream.stopped:
                return "stop"
            if self._completion_tokens >= sampling.max_tokens or self._model.room < 1:
                break
            self._model.decode([token])
        self._show(stream.flush())
        return reason

    def _show(self, text: str) -> None:
        if text:
            self._send("text", text=text)

    def _figures(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._completion_tokens,
            "read_tokens": self._read_tokens,
            "prefill_seconds": self._prefill_seconds,
            "decode_seconds": self._decode_seconds,
        }
