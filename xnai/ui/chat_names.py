"""What a new chat is called in the list: its first question in a line, else the files with it."""

from collections.abc import Sequence

from xnai.locale import Texts
from xnai.text.sentences import sentences
from xnai.ui import commands

LONGEST = 60  # characters; the list shows about half of them
_LEAST = 12  # "Hello." says nothing


def name_of(question: str, files: Sequence[str], command: str | None, texts: Texts) -> str:
    """Return the name of a chat that begins with a message; empty if nothing is in it."""
    lines = [" ".join(line.split()) for line in question.splitlines()]
    words = _first_sentence(next(filter(None, lines), ""))
    if files and not words:
        words = files[0]
        if len(files) > 1:
            rest = len(files) - 1
            words = texts.say_number(
                "{file} and {number} more", "{file} and {number} more", rest, file=files[0]
            )
    title = commands.title_of(command, texts) if command else ""
    return _shortened(": ".join(filter(None, (title, words))))


def _first_sentence(line: str) -> str:
    """Return the first sentence of a line; the line itself where that says too little."""
    spans = sentences(line)
    return line[slice(*spans[0])] if spans and spans[0][1] >= _LEAST else line


def _shortened(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    head = name[: LONGEST - 1]
    at = head.rfind(" ")
    return f"{head[:at] if at > LONGEST // 2 else head}…"
