"""The process that opens strangers' files: ``python -m xnai.documents.parser_worker``.

It reads one request, a line of JSON, and answers with lines of JSON as it goes on, so that
embedding can begin with the first page; a picture's bytes follow their line. The parent is
``xnai.documents.worker``.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from xnai.documents.confinement import confine, die_with_parent
from xnai.documents.failures import Failure
from xnai.documents.readers import ATTACHED, Seen, pages
from xnai.errors import (
    FILE_DAMAGED,
    FILE_EMPTY,
    FILE_NO_TEXT,
    FILE_TEXT_TOO_LONG,
    FILE_TOO_EXPENSIVE,
)
from xnai.types import Page

PART_CHARACTERS = 32_000  # of one line, so that the parent's event loop decodes it in no time
_NOTE_PAGES = 20  # named in a note
_RESERVE = 4 * 2**20  # bytes kept for saying that memory has run out

_MARKED_UP = {"text/html", "message/rfc822", "application/epub+zip"}

Send = Callable[[Mapping[str, object]], None]
Request = Mapping[str, Any]


def _load_libraries(media_type: str) -> None:
    """Import what a request needs before the limits count, as it is the same for every file."""
    if media_type.endswith("/pdf"):
        import pypdfium2  # noqa: F401, PLC0415
    elif media_type.endswith(".sheet"):
        import openpyxl  # type: ignore[import-untyped]  # noqa: F401, PLC0415
    elif media_type in _MARKED_UP or "officedocument" in media_type:
        import markitdown  # noqa: F401, PLC0415


def _send_page(page: Page, send: Send) -> None:
    for start in range(0, max(len(page.text), 1), PART_CHARACTERS):
        end = start + PART_CHARACTERS
        more = end < len(page.text)
        send({"number": page.number, "text": page.text[start:end], "more": more})


def _listed(numbers: Sequence[int | str]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_NOTE_PAGES])
    rest = len(numbers) - _NOTE_PAGES
    return f"{shown} and {rest} more" if rest > 0 else shown


def _notes(empty: list[int], seen: Seen) -> list[str]:
    notes = []
    if seen.recognised:
        where = _listed(seen.recognised)
        notes.append(f"Page {where} is a picture; its text was recognised (OCR).")
    if empty:
        notes.append(f"No text was found on page {_listed(empty)} (pictures only?).")
    if seen.unreadable:
        notes.append(f"Page {_listed(seen.unreadable)} is damaged and could not be read.")
    if seen.left_out:
        notes.append(f"Not read of what is attached: {_listed(seen.left_out)}.")
    return notes


def _parse(request: Request, send: Send) -> None:
    limit, characters, count = request["characters"], 0, 0
    empty: list[int] = []
    seen = Seen(tell_total=lambda total: send({"pages": total}))
    for page in pages(Path(request["path"]), request["media_type"], limit, seen):
        count += 1
        characters += len(page.text)
        if characters > limit:
            raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        if page.number is not None and not page.text.strip():
            empty.append(page.number)
        elif not page.text.strip():
            characters -= len(page.text)
        _send_page(page, send)
    if len(seen.unreadable) == count and count:
        raise Failure(FILE_DAMAGED, reason="none of its pages can be read")
    if len(empty) == count or not characters:
        text_only = request["media_type"].startswith(("text/", "message/"))
        raise Failure(FILE_EMPTY if text_only else FILE_NO_TEXT)
    empty = [number for number in empty if number not in seen.unreadable]
    send({"notes": _notes(empty, seen)})


def _render(request: Request, send: Send, output: BinaryIO) -> None:
    from xnai.documents import pdf  # noqa: PLC0415

    picture = pdf.picture(
        Path(request["path"]),
        request["page"],
        (request["start"], request["end"]),
        request["width"],
        request["characters"],
    )
    send({"bytes": None if picture is None else len(picture)})
    output.write(picture or b"")


def _frame(content: Mapping[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _failure_frame(failure: Failure) -> bytes:
    return _frame({"error": failure.kind.code, "values": failure.values})


def _attempt(request: Request, send: Send, output: BinaryIO) -> None:
    """Do what is asked; whatever a reader stumbles over becomes a Failure."""
    try:
        if request["command"] == "render":
            _render(request, send, output)
        else:
            _parse(request, send)
    except (Failure, MemoryError):
        raise
    except RecursionError as exc:
        raise Failure(FILE_DAMAGED, reason="its content is nested too deeply") from exc
    except Exception as exc:
        send({"stumbled": type(exc).__name__})
        raise Failure(FILE_DAMAGED, reason="its content cannot be made sense of") from exc


def _answer(request: Request, output: BinaryIO) -> None:
    def send(content: Mapping[str, object]) -> None:
        output.write(_frame(content))
        output.flush()

    # Made now: when memory has run out there is none to say so with.
    limit = f"{request['memory_mb']:,} MB"
    out_of_memory = _failure_frame(Failure(FILE_TOO_EXPENSIVE, resource="memory", limit=limit))
    reserve = bytearray(_RESERVE)
    try:
        _attempt(request, send, output)
    except MemoryError:
        reserve.clear()
        os.write(output.fileno(), out_of_memory)
        os._exit(0)
    except Failure as failure:
        output.write(_failure_frame(failure))


def main() -> None:
    """Answer the request on standard input."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the frames
    # Unbuffered: the watching thread must be able to wait on the same pipe.
    stdin = os.fdopen(0, "rb", buffering=0)
    request = json.loads(stdin.readline())
    die_with_parent(request["parent"], stdin)
    _load_libraries(request["media_type"])
    # What is attached to a message is read as a file, which lies in memory.
    written = ATTACHED if request["media_type"] == "message/rfc822" else 0
    confine(request["memory_mb"], request["seconds"], written)
    _answer(request, output)
    output.flush()
    os._exit(0)  # libraries' own cleaning up has nothing to save, and may crash


if __name__ == "__main__":
    main()
