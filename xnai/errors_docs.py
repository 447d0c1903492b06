"""The page docs/errors.md, made from the catalogue itself.

``python -m xnai.errors_docs > docs/errors.md`` writes the page anew; a test compares the two.
"""

import sys
from http import HTTPStatus

from xnai.errors import CATALOGUE, Category, ErrorKind

_HEAD = """\
# Errors

Whatever goes wrong ends in one of these. The page shows message, what to do, code and request id;
over HTTP they come as

```json
{"error": {"code": "queue_full", "category": "overload", "message": "…", "hint": "…",
           "retryable": true, "causes": [], "request_id": "…",
           "timestamp": "2026-01-31T12:00:00.000Z"}}
```

with the same request id in `X-Request-ID` and in every line of the log that belongs to the request.
`causes` are the codes of errors that led to this one, the nearest first. Where waiting helps,
`Retry-After` says how many seconds; 429 and 503 always have it. In a stream that has begun the
object comes as an event before `[DONE]`. A command prints code and words in one sentence and ends
with exit code 2.

**Codes are stable**: they are never renamed, nor used for something else. Words may change.
What stands in braces is filled in. The page is made from `xnai/errors` by `python -m
xnai.errors_docs`.

"""
_CATEGORIES = {
    Category.REQUEST: "Change what is asked.",
    Category.ACCESS: "Change who asks, or from where.",
    Category.OVERLOAD: "Wait: there was no room or no time.",
    Category.DOCUMENT: "Change the file.",
    Category.SEARCH: "The embedding model, or the search, does not work.",
    Category.STORAGE: "The disk, or a file on it, cannot be used.",
    Category.MODEL: "The local model cannot answer.",
    Category.ENDPOINT: "A server of `XNAI_LLM_URL` cannot answer.",
    Category.SETTING: "Change a setting; the server does not start before.",
    Category.COMMAND: "Change how the command is used.",
    Category.INTERNAL: "A fault of XNAi.",
}


def page() -> str:
    """The whole page in Markdown."""
    return _HEAD + "\n".join(_section(category) for category in Category)


def _section(category: Category) -> str:
    rows = [_row(kind) for kind in CATALOGUE.values() if kind.category is category]
    return (
        f"## {category.value}\n\n{_CATEGORIES[category]}\n\n"
        "| Code | Status | Retry | Message | What to do | Who sees it, and when |\n"
        "| --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def _row(kind: ErrorKind) -> str:
    cells = (
        f"`{kind.code}`",
        f"{kind.status} {HTTPStatus(kind.status).phrase}",
        "yes" if kind.retryable else "no",
        kind.message,
        kind.hint,
        kind.seen,
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
