"""Word files: numbers as displayed, changes, boxes, fields."""

import pytest
from documents_files import docx
from lxml import etree

from xnai.documents.parsers import office
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.word.numbering import Numbering, formatted

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def numbering(*levels: str, extra: str = "") -> Numbering:
    xml = (
        f'<w:numbering xmlns:w="{W}"><w:abstractNum w:abstractNumId="1">{"".join(levels)}'
        f'</w:abstractNum><w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num>{extra}'
        "</w:numbering>"
    )
    return Numbering(etree.fromstring(xml))


def level(depth: int, text: str, form: str = "decimal") -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def test_numbers_go_on_and_begin_anew_below_each_heading():
    lists = numbering(level(0, "%1."), level(1, "%1.%2"), level(2, "(%3)", "lowerLetter"))

    found = [lists.next("7", depth) for depth in (0, 1, 1, 2, 2, 0, 1)]

    assert found == ["1.", "1.1", "1.2", "(a)", "(b)", "2.", "2.1"]


def test_a_list_that_begins_anew_does():
    again = (
        '<w:num w:numId="8"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="5"/></w:lvlOverride></w:num>'
    )
    lists = numbering(level(0, "%1)"), extra=again)

    assert [lists.next(n, 0) for n in ("7", "7", "8", "8")] == ["1)", "2)", "5)", "6)"]


@pytest.mark.parametrize(
    ("number", "form", "shown"),
    [(4, "lowerRoman", "iv"), (28, "upperLetter", "BB"), (3, "decimalZero", "03"), (3, "x", "3")],
)
def test_forms_of_numbers(number, form, shown):
    assert formatted(number, form) == shown


def read(tmp_path, body: str, **parts: str) -> tuple[str, Seen]:
    """The text of a document of this XML."""
    path = tmp_path / "made.docx"
    content = docx(["&MARK;"], extra={f"word/{n}.xml": p.encode() for n, p in parts.items()})
    path.write_bytes(content)
    import zipfile  # noqa: PLC0415

    whole = zipfile.ZipFile(path).read("word/document.xml").decode()
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        start = whole.index("<w:body>") + len("<w:body>")
        archive.writestr("word/document.xml", whole[:start] + body + "</w:body></w:document>")
        for name, part in parts.items():
            archive.writestr(f"word/{name}.xml", part)
    seen = Seen()
    return office.docx_page(path, seen).text, seen


def test_changes_are_read_as_accepted(tmp_path):
    body = (
        "<w:p><w:r><w:t xml:space='preserve'>The rent is </w:t></w:r><w:del><w:r><w:delText>4,200"
        "</w:delText></w:r></w:del><w:ins><w:r><w:t>4,650</w:t></w:r></w:ins></w:p>"
    )

    text, seen = read(tmp_path, body)

    assert text == "The rent is 4,650"
    assert "1 insertions taken in, 1 deletions left out" in seen.warnings[0]


def test_a_field_shows_its_result_and_a_box_its_text(tmp_path):
    body = (
        "<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>REF x</w:instrText>"
        "</w:r><w:r><w:fldChar w:fldCharType='separate'/></w:r><w:r><w:t>section 3</w:t></w:r>"
        "<w:r><w:fldChar w:fldCharType='end'/></w:r><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>"
        "In a box.</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>"
    )

    assert read(tmp_path, body)[0] == "section 3\n\nIn a box."


def test_a_comment_names_its_author_and_what_it_is_about(tmp_path):
    body = (
        "<w:p><w:commentRangeStart w:id='3'/><w:r><w:t>Three rents.</w:t></w:r>"
        "<w:commentRangeEnd w:id='3'/></w:p>"
    )
    comments = (
        f"<w:comments xmlns:w='{W}'><w:comment w:id='3' w:author='Ada Holm'><w:p><w:r><w:t>Two."
        "</w:t></w:r></w:p></w:comment></w:comments>"
    )

    text, _ = read(tmp_path, body, comments=comments)

    assert text == 'Three rents.\n\nComment by Ada Holm on "Three rents.": Two.'


def test_tables_within_tables_are_read_to_a_depth(tmp_path):
    deep = "<w:tbl><w:tr><w:tc>" * 200 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 200

    assert read(tmp_path, f"<w:p><w:r><w:t>above</w:t></w:r></w:p>{deep}")[0] == "above"
