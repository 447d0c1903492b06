"""Completions as the worker's frames, and its frames as events."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from xnai.llm.frames import Frame
from xnai.llm.protocol import Completion, CompletionEvent, Finished, Prefill, TokenText
from xnai.types import TokenLogprob, Usage


def job(completion: Completion) -> dict[str, object]:
    """The fields of a request."""
    return {
        "messages": [asdict(message) for message in completion.messages],
        "sampling": asdict(completion.sampling),
    }


def event(frame: Frame) -> CompletionEvent:
    """What a frame of type prefill, text or finished says."""
    if frame["type"] == "prefill":
        return Prefill(int(frame["done"]), int(frame["total"]))
    if frame["type"] == "text":
        return TokenText(str(frame["text"]), _logprobs(frame["logprobs"]))
    usage = Usage(
        int(frame["prompt_tokens"]),
        int(frame["completion_tokens"]),
        int(frame.get("reused_tokens", 0)),
    )
    return Finished(frame["reason"], usage)


def _logprobs(rows: Iterable[Sequence[Any]]) -> tuple[TokenLogprob, ...]:
    """Read ``[token, base64 of its bytes, logprob, alternatives]`` in the same form, if any."""
    return tuple(
        TokenLogprob(
            token, base64.b64decode(data), float(logprob), _logprobs(rest[0] if rest else ())
        )
        for token, data, logprob, *rest in rows
    )
