"""Files that cannot be read, each given to the real reader in its process."""

import asyncio
import io
import os
import signal
import struct
import zipfile
import zlib
from contextlib import aclosing
from email.message import EmailMessage

import pytest
from cases import refused
from documents_files import docx, epub, ole, xlsx
from hostile_reader import SAYS, taken_over
from outlook_files import RTF, compound, outlook
from PIL import Image

from rig.pdf_files import pdf, runaway_pdf
from xnai.documents import media_types
from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers import office_converter, zip_archive
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.converters import recognise
from xnai.documents.parsers.kinds import Kinds
from xnai.documents.parsers.office_worker import LIBRARIES
from xnai.documents.parsers.page_image import Marked, PageImages
from xnai.documents.parsers.process import Limits
from xnai.types import Document

AMPLE = Limits(30, 1024)
BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
ENTITIES = docx(["&e9;"], prolog=f'<!DOCTYPE w [<!ENTITY e0 "ha">{BOMB}]>')


def letter(charset):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "lamp"
    mail.set_content("The lamp comes.")
    return mail.as_bytes().replace(b'charset="utf-8"', f'charset="{charset}"'.encode())


def without(book, name, content=b"<container/>"):
    with zipfile.ZipFile(io.BytesIO(book)) as source:
        parts = {n: source.read(n) for n in source.namelist()}
    parts[name] = content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for part, data in parts.items():
            target.writestr(part, data)
    return buffer.getvalue()


def many_parts():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number in range(zip_archive.MAX_MEMBERS + 1):
            target.writestr(str(number), b"")
    return buffer.getvalue()


