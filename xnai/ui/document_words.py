"""How documents are doing, in the words of the page."""

import time

from xnai.documents.progress import seconds_left
from xnai.documents.protocol import IngestProgress
from xnai.locale import Texts, marked
from xnai.types import Document

# What is said at each stage: before anything is counted, then how far it is.
_STAGES = {
    "parsing": (marked("Reading {file}"), marked("Reading {file}: {done} of {total} pages")),
    "chunking": (marked("Splitting {file}"), ""),
    "embedding": (marked("Indexing {file}"), marked("Indexing {file}: {done} of {total} passages")),
    "storing": (marked("Saving {file}"), marked("Saving {file}: {done} of {total} passages")),
}
_MINUTE = 60  # seconds
_IN_SECONDS = 90  # below that, seconds read better than minutes


def progress_words(name: str, event: IngestProgress, texts: Texts) -> str:
    """Return what is being done with a file, and how far that is."""
    begins, goes_on = _STAGES[event.stage]
    if goes_on and event.total:
        said = texts.say(goes_on, file=name, done=f"{event.done:,}", total=f"{event.total:,}")
    else:
        said = texts.say(begins, file=name)
        said += f": {event.done:,}" if event.done else ""
    return ", ".join(filter(None, (said, _rest(event, texts))))


def _rest(event: IngestProgress, texts: Texts) -> str:
    """How far it is, and how long the rest will take, if that can be told."""
    left = seconds_left(event, time.monotonic())
    percent = f"{event.share:.0%}" if event.share else ""
    if not percent or left is None:
        return percent
    if left < _IN_SECONDS:
        return texts.say("{percent}, about {number} s left", percent=percent, number=left)
    minutes = round(left / _MINUTE)
    return texts.say("{percent}, about {number} min left", percent=percent, number=minutes)


def state_words(document: Document, texts: Texts) -> str:
    """Return the state of a document: what can be asked of it, or why nothing can."""
    match document.status:
        case "missing":
            return document.error_message or texts.say("its file is missing")
        case "error":
            return document.error_message or texts.say("could not be read")
        case "processed":
            pages = texts.say_number("{number} page", "{number} pages", document.page_count)
            passages = texts.say_number(
                "{number} passage", "{number} passages", document.chunk_count
            )
            counted = (pages, passages) if document.page_count > 1 else (passages,)
            return ", ".join((*counted, size_words(document.size)))
        case _:
            return texts.say("being read…")


def size_words(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{max(1, round(count / 1e3))} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004 - a megabyte
