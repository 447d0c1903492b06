import io
import re
import time
import tomllib
import zipfile

import pytest
from documents_files import docx, ole, pptx, xlsx
from outlook_files import compound
from paths import ROOT

from rig.pdf_files import pdf
from xnai.documents import media_types
from xnai.documents.parsers import encoding, media_type
from xnai.documents.parsers.failures import Failure


@pytest.fixture
def kind(tmp_path):
    """Tell a content's media type, or what the refusal says was found."""

    def tell(content: bytes, name: str = "file") -> str:
        path = tmp_path / "content"
        path.write_bytes(content)
        try:
            return media_type.media_type(path, name)
        except Failure as exc:
            return str(exc.values.get("found", exc.kind.code))

    return tell


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, content in members.items():
            target.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return out.getvalue()


def test_every_format_is_known_by_its_content_whatever_its_name(kind):
    expected = [media_type.PDF, media_type.DOCX, media_type.PPTX, media_type.XLSX, media_type.HTML]
    contents = [
        pdf([["x"]]),
        docx(["x"]),
        pptx([("t", "x")]),
        xlsx({"s": [[1]]}),
        b"<!-- hi -->\n<!DOCTYPE html><p>x",
    ]
    assert expected == [kind(content, "wrong.txt") for content in contents]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", media_type.MARKDOWN),
        ("a.CSV", media_type.CSV),
        ("a.txt", media_type.TEXT),
        ("a.pdf", media_type.TEXT),
        ("a.html", media_type.TEXT),
        ("a", media_type.TEXT),
    ],
)
def test_a_name_only_tells_kinds_of_text_apart(kind, name, expected):
    assert expected == kind(b"just words, no markup", name)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.bin", b"{\\rtf1 text}", media_types.RTF),
        ("a.json", b' [{"a": 1}]', media_types.JSON),
        ("a.json", b"no JSON at all", media_types.TEXT),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}', media_types.JSON_LINES),
        ("a.ipynb", b'{"cells": []}', media_types.NOTEBOOK),
        ("a.txt", b"<?xml version='1.0'?><orders/>", media_types.XML),
        ("a.xml", b"<orders/>", media_types.XML),
        ("a.xml", b"words", media_types.TEXT),
        ("a", b'<?xml version="1.0"?><rss version="2.0"></rss>', media_types.FEED),
        ("a.xml", b'<feed xmlns="http://www.w3.org/2005/Atom"></feed>', media_types.FEED),
        ("a", b"WEBVTT\n\n00:01.000 --> 00:02.000\nx", media_types.SUBTITLES),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nx", media_types.SUBTITLES),
        ("a.srt", b"a list of words", media_types.TEXT),
        ("a", b"From a@x Mon Mar 3 2025\nFrom: a@x\nTo: b@x\n\nx", media_types.MAILBOX),
        ("a.txt", b"From now on all is well.\nTruly.", media_types.TEXT),
        (
            "a",
            b"From: <Saved by Blink>\nSubject: x\nMIME-Version: 1.0\nDate: x\n\nx",
            media_types.SAVED_PAGE,
        ),
        ("a.py", b"def f(): pass", media_types.TEXT),
        ("a.yaml", b"a: 1\n", media_types.YAML),
        ("a", ole("WordDocument"), media_types.DOC),
        ("a", ole("Workbook"), media_types.XLS),
        ("a", ole("PowerPoint Document"), media_types.PPT),
        ("a", ole("__nameid_version1.0"), media_types.OUTLOOK),
        ("a", compound({"x": {"WordDocument": b"x"}, "Workbook": b"x"}), media_types.XLS),
        ("a", archive(xl__workbook_dot_bin=b"x"), media_types.XLSB),
        ("a", archive(a_dot_txt=b"x"), media_types.ARCHIVE),
        ("a", archive(mimetype=media_types.ODS.encode()), media_types.ODS),
        ("a", archive(mimetype=media_types.ODT.encode() + b"-template"), media_types.ODT),
    ],
)
def test_each_kind_is_told_by_its_content_and_texts_by_their_names_too(
    kind, name, content, expected
):
    assert expected == kind(content, name)


def test_markup_in_a_file_called_html_is_html(kind):
    assert media_type.HTML == kind(b"<p>a fragment</p>", "a.html")


