"""The fields of a JSON body, and what is said of those that are not valid."""

import reprlib
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from xnai.answering.limits import has_too_many_values
from xnai.errors import BAD_REQUEST, XnaiError

_SHOWN = 80  # characters of a refused value that are repeated
# Pydantic names the branch of a union in an error's path; a client does not know these.
_UNION_BRANCHES = frozenset({"Retrieval", "literal[False]"})
_OBJECT_ERRORS = frozenset({"model_type", "dict_type"})  # these name Python's types


def refuse(problem: str, fix: str) -> XnaiError:
    """Return the error of a request that cannot be served as it is."""
    return XnaiError(BAD_REQUEST, problem=problem, fix=fix)


def read_fields(body: bytes, example: str) -> dict[str, Any]:
    """Return the object that a body is; ``example`` says what to send.

    Raises:
        XnaiError: BAD_REQUEST.

    """
    if has_too_many_values(body):
        raise refuse("The body holds too many values.", "Send less at once.")
    try:
        fields = from_json(body)
    except ValueError as exc:
        raise refuse(f"The body is not JSON: {exc}.", "Send one JSON object as UTF-8.") from None
    if not isinstance(fields, dict):
        raise refuse("The body is not a JSON object.", example)
    return fields


def bad_field(exc: ValidationError) -> XnaiError:
    """Return the error of a field that is not valid, by its path and what it may be."""
    first = exc.errors(include_url=False, include_context=False)[0]
    path = ".".join(str(step) for step in first["loc"] if step not in _UNION_BRANCHES)
    if first["type"] == "missing":
        return refuse(f"{path!r} is missing.", "Add it.")
    shown = reprlib.repr(first["input"])[:_SHOWN]
    words = "Input should be an object" if first["type"] in _OBJECT_ERRORS else first["msg"]
    return refuse(f"{path}={shown} is not valid.", f"{words}.")
