"""Generates docs/errors.md from the catalogue.

``python -m xnai.cli.errors_reference > docs/errors.md`` writes the page anew; a test compares
the two.
"""

import sys
from collections.abc import Iterator
from http import HTTPStatus

from xnai.errors import CATALOGUE, Category, ErrorKind, Instead

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

What follows from an error inside the server stands in the last column: whether the circuit breaker
of the part counts it, whether the same call is made again at once, whether another model is asked
(the next endpoint, or the local one of `XNAI_LLM_FALLBACK`), and what the page shows instead of an
answer.

**Codes are stable**: they are never renamed, nor used for something else. Words may change.
What stands in braces is filled in. The page is made from `xnai/errors` by `python -m
xnai.cli.errors_reference`.

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
_INSTEAD = {
    Instead.PASSAGES: "passages are shown",
    Instead.NO_DOCUMENTS: "it is answered without documents",
}


def page() -> str:
    """Return the whole page in Markdown."""
    return _HEAD + "\n".join(_section(category) for category in Category)


def _section(category: Category) -> str:
    rows = [_row(kind) for kind in CATALOGUE.values() if kind.category is category]
    return (
        f"## {category.value}\n\n{_CATEGORIES[category]}\n\n"
        "| Code | Status | Retry | Message | What to do | Who sees it, and when | What follows |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def _row(kind: ErrorKind) -> str:
    cells = (
        f"`{kind.code}`",
        f"{kind.status} {HTTPStatus(kind.status).phrase}",
        "yes" if kind.retryable else "no",
        kind.message,
        kind.hint,
        kind.seen,
        "; ".join(_consequences(kind)),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _consequences(kind: ErrorKind) -> Iterator[str]:
    if kind.counts_as_fault:
        yield "counts as a fault of the part"
    if kind.heals_soon:
        yield "tried again at once"
    if kind.retry_elsewhere:
        yield "another model is asked"
    if kind.other_source:
        yield "the next source is asked"
    if kind.degrade_to is not None:
        yield _INSTEAD[kind.degrade_to]


if __name__ == "__main__":
    sys.stdout.write(page())
