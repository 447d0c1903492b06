"""What a chat is called in the list."""

import pytest

from xnai.locale import IN_ENGLISH, texts_in
from xnai.ui.chat_names import LONGEST, name_of


@pytest.mark.parametrize(
    ("question", "files", "command", "name"),
    [
        ("When does it end?", [], None, "When does it end?"),
        ("When does it end? Please be brief.", ["a.pdf"], None, "When does it end?"),
        ("Hi. I have a question about the lease.", [], None, None),
        ("\n\nTranslate this:\nlong text", [], None, "Translate this:"),
        ("", ["lease.pdf"], None, "lease.pdf"),
        ("  ", ["lease.pdf", "b.pdf", "c.pdf"], None, "lease.pdf and 2 more"),
        ("", ["lease.pdf"], "summary", "Summary: lease.pdf"),
        ("all fees", [], "table", "Table: all fees"),
        ("", [], None, ""),
    ],
)
def test_it_is_the_question_in_a_line_or_the_files(question, files, command, name):
    assert name_of(question, files, command, IN_ENGLISH) == (question if name is None else name)


def test_a_long_one_ends_at_a_word():
    name = name_of("Which of the many " + "considerations " * 20, [], None, IN_ENGLISH)
    assert len(name) <= LONGEST
    assert name.endswith(" considerations…")
    assert len(name_of("長い" * 100, [], None, texts_in("ja"))) == LONGEST


def test_it_is_in_the_language_of_the_page():
    assert name_of("", ["a.pdf", "b.pdf"], None, texts_in("de")) == "a.pdf und 1 weitere"
