"""OpenAI's chat completions on the wire: writing a response."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import uuid4

from xnai.answering.events import Done, Reduced
from xnai.types import TokenLogprob, Usage

LEAST_LOGPROB = -9999.0  # JSON has no infinity; OpenAI says the same of what is impossible
SSE_DONE = b"data: [DONE]\n\n"


def comment(text: str) -> bytes:
    """Return a line of an event stream that clients skip; it keeps the connection alive."""
    return f": {text}\n\n".encode()


def sse(payload: Mapping[str, object]) -> bytes:
    """Return one event of the stream."""
    data = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + data.encode(errors="replace") + b"\n\n"


class CompletionWriter:
    """Builds the objects of one answer, which share id, time and model."""

    def __init__(self, model: str) -> None:
        self.id = f"chatcmpl-{uuid4().hex}"
        self._model = model
        self._created = int(time.time())
        self.reduced: list[dict[str, str]] = []  # what the answer had to do without, and why
        self.dropped: tuple[str, ...] = ()  # what the prompt had no room for, in words

    def add_reduction(self, event: Reduced) -> None:
        """Record a rung below a full answer."""
        code, message = event.reason.code, event.reason.message
        self.reduced.append({"rung": event.rung, "code": code, "message": message})

    def role_chunk(self) -> bytes:
        """Return the first chunk."""
        return self._delta({"role": "assistant", "content": ""})

    def text_chunk(self, text: str, logprobs: Sequence[TokenLogprob] = ()) -> bytes:
        """Return a chunk of the answer."""
        return self._delta({"content": text}, logprobs=logprobs)

    def final_chunk(self, done: Done) -> bytes:
        """Return the chunk that says why the answer ended, with its citations."""
        return self._delta({}, done.reason, self._sources(done))

    def usage_chunk(self, done: Done) -> bytes:
        """Return the chunk of token counts; as the last one it carries the citations too."""
        head = self._head("chat.completion.chunk")
        return sse({**head, "choices": [], "usage": _usage(done.usage), **self._sources(done)})

    def completion(
        self, texts: Sequence[str], done: Done, logprobs: Sequence[TokenLogprob] = ()
    ) -> dict[str, object]:
        """Return the answer to a request that does not stream."""
        message = {"role": "assistant", "content": "".join(texts), "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(logprobs),
            "finish_reason": done.reason,
        }
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": _usage(done.usage),
            **self._sources(done),
        }

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self._created, "model": self._model}

    def _delta(
        self,
        delta: Mapping[str, str],
        finish_reason: str | None = None,
        extra: Mapping[str, object] | None = None,
        logprobs: Sequence[TokenLogprob] = (),
    ) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": _logprobs(logprobs),
            "finish_reason": finish_reason,
        }
        return sse({**self._head("chat.completion.chunk"), "choices": [choice], **(extra or {})})

    def _sources(self, done: Done) -> dict[str, object]:
        return {
            "citations": [asdict(citation) for citation in done.citations],
            "evidence": [asdict(quote) for quote in done.evidence],
            "found": done.found,
            "answer": {
                "outcome": done.outcome,
                "route": done.route,
                "language": done.language,
                "read_share": round(done.read_share, 3),
            },
            "dropped": list(self.dropped),
            "reduced": self.reduced,
        }


def _logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, object] | None:
    """Return the log probabilities of tokens; None if there are none."""
    if not tokens:
        return None
    content = [
        {**_entry(token), "top_logprobs": [_entry(other) for other in token.alternatives]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _entry(token: TokenLogprob) -> dict[str, object]:
    logprob = max(token.logprob, LEAST_LOGPROB)
    return {"token": token.token, "logprob": logprob, "bytes": list(token.data)}


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.reused_tokens},
    }
