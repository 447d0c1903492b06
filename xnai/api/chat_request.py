"""OpenAI's chat completions on the wire: reading a request."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from xnai.answering.limits import MESSAGES_MAX
from xnai.api.fields import bad_field, read_fields, refuse
from xnai.errors import QUESTION_EMPTY, XnaiError
from xnai.settings import Settings
from xnai.types import Message, Sampling

_STOPS_MAX = 4
_STOP_LENGTH = 500  # characters
_ALTERNATIVES_MAX = 20
_INT32_MAX = 2**31 - 1
_DOCUMENTS_MAX = 1_000  # ids to answer from
_STORES_MAX = 1000  # libraries that one question may ask
_PARTS_MAX = 1_000  # of one message
_ANY_OBJECT = '{"type": "object"}'
_SHOWN = 80  # characters of a refused value that are repeated
_UNSUPPORTED_FIELDS = {
    "tools": "Tools",
    "functions": "Functions",
    "logit_bias": "Token biases",
    "audio": "Audio",
    "web_search_options": "Web search",
}


def _text_of(content: Any) -> Any:
    """Return a string, or the text of a list of parts."""
    if not isinstance(content, list):
        return content
    if len(content) > _PARTS_MAX:
        raise refuse(
            f"A message has {len(content):,} parts; at most {_PARTS_MAX:,} are taken.",
            "Join its text.",
        )
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text":
            raise refuse(
                f"Message parts of type {str(kind)[:_SHOWN]!r} are not supported.",
                "Send text parts only; documents go to POST /v1/files.",
            )
        texts.append(part.get("text"))
    if not all(isinstance(text, str) for text in texts):
        raise refuse("A text part has no text.", 'Send {"type": "text", "text": "..."}.')
    return "\n".join(texts)


def _strings(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _all_documents(value: Any) -> Any:
    if value is not None and not isinstance(value, (bool, dict)):
        raise refuse(
            "'retrieval' is neither an object nor false.",
            'Send {"document_ids": [...], "passages": 4}, false, or leave it out.',
        )
    return {} if value is True else value


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ChatMessage(_Wire):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text_of)]


class StreamOptions(_Wire):
    """Options for what a stream carries beside its text."""

    include_usage: bool = False


class Retrieval(_Wire):
    """The documents and libraries to answer from; without any, it is all of the caller's files."""

    document_ids: (
        Annotated[tuple[str, ...], Field(min_length=1, max_length=_DOCUMENTS_MAX, fail_fast=True)]
        | None
    ) = None
    vector_store_ids: (
        Annotated[tuple[str, ...], Field(min_length=1, max_length=_STORES_MAX, fail_fast=True)]
        | None
    ) = None
    passages: Annotated[int, Field(ge=1, le=20)] | None = None


class SchemaForm(_Wire):
    """A JSON Schema and its name."""

    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class ResponseFormat(_Wire):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaForm | None = None


