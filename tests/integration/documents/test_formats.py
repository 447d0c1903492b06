"""Kinds of files beside PDF and Office: what is read of each."""

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import outlook_files
import pytest
from documents_files import docx, open_document

from rig.pdf_files import pdf
from xnai.documents import media_types
from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers import office_converter
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.kinds import Kinds
from xnai.documents.parsers.process import Limits
from xnai.documents.parsers.registry import pages
from xnai.documents.parsers.seen import Seen
from xnai.errors import XnaiError

CASES = Path(__file__).parent / "cases"
LIMIT = 1_000_000


@pytest.fixture
def read(tmp_path):
    """The pages of a file by the reader that its content calls for, and what was seen."""

    def texts(
        content: bytes | Path, name: str = "file", limit: int = LIMIT
    ) -> tuple[list[str], Seen]:
        path = content if isinstance(content, Path) else tmp_path / "content"
        if isinstance(content, bytes):
            path.write_bytes(content)
        seen = Seen()
        kind = sniff.media_type(path, name)
        return [page.text for page in pages(path, kind, limit, seen)], seen

    return texts


@pytest.mark.parametrize("name", ["roster-merged.odt", "roster-merged.rtf"])
def test_merged_cells_are_said_in_each_row(read, name):
    (text,), seen = read(CASES / name)

    assert text == (
        "# Duty roster\n\n"
        "Hall: Hall 1; Day: Monday; Early: Holm; Late: Lark.\n"
        "Hall: Hall 1; Day: Tuesday; Early: Moss; Late: Holm.\n"
        "Hall: Hall 2; Day: Monday; Early: Sund; Late: Vale.\n"
        "Hall: Hall 2; Day: Tuesday; Early: Lark; Late: Sund.\n"
        "Hall: Gate; Day: Sunday; Early: closed; Late: closed."
    )
    assert seen.tables == 1


@pytest.mark.parametrize("name", ["policy-autonumber.odt", "policy-autonumber.rtf"])
def test_numbers_of_clauses_are_read(read, name):
    (text,), _ = read(CASES / name)

    assert "# 4. Expenses\n\n4.1 Receipts are handed in within thirty days." in text
    assert "\n\n4.2 Taxi fares are refunded only between 22:00 and 06:00." in text


@pytest.mark.parametrize("name", ["lease-tracked.odt", "lease-tracked.rtf"])
def test_changes_notes_comments_and_margins_of_a_text_are_read(read, name):
    (text,), _ = read(CASES / name)

    assert "The monthly rent is 4,650 euros, payable on the third working day. [1]" in text
    assert "4,200" not in text
    assert "[1] Working days are Monday to Thursday at this site." in text
    assert "Legal says two rents are the maximum allowed here." in text
    assert "Footer: Contact: legal desk, extension 4471" in text


def test_tracked_changes_of_an_odt_are_told(read):
    _, seen = read(CASES / "lease-tracked.odt")

    assert any("1 insertions taken in, 1 deletions left out" in one for one in seen.warnings)


def test_tables_of_an_ods_keep_their_own_headings(read):
    (text,), _ = read(CASES / "segments.ods")

    assert "In thousand euros: Pumps; January-June 2024 Sales: 4120;" in text
    assert "In thousand euros: Pumps; January-June 2023 Sales: 3708;" in text


def test_slides_of_an_odp_have_titles_lists_and_notes(read):
    assert read(CASES / "budget.odp")[0] == [
        "# Budget\n\n- We plan 12 pumps\n\n### Notes:\n\nSay it slowly"
    ]


def test_hidden_sheets_and_rows_of_an_ods_say_so(read):
    styles = (
        '<style:style style:name="off"><style:table-properties table:display="false"/>'
        "</style:style>"
    )
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    row = f"<table:table-row{{}}>{cell}</table:table-row>"
    body = (
        '<table:table table:name="Costs" table:style-name="off">'
        + row.format("", "Crane")
        + row.format(' table:visibility="collapse"', "Pump")
        + "</table:table>"
    )
    (text,), seen = read(open_document("spreadsheet", body, styles=styles))

    assert text.startswith("## Costs (hidden sheet)")
    assert "Pump: (hidden row)" in text
    assert seen.hidden == ["sheet Costs", "1 rows of sheet Costs"]


