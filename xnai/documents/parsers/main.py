"""The process that opens strangers' files: ``python -m xnai.documents.parsers.main``.

It is given one task and answers as it goes on, so that embedding can begin with the first page
(``xnai.documents.parsers.frames``). The parent is ``xnai.documents.parsers.process``.
"""

import os
import queue
import threading
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

from xnai.documents.media_types import (
    EPUB,
    FEED,
    HTML,
    MAIL,
    NOT_MARKDOWN,
    OLD_OFFICE,
    OUTLOOK,
    PACKED,
    SAVED_PAGE,
)
from xnai.documents.parsers import notes, row_log
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.frames import (
    TO_PARSER,
    Convert,
    Converted,
    FromParser,
    Locate,
    MediaType,
    OldOffice,
    PageCount,
    Parse,
    Picture,
    Places,
    Reader,
    Recognise,
    Recognised,
    Render,
    Sniff,
    Start,
    Stumbled,
    Task,
    ToParser,
    Tried,
    TryEscapes,
    line,
)
from xnai.documents.parsers.registry import pages
from xnai.documents.parsers.seen import ATTACHED, Seen
from xnai.documents.parsers.sending import PageSender
from xnai.errors import (
    FILE_DAMAGED,
    FILE_EMPTY,
    FILE_NO_TEXT,
    FILE_TEXT_TOO_LONG,
    FILE_TOO_EXPENSIVE,
)
from xnai.processes.frames import FrameError
from xnai.processes.sandbox import profiles
from xnai.processes.sandbox.confine import be_killed_with_parent, confine
from xnai.processes.sandbox.limits import limit

_RESERVE = 4 * 2**20  # bytes kept for saying that memory has run out

_MARKED_UP = {HTML, MAIL, EPUB, SAVED_PAGE, FEED, *PACKED}
_WITHIN = {MAIL, OUTLOOK, *PACKED, *OLD_OFFICE}

Send = Callable[[FromParser], None]


