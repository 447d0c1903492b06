"""Few-shot examples, kept as text files beside the prompts that use them."""

import functools
from pathlib import Path

from xnai.types import Message


@functools.cache
def example_turns(path: Path) -> tuple[Message, ...]:
    """The turns of a file of examples.

    Its first paragraph is what all examples are about, and goes before the first question. Each
    other paragraph is a question on a line and what is to be replied, to its end.
    """
    subject, *examples = path.read_text(encoding="utf-8").strip().split("\n\n")
    turns: list[Message] = []
    for example in examples:
        question, _, reply = example.partition("\n")
        opening = "" if turns else f"{subject}\n\n"
        turns += [Message("user", opening + question), Message("assistant", reply)]
    return tuple(turns)