def test_an_open_document_with_a_password_is_refused(read):
    manifest = {"META-INF/manifest.xml": b"<m><encryption-data/></m>"}

    with pytest.raises(Failure, match="file_encrypted"):
        read(open_document("text", "", extra=manifest))


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1\ansi caf\'e9\par}", "café"),
        (rb"{\rtf1\ansicpg1251 \'cf\'ee\par}", "По"),
        (rb"{\rtf1\uc1 \u8364?5 \u-10179?\u-8704?\par}", "€5 😀"),
        (rb"{\rtf1 a{\v secret}b{\deleted gone} c\par}", "ab c"),
        (rb"{\rtf1{\fonttbl{\f0 Arial;}}{\*\generator X;}x\'zzy\par}", "xzzy"),
        (rb"{\rtf1{\pict\bin10 {{{{\par}}x}ok\par}", "ok"),
        (rb"{\rtf1 {\field{\*\fldinst HYPERLINK x}{\fldrslt the page}}\par}", "the page"),
        (rb"{\rtf1 cut off {\b in the", "cut off in the"),
    ],
)
def test_words_of_rtf(read, rtf, text):
    assert read(rtf)[0] == [text]


def test_a_list_of_json_objects_is_a_table_with_its_numbers_as_they_are_written(read):
    orders = b'[{"id": 1, "amount": 450.10, "who": {"name": "Holm"}, "paid": true},\n'
    orders += b'{"id": 2, "amount": 12345678901234567890.5, "who": {"name": "Lark"}}]'
    (text,), seen = read(orders, "orders.json")

    assert text == (
        "id: 1; amount: 450.10; who name: Holm; paid: yes.\n"
        "id: 2; amount: 12345678901234567890.5; who name: Lark."
    )
    assert seen.tables == 1


def test_lines_of_json_that_are_none_are_told(read):
    (text,), seen = read(b'{"t": "a", "n": 1}\nbroken\n{"t": "b", "n": 2}\n', "log.jsonl")

    assert text == "t: a; n: 1.\nt: b; n: 2."
    assert seen.warnings == ["1 lines are no JSON and were left out."]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{broken: yes}"),
        ("a.jsonl", b"{one\n{two"),
        ("a.ipynb", b"{cells"),
        ("a.xml", b"<?xml version='1.0'?><a>never closed"),
        ("a.rss", b"<rss><channel><title>never closed"),
    ],
)
def test_what_only_looks_like_json_or_xml_is_read_as_text(read, name, content):
    (text,), seen = read(content, name)

    assert text == content.decode()
    assert seen.warnings[-1].endswith("was read as text.")


def test_nested_json_becomes_sections_and_lists(read):
    plant = {"title": "Plant", "owner": {"name": "Holm"}, "tags": ["a", "b"], "none": None}
    (text,), _ = read(json.dumps(plant).encode(), "plant.json")

    assert text == "title: Plant\n\n## owner\nname: Holm\n\n## tags\n- a\n- b"


def test_what_repeats_in_xml_is_a_table(read):
    content = (
        b'<?xml version="1.0"?><orders year="2025"><!-- x --><order id="1"><customer>Lark'
        b'</customer></order><order id="2"><customer>Holm</customer></order></orders>'
    )
    (text,), _ = read(content, "orders.xml")

    assert text == (
        "# orders\n\nyear: 2025\n\n## order\n\nid: 1; customer: Lark.\nid: 2; customer: Holm."
    )


def test_entries_of_feeds_have_title_date_and_text(read):
    rss = (
        b'<?xml version="1.0"?><rss><channel><title>News</title><item><title>Bridge</title>'
        b"<pubDate>3 Mar 2025</pubDate><description>&lt;p&gt;It opens on &lt;b&gt;4 May"
        b"&lt;/b&gt;.&lt;/p&gt;</description></item></channel></rss>"
    )
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>Log</title><entry><title>One</title>'
        b'<updated>2025-01-02</updated><link href="http://x.example/1"/><summary>Short</summary>'
        b"</entry></feed>"
    )

    assert read(rss)[0] == ["# News\n\n## Bridge\n\nDate: 3 Mar 2025\n\nIt opens on **4 May**."]
    assert read(atom, "a.xml")[0] == [
        "# Log\n\n## One\n\nDate: 2025-01-02\nLink: http://x.example/1\n\nShort"
    ]


def test_a_notebook_has_texts_code_and_output(read):
    cells = [
        {"cell_type": "markdown", "source": ["# Pumps\n", "Text"]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {"data": {"image/png": "x", "text/plain": "<Figure>"}},
                {"ename": "ValueError", "evalue": "no"},
            ],
        },
        "no cell",
    ]
    (text,), seen = read(json.dumps({"nbformat": 4, "cells": cells}).encode(), "a.ipynb")

    assert text == (
        "# Pumps\nText\n\n```\nprint(1)\n```\n\nOutput:\n1\n\nOutput:\n<Figure>\n\n"
        "Output:\nValueError: no"
    )
    assert seen.pictures_unread == 1


