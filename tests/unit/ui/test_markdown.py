import pytest

from xnai.errors import MODEL_DOWN, XnaiError
from xnai.types import Citation, Passage
from xnai.ui import markdown
from xnai.ui.links import unbreak_links


def test_document_text_is_shown_as_it_is():
    shown = markdown.plain("# a *b* <i>\n[x](y)")

    assert unbreak_links(shown) == r"\# a \*b\* \<i\> \[x\]\(y\)"
    assert markdown.plain("&lt;b&gt; &#58;") == r"\&lt;b\&gt; \&\#58;"
    assert markdown.plain("1987. A lamp. 2.") == r"1987\. A lamp. 2."
    assert markdown.plain("1.5 tons") == r"1\.5 tons"


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")],
)
def test_ranks_are_written_as_people_do(number, words):
    assert markdown.ordinal(number) == words


def test_waiting_names_place_and_estimate():
    assert markdown.waiting(2, 40) == "Waiting for the model: 2nd in line, about 40 s"
    assert markdown.waiting(1, 0.0) == "Waiting for the model: 1st in line, about 1 s"
    assert markdown.waiting(1, 3.2) == "Waiting for the model: 1st in line, about 4 s"
    assert markdown.waiting(3, 130) == "Waiting for the model: 3rd in line, about 2 min"
    assert markdown.waiting(4, None) == "Waiting for the model: 4th in line"


def test_sources_name_file_page_and_quote():
    citation = Citation(1, "d", "a_b.pdf", 3, 0, 9, "Some *words*.", 0.5)

    assert unbreak_links(markdown.sources([citation])) == (
        "\n\n**Sources**\n- [1] **a\\_b.pdf, p. 3** — “Some \\*words\\*.”"
    )


def test_the_citations_of_one_page_are_one_row_with_a_few_quotes():
    cited = [Citation(n, "d", "a.pdf", n // 9, n, n + 1, f"Words {n}.", 0.5) for n in range(1, 10)]

    first, second = unbreak_links(markdown.sources(cited)).split("\n")[3:]

    assert first.startswith("- [1] [2] [3] [4] [5] [6] [7] [8] **a.pdf, p. 0** — “Words 1.” “")
    assert first.count("“") == 3
    assert second == "- [9] **a.pdf, p. 1** — “Words 9.”"


def test_long_passages_are_cut_at_a_blank():
    passage = Passage("d", "f.txt", None, 0, 900, "word " * 200, 0.25)

    shown = markdown.excerpt(passage)

    assert shown.endswith("word …")
    assert len(shown) < 260


def test_the_evidence_of_a_passage_is_bold_and_what_is_far_from_it_left_out():
    text = "far " * 100 + "The lamp is *new*. " + "away " * 100
    start = text.index("The")
    passage = Passage("d", "f.txt", None, 0, len(text), text, 0.25, evidence=(start, start + 18))

    shown = markdown.excerpt(passage)

    assert "**The lamp is \\*new\\*.**" in shown
    assert shown.startswith("… far")
    assert shown.endswith("away …")
    assert len(shown) < 500


def test_a_failure_says_when_to_try_again_and_by_what_id_it_is_found():
    words = markdown.failure(XnaiError(MODEL_DOWN, reason="killed", retry_after=40), "r1")

    assert "killed" in words
    assert "Try again in about 40 s." in words
    assert words.endswith("*model_down · r1*")


def test_quotes_in_the_place_of_an_answer_show_the_text_as_it_is():
    citation = Citation(2, "d", "a.pdf", 3, 0, 9, "See ![x](http://evil.example)\n*now*", 0.5)

    shown = markdown.quotes([citation])

    assert unbreak_links(shown).endswith(" [2]")
    assert "](" not in shown.replace("\\", "!")
    assert unbreak_links(shown).startswith("> See \\!\\[x\\]")


def test_a_degraded_answer_says_why_and_when_it_is_tried_again():
    words = markdown.degraded(XnaiError(MODEL_DOWN, reason="killed"), 90, "r1")

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

    (other,) = markdown.further(found, [source])
    assert (other.index, other.quote) == (2, "It is seen from afar.")
    assert "- [2] **a.pdf, p. 2** — “It is seen" in unbreak_links(markdown.evidence([other]))
    assert markdown.further(found[:2], [source]) == []
    assert markdown.evidence([]) == ""
