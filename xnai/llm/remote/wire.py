"""OpenAI's chat completions as a client: what is sent, and what comes back in pieces."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from xnai.errors import BAD_REQUEST, XnaiError
from xnai.llm.protocol import Completion, FinishReason, Prefill, Queued, TokenText
from xnai.llm.remote.errors import error_of, reported
from xnai.llm.remote.sse import Event
from xnai.llm.remote.timeouts import AnswerClock
from xnai.types import Sampling, TokenLogprob, Usage

Kind = Literal["openai", "vllm", "llama-server", "llama_cpp.server", "xnai"]

_QUEUED = re.compile(r"queued (\d{1,6})(?!\d)(?:\D{1,20}(\d{1,6}(?:\.\d{1,3})?) ?s)?")
_READING = re.compile(r"reading (\d{1,9})/(\d{1,9})")
_FINISHED: Mapping[str, FinishReason] = {"length": "length", "max_tokens": "length"}
_BROKEN = {"abort", "error"}  # what vLLM says of an answer that it gave up
_NO_CHANCE = -9999.0  # the log probability that stands for minus infinity on the wire


class GarbledStreamError(Exception):
    """What came is not what the protocol has; the text says so in words of ours."""


@dataclass(frozen=True, slots=True)
class WireChunk:
    """One piece of an answer; ``alive`` if the model has produced something, shown or not."""

    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: FinishReason | None = None
    usage: Usage | None = None
    error: Mapping[str, Any] | None = None
    alive: bool = False


def request_body(
    completion: Completion, model: str, kind: Kind, *, extensions: bool
) -> dict[str, Any]:
    """The request for one answer; without ``extensions`` only what OpenAI's own API knows.

    Raises:
        XnaiError: a grammar was asked for where none is understood.

    """
    sampling = completion.sampling
    body: dict[str, Any] = {
        "messages": [{"role": m.role, "content": m.content} for m in completion.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    if model:
        body["model"] = model
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if sampling.json_schema is not None:
        body["response_format"] = _response_format(sampling.json_schema, kind)
    if extensions:
        body |= _extensions(sampling, kind)
    elif sampling.grammar is not None:
        raise XnaiError(
            BAD_REQUEST,
            problem="The model endpoint does not understand grammars.",
            fix="Send a JSON Schema as 'response_format'.",
        )
    return body


def _response_format(schema: str, kind: Kind) -> dict[str, Any]:
    value = json.loads(schema)
    if kind == "llama_cpp.server":
        return {"type": "json_object", "schema": value}
    form = {"name": "answer", "schema": value, "strict": True}
    return {"type": "json_schema", "json_schema": form}


def _extensions(sampling: Sampling, kind: Kind) -> dict[str, Any]:
    """What OpenAI's API lacks, under the names of llama.cpp and of vLLM."""
    body: dict[str, Any] = {"top_k": sampling.top_k, "min_p": sampling.min_p}
    if kind in {"vllm", "openai"}:
        body["repetition_penalty"] = sampling.repeat_penalty
    if kind != "vllm":
        body["repeat_penalty"] = sampling.repeat_penalty
    if sampling.grammar is not None:
        if kind == "vllm":
            body["structured_outputs"] = {"grammar": sampling.grammar}
        else:
            body["grammar"] = sampling.grammar
    if kind == "xnai":
        body["retrieval"] = False
    return body


def read_comment(text: str) -> Queued | Prefill | None:
    """The place in line or the progress that another XNAi tells."""
    if match := _QUEUED.match(text):
        return Queued(int(match[1]), float(match[2]) if match[2] else None)
    if match := _READING.match(text):
        done, total = int(match[1]), int(match[2])
        return Prefill(min(done, total), total)
    return None


def read_chunk(data: str) -> WireChunk:
    """One event of the stream.

    Raises:
        GarbledError: it is no chunk of a chat completion.

    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise GarbledStreamError("an event of its stream is not JSON") from None
    if not isinstance(value, dict):
        raise GarbledStreamError("an event of its stream is no object")
    if error := error_of(value):
        return WireChunk(error=error)
    choices = value.get("choices")
    if not isinstance(choices, list):
        raise GarbledStreamError("an event of its stream has no choices")
    usage = _usage(value.get("usage"))
    if not choices:
        return WireChunk(usage=usage)
    choice = choices[0]
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(delta, dict):
        raise GarbledStreamError("a choice of its stream has no delta")
    text = _text(delta.get("content"))
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    finish = _finish(choice.get("finish_reason"))
    return WireChunk(
        text, _logprobs(choice.get("logprobs")), finish, usage, alive=bool(text or thought)
    )


def _finish(reason: object) -> FinishReason | None:
    if reason is None:
        return None
    if not isinstance(reason, str) or reason in _BROKEN:
        raise GarbledStreamError("it gave the answer up")
    return _FINISHED.get(reason, "stop")


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise GarbledStreamError("the text of its answer is no text")
    # JSON can hold half a surrogate pair, which no encoding could send on.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    reused = details.get("cached_tokens") if isinstance(details, dict) else 0
    prompt, completion = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens"))
    return Usage(prompt, completion, min(_count(reused), prompt))


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 1 << 31 else 0


def _logprobs(value: object) -> tuple[TokenLogprob, ...]:
    content = value.get("content") if isinstance(value, dict) else None
    if not isinstance(content, list):
        return ()
    return tuple(_logprob(item) for item in content if isinstance(item, dict))


def _logprob(item: Mapping[str, Any], *, nested: bool = False) -> TokenLogprob:
    token = _text(item.get("token"))
    number = item.get("logprob")
    usable = isinstance(number, int | float) and math.isfinite(number)
    raw = item.get("bytes")
    try:
        data = bytes(raw) if isinstance(raw, list) else token.encode()
    except (TypeError, ValueError):
        data = token.encode()
    others = item.get("top_logprobs")
    alternatives = () if nested or not isinstance(others, list) else others
    return TokenLogprob(
        token,
        data,
        float(number) if usable and number is not None else _NO_CHANCE,
        tuple(_logprob(other, nested=True) for other in alternatives if isinstance(other, dict)),
    )


_BYTES_FIXED = 1 << 18  # an answer may have so many bytes,
_BYTES_PER_TOKEN = 2048  # so many for each token asked for,
_BYTES_PER_ALTERNATIVE = 1024  # and so many for each log probability of each token


class WireAnswer:
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