def test_subtitles_say_when_something_is_said(read):
    srt = b"1\n00:00:01,000 --> 00:00:03,000\n<i>Hello</i>\nthere\n\n"
    srt += b"2\n01:01:00,500 --> 01:01:03,000\nBye\n"
    vtt = b"WEBVTT - Talk\n\nNOTE of mine\n\n00:01.000 --> 00:03.000 align:left\n<v Ada>Monday\n"

    assert read(srt, "a.srt")[0] == ["[00:00:01] Hello there\n[01:01:00] Bye"]
    assert read(vtt)[0] == ["# Talk\n\n[00:01] Monday"]


MAILBOX = (
    b"From ada@x Mon Mar  3 10:00:00 2025\nFrom: Ada <ada@x>\nTo: b@x\nSubject: One\n\nThe first.\n"
    b">From here on\n\nFrom bob@x Mon Mar  3 11:00:00 2025\nFrom: Bob <b@x>\nSubject: Two\n\n"
    b"Second."
)


def test_a_mailbox_has_a_page_for_each_message(read):
    first, second = read(MAILBOX)[0]

    assert first.startswith("From: Ada <ada@x>\nTo: b@x\nSubject: One\n\nThe first.\nFrom here on")
    assert second == "From: Bob <b@x>\nSubject: Two\n\nSecond."


def test_a_saved_page_is_read_without_the_head_of_its_message(read):
    content = (
        b"From: <Saved by Blink>\r\nSubject: Fares\r\nDate: x\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; boundary="B"\r\n\r\n--B\r\nContent-Type: text/html\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><body><nav>Home</nav>"
        b"<h1>Fares</h1><p>A ticket costs 14 euros=2E</p></body></html>\r\n--B--\r\n"
    )

    assert read(content)[0] == ["# Fares\n\nA ticket costs 14 euros."]


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return out.getvalue()


MEMBERS = {
    "a/lamp.docx": docx(["The lamp is new."]),
    "../../etc/passwd.txt": b"The crane is in hall 4.",
    "\\windows\\C:\\x.md": b"# Rules",
    "__MACOSX/._lamp.docx": b"x",
    "noise.bin": bytes(range(256)),
    "inner.zip": archive({"x.txt": b"x"}),
    "tea.pdf": pdf([["Tea."], ["Coffee."]]),
}


def test_each_file_of_an_archive_is_a_page_under_its_name_alone(read):
    texts, seen = read(archive(MEMBERS))

    assert texts[0] == "# a/lamp.docx\n\nThe lamp is new."
    assert texts[1] == "# etc/passwd.txt\n\nThe crane is in hall 4."
    assert texts[2] == "# windows/C:/x.md\n\n# Rules"
    assert texts[3].startswith("# tea.pdf\n\nPage 1:\nTea.")
    assert "Page 2:\nCoffee." in texts[3]
    assert seen.left_out == ["noise.bin", "inner.zip"]


def test_a_file_that_is_too_long_is_left_out_of_an_archive(read):
    content = archive({"long.txt": b"word " * 2_000, "short.txt": b"The lamp is new."})

    texts, seen = read(content, limit=1_000)

    assert texts == ["# short.txt\n\nThe lamp is new."]
    assert seen.left_out == ["long.txt"]


def test_an_archive_without_documents_is_refused_by_name(read):
    with pytest.raises(Failure, match="file_type_unsupported") as refused:
        read(archive({"x.bin": bytes(range(256))}))
    assert refused.value.values["found"] == "a ZIP archive without documents"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("docs.zip", archive(MEMBERS), "The crane is in hall 4."),
        ("box.mbox", MAILBOX, "The first."),
        ("roster.odt", (CASES / "roster-merged.odt").read_bytes(), "Early: Moss"),
        ("policy.rtf", (CASES / "policy-autonumber.rtf").read_bytes(), "4.2 Taxi fares"),
        ("orders.json", b'[{"id": 1, "n": 2}]', "id: 1; n: 2."),
        ("feed.xml", b"<rss><channel><title>News</title></channel></rss>", "# News"),
    ],
)
async def test_the_confined_reader_can_read_it_too(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)

    kind = sniff.media_type(path, name)
    found = await read_all(ParserRun(path, kind, name, LIMIT, Limits(120, 2048)))

    assert said in "\n".join(page.text for page in found)
    assert kind != media_types.TEXT


