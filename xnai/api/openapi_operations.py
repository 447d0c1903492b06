"""What ``/openapi.json`` says of each address; a route that has no line here fails a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from xnai.api.bodies import SYNC_UPLOADS
from xnai.api.chat_request import ChatRequest
from xnai.api.embeddings import EmbeddingsBody
from xnai.api.responses_request import FileSearch
from xnai.api.sync import ChangesBody, GoneBody, OpenBody
from xnai.api.vector_store_batches import BatchBody
from xnai.api.vector_store_wire import AttributesBody, FileBody, SearchBody, StoreBody

_JSON = "application/json"
_PAGE = {
    "limit": "How many at most.",
    "order": "'asc' (oldest first) or 'desc'.",
    "after": "The id behind which the list begins.",
    "before": "The id before which it ends.",
}
_STATE = {"filter": "Only files in this state: in_progress, completed, failed or cancelled."}
_UPLOAD: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "purpose": {"type": "string", "enum": ["assistants", "user_data"]},
        "replace": {"type": "string", "enum": ["true", "false"]},
        "file": {"type": "string", "format": "binary"},
    },
    "required": ["file"],
}
_CONTENT: Final[Mapping[str, Any]] = {"type": "string", "format": "binary"}
_RESPONSES: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
        "instructions": {"type": "string"},
        "model": {"type": "string"},
        "stream": {"type": "boolean"},
        "max_output_tokens": {"type": "integer", "minimum": 1},
        "temperature": {"type": "number"},
        "top_p": {"type": "number"},
        "text": {"type": "object"},
        "include": {"type": "array", "items": {"type": "string"}},
        "tools": {"type": "array", "maxItems": 1, "items": FileSearch.model_json_schema()},
    },
    "required": ["input"],
}
_ORDER: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "enum": ["open", "close", "reset", "disable", "watch"]},
        "reason": {"type": "string"},
    },
    "required": ["action"],
}
_MESSAGE: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"jsonrpc": {"const": "2.0"}, "method": {"type": "string"}},
    "required": ["jsonrpc"],
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what it does, takes and answers."""

    summary: str
    tag: str
    body: type[BaseModel] | Mapping[str, Any] | None = None
    takes: str = _JSON
    answers: str = _JSON
    streams: bool = False
    is_open: bool = False  # to whoever has no key, too
    query: Mapping[str, str] = field(default_factory=dict)


_STORE, _STORE_FILE = "/v1/vector_stores/{id}", "/v1/vector_stores/{id}/files/{file_id}"
_BATCH = "/v1/vector_stores/{id}/file_batches"
OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/chat/completions"): Operation(
        "Answer a conversation, from documents too", "answers", ChatRequest, streams=True
    ),
    ("POST", "/v1/responses"): Operation(
        "Answer, with the tool that searches stores", "answers", _RESPONSES, streams=True
    ),
    ("POST", "/v1/embeddings"): Operation("Embed texts", "answers", EmbeddingsBody),
    ("GET", "/v1/models"): Operation("List models", "answers"),
    ("GET", "/v1/models/{name:path}"): Operation("Show a model", "answers"),
    ("GET", "/v1/files"): Operation(
        "List files", "files", query={name: _PAGE[name] for name in ("limit", "after")}
    ),
    ("POST", "/v1/files"): Operation("Bring a file", "files", _UPLOAD, takes="multipart/form-data"),
    ("GET", "/v1/files/{id}"): Operation("Show how far a file is read", "files"),
    ("DELETE", "/v1/files/{id}"): Operation("Delete a file", "files"),
    ("GET", "/v1/files/{id}/content"): Operation(
        "Return the original", "files", answers="application/octet-stream"
    ),
    ("GET", "/v1/files/{id}/pages/{page}"): Operation("Return the text of a page", "files"),
    ("GET", "/v1/files/{id}/pages/{page}.png"): Operation(
        "Draw a page, with words marked",
        "files",
        answers="image/png",
        query={
            "start": "The first character that is marked.",
            "end": "The one behind the last.",
            "width": "Of the picture, in pixels.",
        },
    ),
    ("GET", "/v1/vector_stores"): Operation("List stores", "stores", query=_PAGE),
    ("POST", "/v1/vector_stores"): Operation("Make a store", "stores", StoreBody),
    ("GET", _STORE): Operation("Show a store", "stores"),
    ("POST", _STORE): Operation("Change a store", "stores", StoreBody),
    ("DELETE", _STORE): Operation("Delete a store; its files stay", "stores"),
    ("POST", f"{_STORE}/search"): Operation("Search a store", "stores", SearchBody),
    ("GET", f"{_STORE}/files"): Operation(
        "List the files of a store", "stores", query={**_PAGE, **_STATE}
    ),
    ("POST", f"{_STORE}/files"): Operation("Put a file into a store", "stores", FileBody),
    ("GET", _STORE_FILE): Operation("Show a file of a store", "stores"),
    ("POST", _STORE_FILE): Operation("Change what is noted of a file", "stores", AttributesBody),
    ("DELETE", _STORE_FILE): Operation("Take a file out of a store", "stores"),
    ("POST", _BATCH): Operation("Put many files into a store", "stores", BatchBody),
    ("GET", f"{_BATCH}/{{batch_id}}"): Operation("Show how far a batch is", "stores"),
    ("POST", f"{_BATCH}/{{batch_id}}/cancel"): Operation("Take out what is not read yet", "stores"),
    ("GET", f"{_BATCH}/{{batch_id}}/files"): Operation(
        "List the files of a batch", "stores", query={**_PAGE, **_STATE}
    ),
    ("GET", "/mcp"): Operation(
        "Listen, in a session of the Model Context Protocol", "agents", answers="text/event-stream"
    ),
    ("POST", "/mcp"): Operation(
        "Send a message of the Model Context Protocol", "agents", _MESSAGE, streams=True
    ),
    ("DELETE", "/mcp"): Operation("End a session", "agents"),
    ("POST", "/v1/sync"): Operation("Find or make a library to keep in step", "sync", OpenBody),
    ("POST", "/v1/sync/changes"): Operation(
        "Tell what has changed; says which files' content is known", "sync", ChangesBody
    ),
    ("POST", SYNC_UPLOADS): Operation(
        "Send a changed file, named in the header x-xnai-file",
        "sync",
        _CONTENT,
        takes="application/octet-stream",
    ),
    ("POST", "/v1/sync/gone"): Operation(
        "Delete the documents of files that are gone", "sync", GoneBody
    ),
    ("GET", "/v1/breakers"): Operation("List circuit breakers", "server"),
    ("GET", "/v1/breakers/{name:path}"): Operation("Show a circuit breaker", "server"),
    ("POST", "/v1/breakers/{name:path}"): Operation("Set a circuit breaker", "server", _ORDER),
    ("GET", "/health"): Operation("Say that the server runs", "server", is_open=True),
    ("GET", "/health/live"): Operation("Say that the server runs", "server", is_open=True),
    ("GET", "/health/ready"): Operation("Say what works", "server", is_open=True),
    ("GET", "/metrics"): Operation("Return figures", "server", answers="text/plain"),
    ("GET", "/openapi.json"): Operation("Return this description", "server", is_open=True),
}
