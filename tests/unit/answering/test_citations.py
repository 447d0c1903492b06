import pytest

from xnai.answering.citations import Citer, best_sentence, sentences
from xnai.types import Passage

TOWER = Passage(
    "d1", "paris.pdf", 3, 100, 210,
    "The Eiffel Tower was completed in March 1889. It is 330 metres tall and stands in Paris.",
    0.9,
)  # fmt: skip
BRIDGE = Passage("d2", "sf.txt", None, 0, 60, "The Golden Gate Bridge opened in May 1937.", 0.5)


def run(pieces: list[str], passages: tuple[Passage, ...] = (TOWER, BRIDGE)) -> tuple[str, Citer]:
    citer = Citer(passages)
    text = "".join(citer.feed(piece) for piece in pieces) + citer.finish()
    return text, citer


def test_each_sentence_cites_the_passage_that_holds_its_words():
    text, _ = run(["The Golden Gate Bridge opened in 1937. The tower is 330 metres tall."])

    assert text == "The Golden Gate Bridge opened in 1937. [2] The tower is 330 metres tall. [1]"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_how_the_stream_is_cut_does_not_matter(size):
    answer = "The tower was completed in March 1889 [2].\nIt is 330 metres tall!"
    whole, _ = run([answer])

    pieces, _ = run([answer[i : i + size] for i in range(0, len(answer), size)])

    assert pieces == whole
    assert whole == "The tower was completed in March 1889. [1]\nIt is 330 metres tall! [1]"


def test_a_sentence_that_no_passage_supports_is_marked_as_such():
    text, _ = run(["Bananas are rich in potassium and fibre. The tower is 330 metres tall."])

    assert text == (
        "Bananas are rich in potassium and fibre. [?] The tower is 330 metres tall. [1]"
    )


@pytest.mark.parametrize(
    "sentence", ["Sure!", "Here is a list of what matters:", "The documents do not say who did it."]
)
def test_what_claims_nothing_is_not_marked(sentence):
    assert run([sentence])[0] == sentence


def test_an_answer_of_one_word_is_cited_where_it_stands():
    assert [run([word])[0] for word in ("Paris.", "1889", "London")] == [
        "Paris. [1]",
        "1889 [1]",
        "London",
    ]


def test_of_sentences_with_the_same_words_the_evidence_is_quoted():
    text = "Paris is large. The tower stands in Paris."
    passage = Passage("d", "f", None, 0, 42, text, 1.0, evidence=(16, 42))

    _, citer = run(["Paris"], (passage,))

    assert [c.quote for c in citer.citations] == ["The tower stands in Paris."]


def test_nothing_is_cited_for_what_no_passage_supports():
    _, citer = run(["Bananas are rich in potassium and fibre."])

    assert citer.citations == ()


def test_a_sentence_with_a_figure_that_no_passage_has_is_not_cited():
    text, _ = run(["The Eiffel Tower was completed in March 1890."])

    assert text == "The Eiffel Tower was completed in March 1890. [?]"


def test_the_quote_is_the_sentence_of_the_passage_with_offsets_of_the_page():
    _, citer = run(["It is 330 metres tall."])

    (citation,) = citer.citations
    assert citation.quote == "It is 330 metres tall and stands in Paris."
    assert (citation.index, citation.page, citation.start) == (1, 3, 100 + 46)
    assert citation.end - citation.start == len(citation.quote)


def test_an_abbreviation_does_not_end_a_sentence():
    passage = Passage("d", "f", None, 0, 9, "Dr. Smith opened the clinic in Bonn.", 1.0)

    text, _ = run(["Dr. Smith opened the clinic."], (passage,))

    assert text == "Dr. Smith opened the clinic. [1]"


def test_marks_that_the_model_guessed_are_taken_out():
    text, _ = run(["Bananas are ", "rich [", "?", "] in potassium [", "7", "] and fibre [12]."])

    assert text == "Bananas are rich in potassium and fibre. [?]"


def test_text_in_brackets_that_is_no_mark_is_kept():
    text, _ = run(["See [appendix", "] and [123] for bananas"])

    assert text == "See [appendix] and [123] for bananas [?]"


def test_scripts_without_spaces_are_cited_too():
    passage = Passage("d", "f", None, 0, 9, "富士山は日本で最も高い山です。", 1.0)

    text, _ = run(["富士山は日本で最も高い山です。"], (passage,))

    assert text == "富士山は日本で最も高い山です。 [1]"


def test_without_passages_text_passes_untouched():
    text, _ = run(["Use a[1] here. ", "Fine."], ())

    assert text == "Use a[1] here. Fine."


def test_sentences_are_spans_of_the_text():
    text = "One is here. Two?\n\nThree"

    assert [text[a:b] for a, b in sentences(text)] == ["One is here.", "Two?", "Three"]


def test_a_wrapped_line_goes_on_and_a_heading_does_not():
    text = (
        "Storms\nWhen the wind rises the keepers close the shutters and\n"
        "October gales bring rain.\nEnd."
    )

    assert [text[a:b] for a, b in sentences(text)] == [
        "Storms",
        "When the wind rises the keepers close the shutters and\nOctober gales bring rain.",
        "End.",
    ]


def test_the_rows_of_a_table_do_not_become_one_long_sentence():
    text = "\n".join(f"{i},lamp,north tower,in service since {1900 + i}" for i in range(40))

    assert max(b - a for a, b in sentences(text)) <= 400


def test_best_sentence_shares_most_words_with_the_question():
    start, end = best_sentence("How tall is it in metres?", TOWER)

    assert TOWER.text[start:end] == "It is 330 metres tall and stands in Paris."


def test_without_marks_the_text_stays_and_its_sentences_are_looked_up():
    answer = '{"year": "completed in March 1889 [1]",\n"height": "330 metres tall"}'
    citer = Citer((BRIDGE, TOWER), marks=False)

    text = "".join(citer.feed(character) for character in answer) + citer.finish()

    assert text == answer
    assert [citation.document_id for citation in citer.citations] == ["d1"]


CODE = """Use `grid[0][1]` for the bridge, which was completed in 1932. So:

```py
row = grid[0][1]  # The tower was completed. [2]
```
- ~~~
  x[1] = "`"
  ~~~
Done is ```y[1]``` and z. The end"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 400])
def test_code_keeps_what_looks_like_a_mark_and_gets_none(size):
    shown, _ = run([CODE[i : i + size] for i in range(0, len(CODE), size)])

    for line in CODE.splitlines()[2:8]:
        assert line in shown.splitlines()
    assert "Use `grid[0][1]` for" in shown
    assert "```y[1]``` and" in shown
