"""The catalogue of errors, its words and its page."""

import ast
import re
import string

import pytest
from paths import ROOT

import xnai.errors
from xnai.cli.errors_reference import page
from xnai.errors import (
    CATALOGUE,
    INTERNAL,
    MODEL_DOWN,
    NOT_FOUND,
    REMOTE_ALL_DOWN,
    REMOTE_STALLED,
    Category,
    ErrorKind,
    Instead,
    XnaiError,
)

PACKAGE = ROOT / "xnai" / "errors"
DOCUMENT = ROOT / "docs" / "errors.md"
KINDS = [pytest.param(kind, id=code) for code, kind in CATALOGUE.items()]


def test_the_page_is_what_the_catalogue_makes():
    assert page() == DOCUMENT.read_text(encoding="utf-8")


def test_the_codes_are_those_that_the_page_promises():
    promised = re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(CATALOGUE) == sorted(promised)


def test_every_row_that_is_written_is_in_the_catalogue_and_has_one_public_name():
    written = {}
    for path in PACKAGE.glob("_*.py"):
        for name, code in re.findall(
            r'^([A-Z_]+) = ErrorKind\(\s*"([a-z_]+)"',
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        ):
            assert name == code.upper()
            assert code not in written
            written[code] = name
    public = {name for name, kind in vars(xnai.errors).items() if isinstance(kind, ErrorKind)}
    assert set(CATALOGUE) == set(written)
    assert set(written.values()) == public


def test_a_name_is_written_nowhere_else_in_the_package():
    text = "\n".join(path.read_text("utf-8") for path in PACKAGE.glob("*.py"))
    words = re.findall(r"\b[A-Z][A-Z_]+\b", text)
    names = {code.upper() for code in CATALOGUE} - set(Category.__members__)
    assert [name for name in names if words.count(name) != 1] == []


def test_what_follows_from_an_error_is_asked_of_its_row_and_of_no_list():
    names = {code.upper() for code in CATALOGUE}
    lists = [
        f"{path}:{node.lineno}"
        for path in (ROOT / "xnai").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Set | ast.Tuple | ast.List)
        and sum(isinstance(item, ast.Name) and item.id in names for item in node.elts) > 1
    ]
    assert lists == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_from_an_error_makes_sense(kind):
    if kind.counts_as_fault:  # what a person or a program can change is no fault of a part
        assert kind.status >= 500
    if kind.heals_soon:
        assert kind.retryable
    if kind.retry_elsewhere:  # if nobody else can answer, something is shown all the same
        assert kind.degrade_to is Instead.PASSAGES


def test_there_is_no_category_without_an_error():
    assert set(Category) == {kind.category for kind in CATALOGUE.values()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_of_an_error_are_whole_sentences(kind):
    assert 400 <= kind.status <= 599
    for words in (kind.message, kind.hint, kind.seen):
        bare = [part for part in string.Formatter().parse(words) if part[1]]
        if len(bare) == 1 and words == f"{{{bare[0][1]}}}":
            continue  # the caller writes the sentence
        assert words[0] == words[0].upper()
        assert words.endswith((".", "}"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_room_can_be_tried_again_and_what_must_change_cannot(kind):
    if kind.category is Category.OVERLOAD:
        assert kind.retryable
    if kind.category in {Category.REQUEST, Category.SETTING}:
        assert not kind.retryable


def test_a_chain_of_causes_tells_codes_alone():
    stalled = XnaiError(REMOTE_STALLED, endpoint="a:1", seconds=3)
    again = XnaiError(REMOTE_STALLED, endpoint="a:1", seconds=3)
    all_down = XnaiError(REMOTE_ALL_DOWN, count=1, reasons="")
    again.__cause__ = stalled
    broken = RuntimeError("secret")
    broken.__cause__ = again
    all_down.__cause__ = broken
    assert ("remote_stalled",) == all_down.causes
    assert () == XnaiError(INTERNAL).causes


def test_a_ring_of_causes_ends():
    one, other = XnaiError(MODEL_DOWN, reason=""), XnaiError(NOT_FOUND, what="", name="")
    one.__cause__, other.__cause__ = other, one
    assert ("not_found", "model_down") == one.causes


def test_an_error_knows_its_time_in_utc():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", XnaiError(INTERNAL).timestamp)
