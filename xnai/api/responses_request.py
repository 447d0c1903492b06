"""OpenAI's responses on the wire: reading a request, which is a chat's with tools beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xnai.answering.limits import MESSAGES_MAX
from xnai.api.chat_request import ChatRequest, checked_chat
from xnai.api.fields import bad_field, read_fields, refuse

_STORES_MAX = 1000
_FILES_MAX = 1000
_UNSUPPORTED = {
    "previous_response_id": "Responses are not kept",
    "conversation": "Conversations are not kept",
    "background": "Answers in the background are not made",
    "prompt": "Prompts are not kept",
}
_RESULTS = "file_search_call.results"
_SEARCH = "file_search"
# What is told of a request in its response.
_ECHOED = ("instructions", "max_output_tokens", "metadata", "temperature", "top_p", "user")
_OWN_ITEMS = frozenset({"file_search_call", "reasoning"})  # that clients send back


class _SearchWire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class FileSearch(_SearchWire):
    """The tool that searches stores."""

    type: Literal["file_search"]
    vector_store_ids: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=_STORES_MAX, fail_fast=True)
    ]
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    filters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """The body of ``POST /v1/responses``; unknown fields are ignored.

    ``files`` are those that messages name, ``told`` is what is repeated in the response.
    """

    chat: ChatRequest
    search: FileSearch | None
    files: tuple[str, ...]
    shows_results: bool
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The last message."""
        return self.chat.question

    @property
    def model(self) -> str | None:
        """The model that is to answer."""
        return self.chat.model

    @property
    def stream(self) -> bool:
        """Whether the answer is to come in parts."""
        return self.chat.stream


def read_responses_request(body: bytes) -> ResponsesRequest:
    """Parse and check a request.

    Raises:
        XnaiError: BAD_REQUEST naming the field and what it may be; QUESTION_EMPTY.

    """
    fields = read_fields(body, 'Send {"input": "..."}.')
    for name, words in _UNSUPPORTED.items():
        if fields.get(name):
            raise refuse(f"{words} here.", f"Leave out {name!r}, and send all of 'input'.")
    messages, files = _Input(fields.get("input")).read()
    if instructions := fields.get("instructions"):
        messages.insert(0, {"role": "system", "content": instructions})
    search = _search_of(fields.get("tools"))
    chat = {
        "messages": messages,
        "model": fields.get("model"),
        "stream": fields.get("stream") or False,
        "max_completion_tokens": fields.get("max_output_tokens"),
        "temperature": fields.get("temperature"),
        "top_p": fields.get("top_p"),
        "response_format": _form_of(fields.get("text")),
    }
    include = fields.get("include")
    told = {name: fields.get(name) for name in _ECHOED}
    told["tools"] = [] if search is None else [search.model_dump(exclude_none=True)]
    return ResponsesRequest(
        checked_chat(chat),
        search,
        files,
        isinstance(include, list) and _RESULTS in include,
        told,
    )


def _search_of(tools: Any) -> FileSearch | None:
    if not tools:
        return None
    kinds = [tool.get("type") if isinstance(tool, dict) else None for tool in _listed(tools)]
    if kinds != [_SEARCH]:
        raise refuse(
            f"'tools' has {str(kinds)[:80]}.", 'Send one {"type": "file_search"}, or none.'
        )
    try:
        return FileSearch.model_validate(tools[0])
    except ValidationError as exc:
        raise bad_field(exc) from None


def _form_of(text: Any) -> Any:
    """Return how a chat names the form of an answer."""
    form = text.get("format") if isinstance(text, dict) else None
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return form
    return {"type": "json_schema", "json_schema": {"schema": form.get("schema")}}


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise refuse("'tools' is no list.", 'Send [{"type": "file_search", ...}].')
    return value


class _Input:
    """Reads what is asked: a text, or messages and what stands between them."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self._files: dict[str, None] = {}

    def read(self) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        if isinstance(self._given, str):
            return [{"role": "user", "content": self._given}], ()
        if not isinstance(self._given, list) or not self._given:
            raise refuse("'input' is neither a text nor a list.", "Send a question.")
        if len(self._given) > MESSAGES_MAX:
            raise refuse("'input' has too many messages.", f"Send the last {MESSAGES_MAX:,} only.")
        messages = [self._message(item) for item in self._given if not _is_own(item)]
        return messages, tuple(self._files)

    def _message(self, item: Any) -> dict[str, Any]:
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind != "message":
            raise refuse(f"'input' has an item of type {str(kind)[:80]!r}.", "Send messages.")
        content = item.get("content")
        if isinstance(content, list):
            content = [part for part in map(self._part, content) if part is not None]
        return {"role": item.get("role"), "content": content}

    def _part(self, part: Any) -> Any:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in {"input_text", "output_text"}:
            return {"type": "text", "text": part.get("text")}
        if kind == "input_file" and isinstance(part.get("file_id"), str):
            self._files[part["file_id"]] = None
            if len(self._files) > _FILES_MAX:
                raise refuse("'input' names too many files.", f"Name {_FILES_MAX:,} at most.")
            return None
        return part  # the chat's own words tell what is wrong with it


def _is_own(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") in _OWN_ITEMS
