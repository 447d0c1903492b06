"""The words of the catalogue, with values filled in: read once aloud, and kept that way."""

import re
import string
import time

import pytest

from xnai.answering.events import Question
from xnai.answering.prompt import Prompt, completion_of
from xnai.api.errors import search_down
from xnai.errors import ANSWER_TIMEOUT, CATALOGUE, SEARCH_DOWN, XnaiError
from xnai.llm.deadline import AnswerDeadline
from xnai.settings import PREFIX, Settings

SENTENCE = "the disk sleeps."  # a reason that comes with a full stop of its own
VALUES = {
    **dict.fromkeys(("limit", "limit_mb", "count", "tokens", "seconds", "waiting"), 12),
    **dict.fromkeys(("actual", "expected", "status", "port", "other"), 404),
    **dict.fromkeys(("reason", "reasons", "problem", "detail"), SENTENCE),
    **dict.fromkeys(("fix", "hint", "message"), "Do this."),
    "setting": "XNAI_UPLOAD_MAX_FILES",
}


def filled(kind, **values):
    names = {
        name
        for words in (kind.message, kind.hint)
        for _, name, _, _ in string.Formatter().parse(words)
        if name
    }
    return XnaiError(kind, **{name: VALUES.get(name, f"Sample-{name}") for name in names} | values)


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.code)
def test_every_row_reads_well_with_values_filled_in(kind):
    error = filled(kind)

    for words in (error.message, error.hint):
        assert words[-1] == "."
        assert "{" not in words
        assert "}" not in words
        assert not re.search(r"\.\.|\s[.,;:](?=\s|$)|  |None|\(\)|''", words)
        assert not re.search(r"\b(\w+) \1\b", words, re.IGNORECASE), words
    sentences = re.split(r"(?<=[.;]) ", str(error))
    if "Do this." not in sentences:
        assert len(set(sentences)) == len(sentences)
    for name, value in error.values.items():
        if name != "setting":
            assert str(value).rstrip(".") in str(error).replace(",", "")


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.code)
def test_settings_that_are_named_exist(kind):
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = set(re.findall(r"\bXNAI_[A-Z_]+", f"{kind.message} {kind.hint} {kind.seen}"))
    assert named <= known


@pytest.mark.parametrize(
    "detail",
    [
        "The index is closed.",
        XnaiError(SEARCH_DOWN, reason="the index is closed").message,
        str(XnaiError(SEARCH_DOWN, reason="the index is closed")),
        "",
    ],
)
def test_that_documents_cannot_be_searched_is_said_once(detail):
    error = search_down(detail)

    assert str(error).count("cannot be searched") == 1
    assert str(error).count("Try again") == 1
    assert "ndex is closed." in error.message


def test_what_the_model_is_asked_says_how_long_the_answer_had_from_its_beginning():
    question = Question("?", "r", "u", timeout=305)
    prompt = Prompt((), (), 9, 5, ())

    assert completion_of(question, prompt, deadline=1.0).allowed == 305


def test_the_limit_named_is_the_one_that_was_set_not_what_was_left_of_it():
    deadline = AnswerDeadline(0.0, allowed=305)

    assert "within the 305 seconds" in deadline.error.message
    unset = AnswerDeadline(time.monotonic() + 60)  # which is a little less by now
    assert "within the 60 seconds" in unset.error.message
    assert "within the 0.5 seconds" in filled(ANSWER_TIMEOUT, seconds=0.5).message
