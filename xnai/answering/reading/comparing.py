"""A question that compares documents, as it is put to one of them alone.

A small model that is asked what differs between two documents, and has one of them before it,
quotes what stands first. Asked for the value itself it finds it; the comparison is then made over
the lines that each document has.
"""

from pathlib import Path

from xnai.answering.few_shot import example_turns
from xnai.types import Message, Sampling

_SYSTEM = (
    "A question compares several documents. Write the question that one document alone is asked "
    "for its part of it, in the same language. Keep the words of what is asked for; leave out the "
    "documents. Write the question only."
)
_EXAMPLES = Path(__file__).with_name("comparing.txt")
_LONGEST = 300  # characters; a question that is longer is about more than a comparison
_TOKENS = 48


def messages(question: str) -> tuple[Message, ...]:
    """The prompt that asks for the question to one document; none for a long question."""
    if len(question) > _LONGEST:
        return ()
    asked = Message("user", f"Question: {' '.join(question.split())}")
    return (Message("system", _SYSTEM), *example_turns(_EXAMPLES), asked)


def sampling(base: Sampling) -> Sampling:
    """One line."""
    return Sampling(
        max_tokens=_TOKENS, temperature=0.0, repeat_penalty=1.0, seed=base.seed, stop=("\n",)
    )


def question_to_one(written: str, question: str) -> str:
    """What the model has written, where it is a question; else the one that was asked."""
    one = written.strip()
    return one if one.endswith(("?", "\uff1f", "\u061f")) and len(one) <= _LONGEST else question