class ChatRequest(_Wire):
    """The body of ``POST /v1/chat/completions``; unknown fields are ignored."""

    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1, fail_fast=True)]
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=_INT32_MAX)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=_INT32_MAX)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=_INT32_MAX)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[
        Annotated[
            tuple[Annotated[str, Field(max_length=_STOP_LENGTH)], ...],
            Field(max_length=_STOPS_MAX, fail_fast=True),
        ]
        | None,
        BeforeValidator(_strings),
    ] = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=_ALTERNATIVES_MAX)] | None = None
    response_format: ResponseFormat | None = None
    grammar: Annotated[str, Field(min_length=1)] | None = None
    user: str | None = None
    retrieval: Annotated[Retrieval | Literal[False] | None, BeforeValidator(_all_documents)] = None

    @property
    def question(self) -> str:
        """The last message."""
        return self.messages[-1].content

    @property
    def system(self) -> str:
        """All system messages."""
        texts = [m.content for m in self.messages if m.role in {"system", "developer"}]
        return "\n\n".join(texts)

    @property
    def history(self) -> tuple[Message, ...]:
        """The turns before the question."""
        return tuple(
            Message(message.role, message.content)
            for message in self.messages[:-1]
            if message.role in {"user", "assistant"}
        )

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self, settings: Settings) -> Sampling:
        """Return how to draw tokens; what the request leaves open comes from the settings."""
        given: dict[str, Any] = {
            "max_tokens": self.max_completion_tokens or self.max_tokens or settings.max_tokens,
            "temperature": _first(self.temperature, settings.temperature),
            "top_p": self.top_p,
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repeat_penalty": self.repeat_penalty,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "seed": None if self.seed is None else self.seed & 0xFFFFFFFF,
            "stop": tuple(text for text in self.stop or () if text),
            "json_schema": self._schema,
            "grammar": self.grammar,
            "logprobs": self.top_logprobs or 0 if self.logprobs else None,
        }
        return Sampling(**{name: value for name, value in given.items() if value is not None})

    @property
    def _schema(self) -> str | None:
        form = self.response_format
        if form is None or form.type == "text":
            return None
        if form.type == "json_object" or form.json_schema is None:
            return _ANY_OBJECT
        return json.dumps(form.json_schema.schema_, ensure_ascii=False)


def _first(given: float | None, default: float) -> float:
    return default if given is None else given


def read_chat_request(body: bytes) -> ChatRequest:
    """Parse and check a request.

    Raises:
        XnaiError: BAD_REQUEST naming the field and what it may be; QUESTION_EMPTY.

    """
    return checked_chat(read_fields(body, 'Send {"messages": [...]}.'))


def checked_chat(fields: dict[str, Any]) -> ChatRequest:
    """Check the fields of a request.

    Raises:
        XnaiError: as ``read_chat_request``.

    """
    _refuse_unsupported(fields)
    try:
        request = ChatRequest.model_validate(fields)
    except ValidationError as exc:
        raise bad_field(exc) from None
    _refuse_contradictions(request)
    if request.messages[-1].role != "user":
        raise refuse(
            f"The last message is of role {request.messages[-1].role!r}.",
            "End the conversation with the user's question.",
        )
    if not request.question.strip():
        raise XnaiError(QUESTION_EMPTY)
    return request


def _refuse_unsupported(fields: dict[str, Any]) -> None:
    for name, words in _UNSUPPORTED_FIELDS.items():
        if fields.get(name):
            raise refuse(f"{words} are not supported.", f"Leave out {name!r}.")
    if fields.get("n") not in (None, 1):
        raise refuse("More than one answer per request is not supported.", "Leave out 'n'.")
    if fields.get("modalities") not in (None, ["text"]):
        raise refuse("Only text can be generated.", "Leave out 'modalities'.")
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return
    if len(messages) > MESSAGES_MAX:
        raise refuse(
            f"There are {len(messages):,} messages; at most {MESSAGES_MAX:,} are taken.",
            "Send the last ones only.",
        )
    for message in messages:
        if isinstance(message, dict) and (
            message.get("role") in {"tool", "function"} or message.get("tool_calls")
        ):
            raise refuse("Tool calls are not supported.", "Send user and assistant messages.")


def _refuse_contradictions(request: ChatRequest) -> None:
    if request.top_logprobs is not None and not request.logprobs:
        raise refuse(
            f"'top_logprobs'={request.top_logprobs} without 'logprobs'.",
            'Send "logprobs": true too.',
        )
    form = request.response_format
    if form and form.type == "json_schema" and form.json_schema is None:
        raise refuse(
            "'response_format.json_schema' is missing.",
            'Send {"type": "json_schema", "json_schema": {"name": "...", "schema": {...}}}.',
        )
    if form and form.type != "text" and request.grammar:
        raise refuse(
            f"'grammar' and 'response_format' of type {form.type!r} exclude each other.",
            "Leave out one of them.",
        )
