"""The pages of docs/ name what there is, and link to what there is."""

import re

import pytest
from paths import ROOT

DECISIONS = ROOT / "docs" / "decisions"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(DECISIONS.glob("*.md")),
]
# A file or folder of the tree in code style; a pattern such as tests/*_cases.py is none.
NAMED = re.compile(r"`((?:xnai|tests|bench|tools|docs|public|models)/[\w./-]+)`")
LINKED = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SCREENS = 2 * 50  # lines


def each(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda p: p.relative_to(ROOT).as_posix())


@each(PAGES)
def test_a_page_names_only_files_that_there_are(page):
    named = NAMED.findall(page.read_text(encoding="utf-8"))
    assert [] == [name for name in named if not (ROOT / name).exists()]


@each(PAGES)
def test_a_link_leads_to_a_file_that_there_is(page):
    linked = LINKED.findall(page.read_text(encoding="utf-8"))
    assert [] == [name for name in linked if not (page.parent / name).exists()]


def test_every_decision_is_in_the_list_and_has_its_title_there():
    listed = (DECISIONS / "README.md").read_text(encoding="utf-8")
    titles = {
        path.name: path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        for path in DECISIONS.glob("*.md")
        if path.name != "README.md"
    }
    assert {name: title for title, name in re.findall(r"\[(.+)\]\((.+)\)", listed)} == titles


def test_the_overview_takes_two_screens():
    assert len((ROOT / "docs" / "architecture.md").read_text("utf-8").splitlines()) <= SCREENS


def test_the_glossary_is_in_the_order_of_the_alphabet():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)[2:]
    assert words == sorted(words)
