"""Steps and elements as rows: bounded, and free of what SQLite cannot hold."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

MAX_OUTPUT = 1_000_000  # characters of a step's text
MAX_INPUT = 10_000  # characters of a step's input; that of a run repeats its question
MAX_EXTRA = 200_000  # characters of JSON of everything else
MAX_TITLE = 200  # characters of a thread's name
CUT = " […]"
PINNED = "pinned"  # the tag of a thread that stands above the others

_STEP_KEYS = (
    "id",
    "name",
    "type",
    "threadId",
    "parentId",
    "command",
    "modes",
    "streaming",
    "waitForAnswer",
    "isError",
    "metadata",
    "tags",
    "createdAt",
    "start",
    "end",
    "generation",
    "showInput",
    "defaultOpen",
    "autoCollapse",
    "language",
)
_ELEMENT_KEYS = (
    "type",
    "url",
    "name",
    "display",
    "size",
    "page",
    "props",
    "autoPlay",
    "playerConfig",
    "language",
    "mime",
)
_ESSENTIAL = (
    "id",
    "name",
    "type",
    "threadId",
    "parentId",
    "createdAt",
    "isError",
)


def now() -> str:
    """Return the time as Chainlit writes it, with a fixed number of digits so that it sorts."""
    stamp = datetime.now(UTC).replace(tzinfo=None)
    return stamp.isoformat(timespec="microseconds") + "Z"


def clean(text: str) -> str:
    """Return the text without NUL and half surrogate pairs, which have no bytes in UTF-8."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def cut(text: object, limit: int) -> str:
    """Return a text of at most ``limit`` characters; a mark says that something is missing."""
    words = clean(str(text or ""))
    return words if len(words) <= limit else words[: limit - len(CUT)] + CUT


def title(text: str) -> str | None:
    """Return a thread's name made from its first question, on one line; None if nothing is left."""
    return cut(" ".join(text[: 4 * MAX_TITLE].split()), MAX_TITLE) or None


def bounded_json(value: object, limit: int) -> str:
    """Return a value as JSON; one longer than ``limit`` becomes an empty one of its kind."""
    text = json.dumps(value, default=str)
    if len(text) <= limit:
        return text
    return "[]" if isinstance(value, list) else "{}"


def loads(text: str) -> Any:
    """Return a value stored as JSON."""
    return json.loads(text)


def step_row(step: Mapping[str, Any]) -> Row:
    """Return the row of a step."""
    body = {key: step[key] for key in _STEP_KEYS if step.get(key) is not None}
    # A step that was streaming when the program died must not look so for ever.
    body["streaming"] = False
    if len(json.dumps(body, default=str)) > MAX_EXTRA:
        body = {key: value for key, value in body.items() if key in _ESSENTIAL}
        body["name"] = cut(body.get("name"), MAX_TITLE)
    body["input"] = cut(step.get("input"), MAX_INPUT)
    body.setdefault("metadata", {})
    body.setdefault("createdAt", now())
    return {
        "id": str(step["id"]),
        "thread": str(step["threadId"]),
        "parent": step.get("parentId"),
        "type": str(step.get("type") or "undefined"),
        "created": str(body["createdAt"]),
        "output": cut(step.get("output"), MAX_OUTPUT),
        "body": json.dumps(body, default=str),
    }


def element_row(element: Mapping[str, Any]) -> Row:
    """Return the row of an element: what is needed to draw it again, never its content.

    The key of an uploaded file is left out: the file is gone with its session.
    """
    body = {key: element[key] for key in _ELEMENT_KEYS if element.get(key) is not None}
    if element.get("type") == "custom":
        body.setdefault("props", {})
    if len(json.dumps(body, default=str)) > MAX_EXTRA:
        body = {key: body[key] for key in ("type", "display", "mime") if key in body}
        body |= {"name": cut(element.get("name"), MAX_TITLE), "props": {}}
    return {
        "id": str(element["id"]),
        "thread": str(element["threadId"]),
        "for": element.get("forId"),
        "body": json.dumps(body, default=str),
    }


def cursor_of(row: Mapping[str, Any]) -> str:
    """Return the cursor behind a thread in a list."""
    return f"{row['createdAt']}~{row['id']}"


def position_of(cursor: str | None) -> tuple[str, str] | None:
    """Return the time and the id in a cursor; None if it is none."""
    moment, _, thread_id = (cursor or "").partition("~")
    return (moment, thread_id) if thread_id else None
