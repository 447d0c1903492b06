"""The turns before a question, with the lines that carry their answers.

A small model answers as it sees answered: where the turns before name no source, it names none,
and what it says is proven by nothing. So each answer gets back the line that it was taken from.
"""

from collections.abc import Sequence

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine, Sheet
from xnai.answering.reading.proof import figures_of
from xnai.types import Message

SOURCE = "Source: "
_LEAST = 2  # words that an answer and its question share with a line
_MOST_LINES = 600  # in which they are looked for


def with_sources(history: Sequence[Message], sheet: Sheet) -> tuple[Message, ...]:
    """The turns, each answer behind the line that has it, where one has."""
    if len(sheet.lines) > _MOST_LINES:
        return tuple(history)
    turns: list[Message] = []
    asked = ""
    for message in history:
        if message.role == "user":
            asked = message.content
        line = _line_of(message.content, asked, sheet) if message.role == "assistant" else None
        turns.append(message if line is None else _from(line, message.content))
    return tuple(turns)


def _from(line: NumberedLine, answer: str) -> Message:
    return Message("assistant", f"{SOURCE}[{line.number}] {line.text}\nAnswer: {answer}")


def _line_of(answer: str, asked: str, sheet: Sheet) -> NumberedLine | None:
    """The line that has all figures of an answer, and most of its words and its question's."""
    figures, own = figures_of(answer), words_of(answer)
    words = own | words_of(asked)
    having = [
        (len(words & here), line)
        for line in sheet.lines
        if not line.stands_on
        and figures <= figures_of(line.text)
        and own & (here := words_of(line.text))
    ]
    shared, line = max(having, key=lambda one: one[0], default=(0, None))
    return line if shared >= _LEAST else None
