import pytest
from markdown_it import MarkdownIt

from xnai.types import Citation
from xnai.ui import citation_links, markdown
from xnai.ui.links import citation_mark, unbreak_links
from xnai.ui.whole_answer import break_links_outside_code

ID = "5f" * 16


def cited(index: int, name: str = "a.pdf", page: int | None = 3) -> Citation:
    return Citation(index, ID, name, page, 10 * index, 10 * index + 5, "Words.", 0.5)


def addresses(text: str) -> list[str]:
    (inline,) = MarkdownIt("commonmark").parseInline(text)
    return [str(one.attrGet("href")) for one in inline.children or [] if one.type == "link_open"]


def test_a_mark_leads_to_its_place_in_the_reader_and_is_read_as_a_number():
    shown = citation_links.linked(f"It opened in 1937. {citation_mark(2)}", [cited(2)])

    assert addresses(shown) == [f"/reader/{ID}?page=3&start=20&end=25"]
    assert unbreak_links(shown) == "It opened in 1937. [2]"
    assert markdown.answer_text(shown) == "It opened in 1937. [2]"


def test_a_document_without_pages_has_page_0():
    assert citation_links.address(cited(1, page=None)).endswith("?page=0&start=10&end=15")


def test_the_numbers_run_in_the_order_of_the_marks():
    text = " ".join(f"Words. {citation_mark(index)}" for index in (7, 2, 7, 5))

    shown, order = citation_links.numbered(text, [cited(2), cited(3), cited(7)])

    assert unbreak_links(shown) == "Words. [1] Words. [2] Words. [1] Words. [5]"
    assert [(one.index, one.start) for one in order] == [(1, 70), (2, 20), (3, 30)]


def test_what_a_model_wrote_about_a_list_is_no_mark():
    text = break_links_outside_code("Take grid[0][1], (x)[1] and `y[1]`. [1]")

    shown = citation_links.linked(text, [cited(1)])

    assert len(addresses(shown)) == 1
    assert unbreak_links(shown) == "Take grid[0][1], (x)[1] and `y[1]`. [1]"


@pytest.mark.parametrize(
    "name",
    [
        'a" onclick="alert(1)',
        'x") [click](http://evil.example "',
        "a\\",
        "&quot;) <b>http://evil.example</b>",
        "](javascript:alert(1))",
        "a\n\nb",
        "`x` ![i](http://evil.example)",
    ],
)
def test_no_name_of_a_file_leads_anywhere_else(name: str):
    shown = citation_links.linked(f"Words. {citation_mark(1)} end", [cited(1, name)])

    (inline,) = MarkdownIt("commonmark").parseInline(shown)
    (opening,) = [one for one in inline.children or [] if one.type.endswith("_open")]
    assert str(opening.attrGet("href")).startswith(f"/reader/{ID}?")
    title = unbreak_links(str(opening.attrGet("title")))
    assert title == f"{' '.join(name.split())}, p. 3"
    assert unbreak_links(shown) == "Words. [1] end"


def test_an_id_is_one_segment_of_an_address():
    where = citation_links.address(Citation(1, "../a b)?x", "a", 1, 0, 1, "", 0.5))

    assert where.startswith("/reader/..%2Fa%20b%29%3Fx?page=1")