class Parent:
    """The other end of the pipes, with which we end."""

    def __init__(self, answers: RawIOBase, output: BinaryIO) -> None:
        self._answers = answers
        self._output = output
        self._received: queue.SimpleQueue[tuple[ToParser, bytes]] = queue.SimpleQueue()

    def listen(self) -> None:
        """Take answers from now on; where the system does not end us with it, the pipe does."""
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def _listen(self) -> None:
        for answer in self._answers:
            frame = TO_PARSER.decode(answer)
            size = frame.size if isinstance(frame, Converted) else 0
            self._received.put((frame, self._data(size)))
        os._exit(1)

    def _data(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._answers.read(size - len(data))
            if not part:
                os._exit(1)
            data += part
        return bytes(data)

    def read(self) -> ToParser:
        """Wait for a frame, before it is listened to."""
        return TO_PARSER.decode(self._answers.readline() or b"")

    def send(self, frame: FromParser, data: bytes = b"") -> None:
        """Write a frame, and the bytes that follow it."""
        self._output.write(line(frame))
        self._output.write(data)
        self._output.flush()

    def recognise(self, picture: bytes, by: Reader) -> str:
        """Have the text of a picture read, or asked how it has to be turned."""
        self.send(Recognise(len(picture), by), picture)
        answer, _ = self._received.get()
        if not isinstance(answer, Recognised):
            raise FrameError("a picture was to be read")
        return answer.text

    def convert(self, document: bytes, kind: OldOffice) -> bytes:
        """Have an old Office file made into one of today; empty if that cannot be done."""
        self.send(Convert(len(document), kind), document)
        answer, data = self._received.get()
        if not isinstance(answer, Converted):
            raise FrameError("a file was to be converted")
        return data


def _load_libraries(media_type: str) -> None:
    """Import what a request needs before the limits count, as it is the same for every file.

    What is imported here may keep its bytecode; afterwards nothing can be written.
    """
    media_type = OLD_OFFICE.get(media_type, media_type)
    if not media_type:
        from xnai.documents.parsers import media_type as sniff  # noqa: F401, PLC0415
    elif media_type.endswith("/pdf"):
        import xnai.documents.pdf.reader  # noqa: PLC0415
    elif media_type.startswith("image/"):
        import xnai.documents.parsers.photo  # noqa: PLC0415
    elif media_type.endswith(".sheet"):
        import openpyxl  # type: ignore[import-untyped]  # noqa: F401, PLC0415

        import xnai.documents.parsers.office  # noqa: PLC0415
    elif media_type == OUTLOOK:
        import markitdown  # noqa: PLC0415

        import xnai.documents.parsers.mail  # noqa: PLC0415
        import xnai.documents.parsers.outlook  # noqa: PLC0415
    elif media_type.endswith(".document"):
        import xnai.documents.parsers.office  # noqa: PLC0415
        import xnai.documents.parsers.word.document  # noqa: PLC0415
    elif media_type in _MARKED_UP or "officedocument" in media_type:
        import markitdown  # noqa: F401, PLC0415

        import xnai.documents.parsers.epub  # noqa: PLC0415
        import xnai.documents.parsers.mail  # noqa: PLC0415
        import xnai.documents.parsers.office  # noqa: PLC0415
    else:
        import xnai.documents.parsers.plain  # noqa: F401, PLC0415


def _parse(task: Parse, parent: Parent, start: Start) -> None:
    limit, characters, count = task.characters, 0, 0
    send = parent.send
    empty: list[int] = []
    seen = Seen(
        tell_total=lambda total: send(PageCount(total)),
        recognise=parent.recognise if start.recognises else None,
        able=start.recognises,
        convert=parent.convert if start.converts else None,
    )
    sender = PageSender(send, limit, markdown=task.media_type not in NOT_MARKDOWN)
    for page in pages(Path(task.path), task.media_type, limit, seen):
        count += 1
        characters += len(page.text)
        if characters > limit:
            raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        if page.number is not None and not page.text.strip():
            empty.append(page.number)
        elif not page.text.strip():
            characters -= len(page.text)
        sender.page(page)
    if len(seen.unreadable) == count and count:
        raise Failure(FILE_DAMAGED, reason="none of its pages can be read")
    if len(empty) == count or not characters:
        text_only = task.media_type.startswith(("text/", "message/"))
        raise Failure(FILE_EMPTY if text_only else FILE_NO_TEXT)
    empty = [number for number in empty if number not in seen.unreadable]
    send(notes.told(empty, count, seen))


def _render(task: Render, parent: Parent) -> None:
    from xnai.documents.parsers import photo  # noqa: PLC0415
    from xnai.documents.pdf import marked  # noqa: PLC0415

    kind = photo if task.media_type.startswith("image/") else marked
    range_ = (task.start, task.end)
    wish = marked.Wish(task.page, range_, task.characters, task.width, task.boxes)
    picture = kind.picture(Path(task.path), wish)
    parent.send(Picture(None if picture is None else len(picture)), picture or b"")


def _locate(task: Locate, parent: Parent) -> None:
    from xnai.documents.pdf import marked  # noqa: PLC0415

    wish = marked.Wish(task.page, (task.start, task.end), task.characters)
    parent.send(Places(marked.places(Path(task.path), wish)))


def _probe(task: TryEscapes, parent: Parent, *, alone: bool) -> None:
    from xnai.processes.sandbox import probe  # noqa: PLC0415

    for told in probe.attempts(task.targets, alone=alone):
        parent.send(Tried(**told))


def _sniff(task: Sniff, parent: Parent) -> None:
    from xnai.documents.parsers import media_type as sniff  # noqa: PLC0415

    parent.send(MediaType(sniff.media_type(Path(task.path), task.name)))


def _attempt(task: Task, parent: Parent, start: Start, *, alone: bool) -> None:
    """Do what is asked; whatever a reader stumbles over becomes a Failure."""
    try:
        match task:
            case Parse():
                row_log.begin()
                _parse(task, parent, start)
            case Render():
                _render(task, parent)
            case Locate():
                _locate(task, parent)
            case Sniff():
                _sniff(task, parent)
            case TryEscapes():
                _probe(task, parent, alone=alone)
    except (Failure, MemoryError):
        raise
    except RecursionError as exc:
        raise Failure(FILE_DAMAGED, reason="its content is nested too deeply") from exc
    except Exception as exc:
        parent.send(Stumbled(type(exc).__name__))
        raise Failure(FILE_DAMAGED, reason="its content cannot be made sense of") from exc


def _answer(start: Start, task: Task, parent: Parent, output: BinaryIO, *, alone: bool) -> None:
    # Made now: when memory has run out there is none to say so with.
    allowed = f"{start.memory_mb:,} MB"
    out_of_memory = line(Failure(FILE_TOO_EXPENSIVE, resource="memory", limit=allowed).frame)
    reserve = bytearray(_RESERVE)
    try:
        _attempt(task, parent, start, alone=alone)
    except MemoryError:
        reserve.clear()
        os.write(output.fileno(), out_of_memory)
        os._exit(0)
    except Failure as failure:
        output.write(line(failure.frame))


def main() -> None:
    """Do the task on standard input."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the frames
    # Unbuffered: a buffer's lock, held by the thread that listens, would abort an ordinary exit.
    parent = Parent(os.fdopen(0, "rb", buffering=0), output)
    start, task = parent.read(), parent.read()
    if not isinstance(start, Start) or not isinstance(task, Task):
        raise FrameError("a start and a task were expected")
    be_killed_with_parent(start.parent)
    _load_libraries(start.media_type)
    alone = confine(profiles.parser(start.descriptors))
    parent.listen()  # a thread: Landlock does not hold those that were there before it
    # What is attached to a message, or was converted, is read as a file, which lies in memory.
    written = ATTACHED if start.media_type in _WITHIN else 0
    limit(start.memory_mb, start.seconds, written)
    _answer(start, task, parent, output, alone=alone)
    output.flush()
    os._exit(0)  # libraries' own cleaning up has nothing to save, and may crash


if __name__ == "__main__":
    main()
