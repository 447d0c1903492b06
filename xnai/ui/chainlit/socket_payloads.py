"""Checks of what the page sends over its socket: each returns a clean copy or refuses."""

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from xnai.ui.history.rows import clean

MAX_MESSAGE = 500_000  # characters; the pipeline decides how much of it the model gets
MAX_FILES = 100  # files named in one message; the limit on reading them comes later, with an error
MAX_METADATA = 10_000  # characters of JSON
MAX_SETTINGS = 100  # values of the settings panel
MAX_WORDS = 10_000  # characters of a setting
MAX_NAME = 200  # characters
MAX_WINDOW_MESSAGE = 200  # characters
UUID_VERSION = 4  # as the page makes it; Chainlit asserts it

Payload = dict[str, Any]


class MalformedError(Exception):
    """Something that no page sends; the text says what is wrong, without repeating it."""


class MessageTooLongError(Exception):
    """A message of more than ``MAX_MESSAGE`` characters."""


def is_canonical_uuid(value: object) -> bool:
    """Return whether a value is a UUID as programs write it: lower case, with hyphens."""
    if not isinstance(value, str):
        return False
    try:
        return str(uuid.UUID(value)) == value
    except ValueError:
        return False


def connection(auth: object, profiles: frozenset[str]) -> Payload:
    """Check what a socket sends when it connects."""
    data = _mapping(auth, "auth")
    # Chainlit makes a folder of this id and removes that folder again.
    session_id = _uuid(data.get("sessionId"), "sessionId")
    thread_id = data.get("threadId") or ""
    if thread_id:
        _uuid(thread_id, "threadId")
    if data.get("clientType") != "webapp":
        raise MalformedError("clientType is not webapp")
    profile = data.get("chatProfile") or ""
    if not isinstance(profile, str) or (profile and unquote(profile) not in profiles):
        raise MalformedError("chatProfile is not known")
    return {
        "sessionId": session_id,
        "threadId": thread_id,
        "clientType": "webapp",
        "chatProfile": profile,
        "userEnv": "{}",
    }


def client_message(payload: object) -> Payload:
    """Check a new message with the files it names."""
    data = _mapping(payload, "payload")
    message = _mapping(data.get("message"), "message")
    references = data.get("fileReferences") or []
    if not isinstance(references, list) or len(references) > MAX_FILES:
        raise MalformedError("fileReferences is not a short list")
    files = [_uuid(_mapping(item, "file").get("id"), "file id") for item in references]
    return {
        "message": {
            "id": _uuid(message.get("id"), "message id", version=UUID_VERSION),
            "name": _text(message.get("name"), "name", MAX_NAME),
            # Only the page's person writes here, whatever type the message claims to have.
            "type": "user_message",
            "output": _message_text(message.get("output")),
            "createdAt": None,
            "command": _optional_text(message.get("command"), "command"),
            "modes": _modes(message.get("modes")),
            "metadata": _metadata(message.get("metadata")),
        },
        "fileReferences": [{"id": file_id} for file_id in dict.fromkeys(files)],
    }


def edit_message(payload: object) -> Payload:
    """Check a person's message with new text."""
    message = _mapping(_mapping(payload, "payload").get("message"), "message")
    return {
        "message": {
            "id": _uuid(message.get("id"), "message id"),
            "output": _message_text(message.get("output")),
        }
    }


def message_favorite(payload: object) -> Payload:
    """Check that a message is marked as a favourite, or no longer."""
    message = _mapping(_mapping(payload, "payload").get("message"), "message")
    metadata = message.get("metadata")
    favorite = isinstance(metadata, Mapping) and bool(metadata.get("favorite"))
    return {
        "message": {
            "id": _uuid(message.get("id"), "message id"),
            "metadata": {"favorite": favorite},
        }
    }


def chat_settings(payload: object) -> Payload:
    """Check the values of the settings panel."""
    values = _mapping(payload, "settings")
    if len(values) > MAX_SETTINGS:
        raise MalformedError("there are too many settings")
    return {_text(key, "setting", MAX_NAME): _setting(value) for key, value in values.items()}


def window_message(payload: object) -> str:
    """Check a short message of the page's own script."""
    return _text(payload, "window message", MAX_WINDOW_MESSAGE)


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MalformedError(f"{what} is not an object")
    return value


def _uuid(value: object, what: str, version: int | None = None) -> str:
    if not is_canonical_uuid(value):
        raise MalformedError(f"{what} is not a UUID")
    assert isinstance(value, str)
    if version is not None and uuid.UUID(value).version != version:
        raise MalformedError(f"{what} is not a UUID of version {version}")
    return value


def _text(value: object, what: str, limit: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise MalformedError(f"{what} is not a text of at most {limit} characters")
    return clean(value)


def _optional_text(value: object, what: str) -> str | None:
    return _text(value, what, MAX_NAME) or None


def _message_text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedError("output is not a text")
    if len(value) > MAX_MESSAGE:
        raise MessageTooLongError
    return clean(value)


def _modes(value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping) or len(value) > MAX_SETTINGS:
        return None
    return {_text(k, "mode", MAX_NAME): _text(v, "mode", MAX_NAME) for k, v in value.items()}


def _metadata(value: object) -> dict[str, Any]:
    """Keep the address of the page where the message was written, if it is small."""
    if not isinstance(value, dict) or len(json.dumps(value, default=str)) > MAX_METADATA:
        return {}
    return value


def _setting(value: object) -> Any:
    if isinstance(value, list) and len(value) <= MAX_SETTINGS:
        return [_setting(item) for item in value if not isinstance(item, list)]
    if isinstance(value, str):
        return _text(value, "setting", MAX_WORDS)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise MalformedError("a setting is neither text, number, truth value nor list of such")
