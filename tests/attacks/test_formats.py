"""Hostile files of the kinds that are text or XML in the end, and hostile archives."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from documents_files import open_document
from outlook_files import BODY, outlook

from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers import zip_archive
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.registry import pages
from xnai.documents.parsers.seen import Seen

LIMIT = 100_000


@pytest.fixture
def outcome(tmp_path):
    """What becomes of a file: the text of its pages, or the code of the refusal."""

    def told(content: bytes, name: str = "file") -> str:
        path: Path = tmp_path / "content"
        path.write_bytes(content)
        try:
            kind = sniff.media_type(path, name)
            text = "\n".join(page.text for page in pages(path, kind, LIMIT, Seen()))
        except Failure as failure:
            return failure.kind.code
        return text if len(text) <= LIMIT else "file_text_too_long"  # as the process says

    return told


def nested(depth: int) -> str:
    return "<text:section>" * depth + "<text:p>deep</text:p>" + "</text:section>" * depth


ROW = (
    '<table:table-row table:number-rows-repeated="1048576"><table:table-cell '
    'table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell></table:table-row>'
)
LAUGHS = b"a0: &a0 []\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)
)
MESSAGE = outlook({BODY: "The lamp."}, {"a.txt": b"The crane."})
ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (
            open_document("text", '<text:p>a<text:s text:c="999999999999"/>b</text:p>'),
            "spaces.odt",
            "a b",
        ),
        (open_document("text", nested(5000)), "deep.odt", ""),
        (
            open_document("spreadsheet", f'<table:table table:name="x">{ROW * 50}</table:table>'),
            "rows.ods",
            "file_text_too_long",
        ),
        (open_document("text", f"<table:table>{ROW * 50}</table:table>"), "cells.odt", "too_long"),
        (b"{\\rtf1 " + b"{" * 500_000 + b"deep" + b"}" * 500_000 + b"}", "deep.rtf", "deep"),
        (b"{\\rtf1 a\\bin9999999999 b}", "bin.rtf", "a"),
        (b"{\\rtf1 \\u99999999 a\\ansicpg99999 b\\'ff\\par}", "codes.rtf", "b\u00ff"),
        (b"{\\rtf1 " + b"\\trowd\\cellx1 x\\cell\\row" * 20_000 + b"}", "rows.rtf", "x"),
        (b"[" * 90_000, "deep.json", "file_damaged"),
        (LAUGHS, "laughs.yaml", "file_text_too_long"),
        (b"- " * 45_000, "deep.yaml", "file_damaged"),
        (b"[" * 90_000, "open.yaml", "[[["),
        (b"!!python/object/apply:os.system ['exit 1']", "tag.yaml", "exit 1"),
        (MESSAGE[: len(MESSAGE) // 2], "half.msg", "file_type_unsupported"),
        (MESSAGE.replace(b"\x06\x00\x00\x00", b"\xff\xff\xff\x7f"), "lengths.msg", "file_damaged"),
        (b"[" + b"9" * 90_000 + b"]", "number.json", "9" * 100),
        (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "nested.json", "file_damaged"),
        (json.dumps([{str(n): n} for n in range(5_000)]).encode(), "columns.json", "4999: 4999"),
        (b'{"cells": {"source": 1}, "metadata": 7}', "cells.ipynb", "metadata: 7"),
        (b'{"cells": [{"source": [1, {}], "outputs": 3}, 4]}', "source.ipynb", ""),
        (b'<?xml version="1.0"?>' + ENTITIES + b"<x>&b;</x>", "laughs.xml", "# x"),
        (
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><x>&f;</x>',
            "outside.xml",
            "# x",
        ),
        (b"<x>" * 20_000, "deep.xml", "<x><x>"),
        (b"<rss><channel>" + b"<item/>" * 30_000 + b"</channel></rss>", "feed.xml", "too_long"),
        (b"WEBVTT\n\n" + b"00:01.000 --> 00:02.000\n" + b"<" * 90_000, "open.vtt", "[00:01]"),
        (b"1\n" + b"00:" * 30_000, "times.srt", "00:00"),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\n" * 20_000, "open.ics", "too_long"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY" + b";" * 90_000, "parts.ics", ""),
        (b"BEGIN:VCARD\nADR:" + b"\\;" * 40_000 + b"\nFN:Ada\n", "address.vcf", "Name: Ada"),
        (b"<table>" + b"<tr><td>x<td>y" * 1_000, "cells.html", "x: y"),
        (b"<input type=checkbox>" * 20_000, "boxes.html", ""),
        (b"<p>1" + b"<sup>2" * 2_000, "powers.html", ""),
        (b"| a | b |\n|--|--|\n" + b"|" * 90_000, "cells.md", "a"),
        (b"From a@x\nA: b\n\n" + b"From b@x\n\n" * 20_000, "empty.mbox", ""),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_a_hostile_file_is_read_or_refused(outcome, content, name, expected):
    assert expected in outcome(content, name)


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return out.getvalue()


def test_an_open_document_with_entities_is_refused(outcome):
    data = io.BytesIO(open_document("text", "<text:p>x</text:p>"))
    with zipfile.ZipFile(data, "a") as target:
        target.writestr("styles.xml", ENTITIES + b"<x>&b;</x>")

    assert outcome(data.getvalue()) == "file_damaged"


def test_what_unpacks_without_end_is_left_out_of_an_archive(outcome):
    bomb = bytes(100 * 2**20)

    assert outcome(archive({"zeros.txt": bomb, "a.txt": b"The lamp."})) == "# a.txt\n\nThe lamp."


def test_an_archive_that_lies_about_the_size_of_a_file_gives_the_others(outcome):
    content = bytearray(archive({"a.txt": b"x" * 5000, "b.txt": b"The lamp."}))
    at = content.find(b"PK\x01\x02")
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")

    assert "The lamp." in outcome(bytes(content))


def test_archives_within_archives_are_left_alone(outcome):
    inner = archive({"x.txt": b"inside"})
    for _ in range(50):
        inner = archive({"inner.zip": inner, "a.txt": b"The lamp."})

    assert outcome(inner) == "# a.txt\n\nThe lamp."


def test_names_in_an_archive_lead_nowhere(outcome, tmp_path):
    names = ["../up.txt", "/etc/cron.d/x.txt", "C:\\x.txt", "a/../../b.txt", "x\u202etxt.exe.txt"]
    text = outcome(archive(dict.fromkeys(names, b"word")))

    assert [line for line in text.split("\n") if line.startswith("#")] == [
        "# up.txt",
        "# etc/cron.d/x.txt",
        "# C:/x.txt",
        "# a/b.txt",
        "# xtxt.exe.txt",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["content"]


def test_an_archive_of_thousands_of_files_is_read_in_part(outcome):
    text = outcome(archive({f"{n}.txt": b"x" for n in range(2_000)}))

    assert text.count("# ") == 500


def test_an_archive_with_too_many_files_is_refused(outcome):
    members = {f"{n}": b"" for n in range(zip_archive.MAX_MEMBERS + 1)}

    assert outcome(archive(members)) == "file_type_unsupported"


def test_an_archive_with_a_password_is_refused(outcome):
    content = bytearray(archive({"a.txt": b"secret"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        content[at + offset] |= 1

    assert outcome(bytes(content)) == "file_encrypted"