def test_a_text_that_speaks_of_pdf_headers_is_text(kind):
    assert media_type.TEXT == kind(b"Every such file begins with %PDF-1.7 and a line end.")


def test_a_pdf_with_noise_before_its_header_is_a_pdf(kind):
    assert media_type.PDF == kind(b"\r\nHTTP noise\r\n" + pdf([["x"]]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"GIF89a" + bytes(50), "a GIF image"),
        (b"\0\0\0\x18ftypmif1" + bytes(50), "a HEIC image: save it as JPEG"),
        (b"\0\0\0\x18ftypheix" + bytes(50), "a HEIC image: save it as JPEG"),
        (b"MZ\x90\x00" + bytes(range(256)), "a Windows program"),
        (b"GGUF\x03\0\0\0" + bytes(50), "a GGUF model: put it into the models folder"),
        (bytes(range(256)) * 4, "binary data of no known kind"),
        (b"<?xml version='1.0'?><svg xmlns='x'></svg>", "an SVG image"),
        (
            archive(Index__Document_dot_iwa=b"x"),
            "an Apple Pages, Numbers or Keynote file: export it as PDF",
        ),
        (b"PK\x03\x04 and no more", "a damaged ZIP archive"),
        (ole("EncryptedPackage"), "file_encrypted"),
        (ole("VisioDocument"), "a Visio drawing: save it as PDF"),
    ],
)
def test_a_refusal_names_what_was_found(kind, content, expected):
    assert expected == kind(content)


def test_a_text_that_begins_like_a_program_is_text(kind):
    assert media_type.TEXT == kind(b"MZ is how Windows programs begin.")


def test_a_truncated_docx_is_still_called_one(kind):
    assert media_type.DOCX == kind(docx(["word " * 5000])[:-300])


def test_an_archive_that_claims_millions_of_members_is_not_opened(kind):
    content = bytearray(archive(a=b"x"))
    at = content.rfind(b"PK\x05\x06")
    content[at + 8 : at + 12] = b"\xff\xff\xff\xff"
    assert "a ZIP archive of very many files" == kind(bytes(content))


def test_thousands_of_comments_before_no_html_take_no_time(kind):
    began = time.thread_time()
    assert media_type.TEXT == kind(b"<!-- -->" * 8000)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("plain ascii", "utf-8"),
        ("Grüße, naïve façade", "utf-8"),
        ("with a mark", "utf-8-sig"),
        ("both orders", "utf-16"),
        ("without a mark, mostly Latin", "utf-16-le"),
        ("without a mark, mostly Latin", "utf-16-be"),
        ("Voilà déjà où ça mène, à la carte près de la forêt.", "cp1252"),
        ("Grüße aus München, das kostet 5 € und ist schön", "cp1252"),
        ("名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,40,大阪", "cp932"),
        ("Привет мир, это документ про погоду", "cp1251"),
        ("Zażółć gęślą jaźń. Książka leży na półce", "cp1250"),
    ],
)
def test_a_text_comes_out_as_it_went_in(text, codec):
    data = text.encode(codec)
    assert text == data.decode(encoding.detect(data) or "ascii")


def test_a_sample_that_ends_inside_a_character_is_still_utf8():
    assert encoding.detect("naïve ü".encode()[:-1]) == "utf-8"


def test_the_page_takes_every_kind_of_file_that_is_read():
    config = tomllib.loads(ROOT.joinpath(".chainlit/config.toml").read_text())
    accepted = config["features"]["spontaneous_file_upload"]["accept"]
    named = {value for value in vars(media_types).values() if isinstance(value, str)}
    kinds = {value for value in named if re.fullmatch(r"[a-z]+/[\w.+-]+", value)}

    assert len(kinds) > 20
    assert kinds <= set(accepted)
    endings = {ending for known in accepted.values() for ending in known}
    others = {".eml", ".epub", ".txt", ".odt", ".ods", ".odp", ".rtf", ".mbox", ".mhtml", ".zip"}
    assert {f".{name}" for name in media_type._BY_EXTENSION} | others <= endings


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"II*\0", "image/tiff"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_a_document(tmp_path, head, kind):
    path = tmp_path / "content"
    path.write_bytes(head + bytes(50))

    assert media_type.media_type(path, "scan") == kind