YAML = b"""# Fares of the ferry
ferry: &it
  name: Silver Heron
  since: 2024-05-01  # the first day
fares:
- {who: adult, price: 12.50}
- {who: child, price: 6.10}
other: *it
"""


def test_yaml_is_labels_and_tables_with_figures_as_they_are_written(read):
    (text,), seen = read(YAML, "ferry.yaml")

    assert "## ferry\nname: Silver Heron\nsince: 2024-05-01" in text
    assert "who: adult; price: 12.50.\nwho: child; price: 6.10." in text
    assert "## other\nname: Silver Heron" in text
    assert text.endswith("Comment: Fares of the ferry\nComment: the first day")
    assert seen.tables == 1


def test_what_is_called_yaml_and_is_not_is_read_as_text(read):
    (text,), seen = read(b"{{ if a }}\nkey: [1\n{{ end }}", "t.yml")

    assert "{{ if a }}" in text
    assert seen.warnings == ["It is not valid YAML, and was read as text."]


LETTER = {
    outlook_files.SUBJECT: "Delivery of the crane",
    outlook_files.SENDER: "Ada Holm",
    outlook_files.ADDRESS: "ada@example.org",
    outlook_files.TO: "Per Ostby",
    outlook_files.SENT: datetime(2025, 3, 3, 9, 30, tzinfo=UTC),
}


def test_a_message_of_outlook_is_read_with_what_is_attached(read):
    inner = outlook_files.message_tree(
        {outlook_files.SUBJECT: "Offer", outlook_files.BODY: "The offer is 4,650 euros."},
        is_inner=True,
    )
    attached = {
        "prices.csv": b"item,price\nlamp,12\nrope,3\n",
        "big.txt": b"The engine hall is heated. " * 300,
        "Offer": inner,
        "noise.bin": bytes(range(256)),
    }
    body = {outlook_files.BODY: "The crane comes on Thursday."}
    (text,), seen = read(outlook_files.outlook({**LETTER, **body}, attached), "x.msg")

    assert text.startswith(
        'From: Ada Holm <ada@example.org>\nTo: "Per Ostby"\n'
        "Date: Mon, 03 Mar 2025 09:30:00 +0000\nSubject: Delivery of the crane\n\n"
        "The crane comes on Thursday."
    )
    assert "Attachment: prices.csv\n\nitem: lamp; price: 12.\nitem: rope; price: 3." in text
    assert "Attachment: Offer.eml\n\nSubject: Offer\n\nThe offer is 4,650 euros." in text
    assert text.count("The engine hall is heated.") == 300
    assert seen.left_out == ["noise.bin"]


@pytest.mark.parametrize(
    "body",
    [
        {outlook_files.HTML: b"<p>The crane comes on <b>Thursday</b>.</p>"},
        {
            outlook_files.RTF: outlook_files.packed_rtf(
                rb"{\rtf1\ansi The crane comes on {\b Thursday}.\par}"
            )
        },
    ],
    ids=["html", "rtf"],
)
def test_a_message_of_outlook_without_plain_text_is_read(read, body):
    (text,), _ = read(outlook_files.outlook({**LETTER, **body}), "x.msg")

    assert "The crane comes on" in text
    assert "Thursday" in text
    assert "rtf1" not in text


@pytest.mark.needs("libreoffice")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lease-tracked.doc", "The monthly rent is 4,650 euros, payable on the third working day."),
        ("segments.xls", "In thousand euros: Pumps; January-June 2023 Sales: 3708;"),
        ("slides-ppt.zip", "Page 2:\nWe plan twelve pumps for hall 4."),
    ],
)
async def test_old_office_files_are_read_by_way_of_libreoffice(name, said):
    path = CASES / name
    kind = await Kinds(1024).media_type(path, name, "me")
    found = await read_all(ParserRun(path, kind, name, LIMIT, Limits(120, 2048)))

    assert said in "\n".join(page.text for page in found)


async def test_without_libreoffice_an_old_office_file_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(office_converter, "program_folder", lambda: "")
    path = CASES / "lease-tracked.doc"
    with pytest.raises(XnaiError) as refused:
        await Kinds(1024).media_type(path, path.name, "me")

    assert "save it as DOCX, or install LibreOffice on the server" in str(refused.value)
    with pytest.raises(XnaiError) as refused:
        await read_all(ParserRun(path, media_types.DOC, path.name, LIMIT, Limits(120, 2048)))
    assert refused.value.code == "file_type_unsupported"
