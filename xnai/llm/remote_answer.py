"""What the stream of a remote answer has shown so far."""

from xnai.llm.protocol import Completion, FinishReason, TokenText
from xnai.llm.remote_clock import AnswerClock
from xnai.llm.remote_errors import reported
from xnai.llm.remote_sse import Event
from xnai.llm.remote_wire import read_chunk
from xnai.types import Usage

_BYTES_FIXED = 1 << 18  # an answer may have so many bytes,
_BYTES_PER_TOKEN = 2048  # so many for each token asked for,
_BYTES_PER_ALTERNATIVE = 1024  # and so many for each log probability of each token


class Answer:
    """What an answer's stream has shown so far."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.texts: list[str] = []
        self.finish: FinishReason | None = None
        self.usage: Usage | None = None
        self.complete = False  # nothing that matters can follow

    def take(self, event: Event, clock: AnswerClock) -> TokenText | None:
        """The text of an event.

        Raises:
            XnaiError: the event reports an error.
            GarbledError: it is none of the protocol.

        """
        if self.complete:
            return None
        if event.data.strip() == "[DONE]":
            self.complete = True
            return None
        chunk = read_chunk(event.data)
        if chunk.error is not None or event.kind == "error":
            raise reported(self._endpoint, chunk.error or {})
        if chunk.alive:
            clock.progress(text=True)
        self.finish = chunk.finish or self.finish
        self.usage = chunk.usage or self.usage
        if chunk.text:
            self.texts.append(chunk.text)
        return TokenText(chunk.text, chunk.logprobs) if chunk.text or chunk.logprobs else None


def longest_answer(completion: Completion) -> int:
    """Bytes that the answer may have on the wire."""
    sampling = completion.sampling
    alternatives = 0 if sampling.logprobs is None else 1 + sampling.logprobs
    each = _BYTES_PER_TOKEN + alternatives * _BYTES_PER_ALTERNATIVE
    return _BYTES_FIXED + sampling.max_tokens * each