def photo(width=40, height=40):
    """A PNG, of any size its head may say."""
    buffer = io.BytesIO()
    Image.new("L", (40, 40), 200).save(buffer, "PNG")
    head = struct.pack(">II", width, height)
    data = bytearray(buffer.getvalue())
    data[16:24] = head
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def packed(parts, *, locked=False):
    """A ZIP archive, or a document that is one; the parts of a ``locked`` one have a password."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in parts.items():
            target.writestr(name, data)
    data = bytearray(buffer.getvalue())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while locked and start >= 0:
            data[start + at] |= 1
            start = data.find(mark, start + 1)
    return bytes(data)


def open_document(body, manifest=b""):
    space = "urn:oasis:names:tc:opendocument:xmlns"
    names = " ".join(f'xmlns:{one}="{space}:{one}:1.0"' for one in ("office", "text", "table"))
    content = f"<office:document-content {names}><office:body>{body}</office:body>"
    return packed(
        {
            "META-INF/manifest.xml": manifest or b"<m/>",
            "content.xml": f"{content}</office:document-content>",
        }
    )


def saved_page(body, kind="text/html"):
    return f"MIME-Version: 1.0\nContent-Type: {kind}\n\n{body}\n".encode()


def rich(kind, length=9):
    """The head of RTF as Outlook packs it."""
    return struct.pack("<II4sI", 20, length, kind, 0) + b"{\\rtf1 x}"


ROWS = "".join(
    f"<table:table-row><table:table-cell><text:p>{'word ' * 40}{n}</text:p></table:table-cell>"
    "</table:table-row>"
    for n in range(60)
)
SPREADSHEET = (
    f'<office:spreadsheet><table:table table:name="One">{ROWS}</table:table></office:spreadsheet>'
)
LETTERS = b"".join(
    b"From a@example.org Mon Jan  6 10:00:00 2025\nFrom: a@example.org\nSubject: x\n\n"
    + b"word " * 40
    + b"\n\n"
    for _ in range(9)
)
ENTRIES = b"<item><title>x</title><description>" + b"word " * 40 + b"</description></item>"
LONG = {"most": 300}
MANY = many_parts()
SHEET = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    b'<row r="x"><c r="A1"><v>1</v></c></row></sheetData></worksheet>'
)
READ = (
    ("file_empty", b" \n\t ", sniff.TEXT, {}),
    ("file_no_text", pdf([[], []]), sniff.PDF, {}),
    ("file_encrypted", pdf([["x"]], encrypted=True), sniff.PDF, {}),
    ("file_damaged", pdf([["x" * 50]] * 60)[:9000], sniff.PDF, {}),
    ("file_damaged", b"%PDF-1.7 and then %%EOF", sniff.PDF, {}),
    ("file_damaged", pdf([]), sniff.PDF, {}),
    (
        "file_damaged",
        without(xlsx({"A": [["a"]]}), "xl/worksheets/sheet1.xml", SHEET),
        sniff.XLSX,
        {},
    ),
    ("file_damaged", b"\x89PNG\r\n\x1a\n" + bytes(40), media_types.PNG, {}),
    ("file_damaged", photo()[:60], media_types.PNG, {}),
    ("file_too_expensive", photo(60_000, 60_000), media_types.PNG, {}),
    ("file_damaged", docx(["x"])[:-200], sniff.DOCX, {}),
    ("file_damaged", ENTITIES, sniff.DOCX, {}),
    ("file_too_expensive", MANY, sniff.DOCX, {}),
    ("file_too_expensive", MANY, sniff.EPUB, {}),
    ("file_text_too_long", xlsx({"A": [["word " * 50] * 20] * 20}), sniff.XLSX, {"most": 1000}),
    ("file_text_too_long", pdf([["word " * 10] * 40]), sniff.PDF, {"most": 100}),
    ("file_damaged", b"\x00\x01\x02" * 99, sniff.TEXT, {}),
    ("file_damaged", without(docx(["x"]), "word/document.xml"), sniff.DOCX, {}),
    ("file_text_too_long", bytes(101_000_000), sniff.MAIL, {"most": 1000}),
    ("internal", b"hello", sniff.TEXT, {"limits": Limits(30, None)}),
    ("file_text_too_long", b"word " * 600_000, sniff.TEXT, {"most": 1000}),
    ("file_text_too_long", b"word " * 5000, sniff.TEXT, {"most": 10_000}),
    ("file_text_too_long", b"a,b\n" + b"1,2\n" * 5000, sniff.CSV, {"most": 21_000}),
    ("file_damaged", letter("no-such-thing"), sniff.MAIL, {}),
    ("file_text_too_long", epub([("One", "word " * 500)]), sniff.EPUB, {"most": 1000}),
    ("file_text_too_long", epub([("One", "word " * 5000)]), sniff.EPUB, {"most": 1000}),
    ("file_damaged", without(epub([("One", "a")]), "META-INF/container.xml"), sniff.EPUB, {}),
    ("file_damaged", epub([("One", "a")])[:-100], sniff.EPUB, {}),
    ("file_too_expensive", runaway_pdf("hello"), sniff.PDF, {"limits": Limits(1, 1024)}),
    ("file_text_too_long", LETTERS, media_types.MAILBOX, LONG),
    (
        "file_text_too_long",
        saved_page("<p>" + "word " * 400 + "</p>"),
        media_types.SAVED_PAGE,
        LONG,
    ),
    ("file_damaged", saved_page("hello", "text/plain"), media_types.SAVED_PAGE, {}),
    ("file_damaged", packed({"content.xml": b"<"}), media_types.ODT, {}),
    ("file_damaged", open_document("<office:drawing/>"), media_types.ODT, {}),
    ("file_encrypted", open_document("", b"<m><encryption-data/></m>"), media_types.ODT, {}),
    ("file_text_too_long", open_document(SPREADSHEET), media_types.ODS, LONG),
    ("file_encrypted", packed({"a.txt": b"hello"}, locked=True), media_types.ARCHIVE, {}),
    ("file_type_unsupported", packed({"a.bin": bytes(99)}), media_types.ARCHIVE, {}),
    ("file_too_expensive", MANY, media_types.ARCHIVE, {}),
    ("file_damaged", packed({"a.txt": b"hello"})[:-30], media_types.ARCHIVE, {}),
    ("file_text_too_long", b"[" * 9 + b'"a",' * 60 + b'"a"' + b"]" * 9, media_types.JSON, LONG),
    ("file_damaged", b"[" * 90 + b"]" * 90, media_types.JSON, {}),
    ("file_damaged", b"Content-Type: message/rfc822\n\n" * 5000, sniff.MAIL, {}),
    ("file_damaged", b"[" * 200_000 + b"]" * 200_000, media_types.JSON, {}),
    ("file_damaged", b"From a\n" + letter("no-such-thing"), media_types.MAILBOX, {}),
    ("file_text_too_long", rb"{\rtf1 " + b"word " * 400 + b"}", media_types.RTF, LONG),
    ("file_text_too_long", rb"{\rtf1 " + bytes(68_000_000), media_types.RTF, LONG),
    (
        "file_text_too_long",
        b"<rss><channel>" + ENTRIES * 9 + b"</channel></rss>",
        media_types.FEED,
        LONG,
    ),
    ("file_text_too_long", b"<a>" + b" " * 90_000 + b"</a>", media_types.XML, LONG),
    ("file_damaged", b"- " * 200 + b"a", media_types.YAML, {}),
    ("file_damaged", compound({"__nameid_version1.0": {}}), media_types.OUTLOOK, {}),
    ("file_damaged", outlook({RTF: b"cut off"}), media_types.OUTLOOK, {}),
    ("file_damaged", outlook({RTF: rich(b"ODD!")}), media_types.OUTLOOK, {}),
    ("file_too_expensive", outlook({RTF: rich(b"LZFu", 2**26 + 1)}), media_types.OUTLOOK, {}),
)
WORD = compound({"WordDocument": bytes(600)})
LOCKED_WORD = compound({"WordDocument": bytes(10) + b"\0\1" + bytes(600)})
# Read where LibreOffice is installed, and cannot be started.
OLD = (
    ("file_damaged", WORD, media_types.DOC, {}),
    ("file_encrypted", LOCKED_WORD, media_types.DOC, {}),
    ("file_too_expensive", WORD + bytes(2**26), media_types.DOC, {}),
)
SNIFFED = (
    ("file_type_unsupported", b"GIF89a" + bytes(40), "a.gif"),
    ("file_type_unsupported", b"<svg xmlns='x'></svg>", "a.svg"),
    ("file_type_unsupported", b"PK\x03\x04" + bytes(99), "a.zip"),
    ("file_type_unsupported", ole("VisioDocument"), "a.vsd"),
    ("file_encrypted", ole("EncryptedPackage"), "a.docx"),
)


async def read(folder, code, content, media_type, **more):
    path = folder / os.urandom(8).hex()
    await asyncio.to_thread(path.write_bytes, content)
    most, limits = more.get("most", 10_000_000), more.get("limits", AMPLE)
    reading = ParserRun(path, media_type, "a", most, limits)
    await refused(code, read_all(reading))


async def killed(folder, number):
    path = folder / os.urandom(8).hex()
    path.write_bytes(runaway_pdf("hello"))
    reading = ParserRun(path, sniff.PDF, "a", 1000, AMPLE)

    async def kill():
        async with aclosing(reading.pages()) as pages:
            await anext(pages)
            os.kill(reading.process_id, number)
            await anext(pages)

    expensive = {signal.SIGABRT, signal.SIGXCPU}
    await refused("file_too_expensive" if number in expensive else "file_damaged", kill())


async def taken_over_or_gone(folder):
    with taken_over():
        for says, (_, code) in SAYS.items():
            await read(folder, code, b"x", says, most=10_000)
    await refused("internal", recognise(b"no picture"))
    gone = ParserRun(folder / "gone", sniff.TEXT, "a", 1000, AMPLE)
    await refused("file_damaged", read_all(gone))


async def gone_page(folder):
    path = folder / "one.pdf"
    path.write_bytes(pdf([["x"]]))
    document = Document("d" * 32, "o", "one.pdf", sniff.PDF, 1, "", 0.0)
    pictures = PageImages(folder / "pictures", 1024)
    await refused("not_found", pictures.image(document, path, 9, Marked(0, 1, 1), 300))


async def old_office(folder):
    """Office files of before 2007, without LibreOffice, and with one that is no good."""
    path = folder / "old.doc"
    path.write_bytes(WORD)
    kinds = Kinds(1024)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office_converter, "_PROGRAMS", ())
        patch.setattr(office_converter, "_PLACES", ())
        await refused("file_type_unsupported", kinds.media_type(path, "old.doc", "o"))
        await read(folder, "file_type_unsupported", WORD, media_types.DOC)
        (folder / LIBRARIES[0]).touch()
        patch.setattr(office_converter, "_PLACES", (str(folder),))
        assert await kinds.media_type(path, "old.doc", "o") == media_types.DOC
        for code, data, kind, more in OLD:
            await read(folder, code, data, kind, **more)
    await refused("internal", office_converter.convert(b"no such file", "doc"))
    path.write_bytes(b"GIF89a")
    await refused("file_type_unsupported", kinds.media_type(path, "old.doc", "o"))


async def all_cases(folder):
    gate = asyncio.Semaphore(2)

    async def gated(doing):
        async with gate:
            await doing

    signals = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU)
    # Who fails takes the others along: left to the end of the loop, some would hang in their start.
    async with asyncio.TaskGroup() as group:
        for code, data, kind, more in READ:
            group.create_task(gated(read(folder, code, data, kind, **more)))
        for number in signals:
            group.create_task(gated(killed(folder, number)))
        group.create_task(gone_page(folder))
    await old_office(folder)
    await taken_over_or_gone(folder)
    for code, data, name in SNIFFED:
        path = folder / name
        path.write_bytes(data)
        await refused(code, lambda path=path, name=name: sniff.media_type(path, name))
