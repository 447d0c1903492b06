"""Nothing that looks into a stranger's file runs in the server's process."""

import asyncio
import sys

import pytest
from documents_files import docx, ole
from paths import ROOT
from source_imports import imports, source

from rig.pdf_files import pdf
from xnai.documents.parsers import magic
from xnai.documents.parsers.kinds import Kinds
from xnai.errors import XnaiError

# What of the folders of readers is the server's own: it starts children and hears what they say.
OF_THE_SERVER = {
    "__init__", "client", "converters", "frames", "kinds", "magic", "page_image",
    "picture_reader", "process",
}  # fmt: skip
READERS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("parsers", "pdf")
    for path in (ROOT / "xnai" / "documents" / folder).rglob("*.py")
    if path.stem not in OF_THE_SERVER
}
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(50)
# Those that are refused by their first bytes, with what they are called.
REFUSED = {
    "a GIF image": b"GIF89a" + bytes(50),
    "a GGUF model: put it into the models folder": b"GGUF" + bytes(50),
    "a tar archive: unpack it first": bytes(257) + b"ustar" + bytes(50),
}


def test_the_server_imports_no_reader():
    seen, waiting = set(), ["app", "xnai.cli.main", "xnai.runtime"]
    while waiting:
        name = waiting.pop()
        path = source(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        # What is imported within functions too, and the members of packages.
        waiting += [*imports(path), name.rpartition(".")[0]]
    assert len(READERS) > 15
    assert seen & READERS == set()
    assert "xnai.documents.library" in seen


@pytest.fixture
def kind(tmp_path):
    kinds = Kinds(1024)

    async def tell(content, name="file", owner="o"):
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        path.write_bytes(content)
        return await kinds.media_type(path, name, owner)

    return tell


@pytest.mark.parametrize("found", REFUSED)
async def test_what_the_first_bytes_rule_out_is_refused_without_a_process(kind, found, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere")

    with pytest.raises(XnaiError) as caught:
        await kind(REFUSED[found], "a.bin")

    assert caught.value.code == "file_type_unsupported"
    assert caught.value.values == {"name": "a.bin", "found": found}


async def test_a_pdf_is_known_without_a_process(kind, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere")

    assert "application/pdf" == await kind(pdf([["x"]]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"plain words", "text/plain"),
        (b"noise\n" + pdf([["x"]]), "application/pdf"),
        (IMAGE[:8] + pdf([["x"]]), "application/pdf"),
        (b"junk\n%PDF-" + b"1" * 64_000, "text/plain"),
        (b"MZ is how Windows programs begin.", "text/plain"),
    ],
)
async def test_what_the_first_bytes_leave_open_is_told_by_the_reader(kind, content, expected):
    assert expected == await kind(content)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (ole("EncryptedPackage"), "file_encrypted"),
        (ole("VisioDocument"), "file_type_unsupported"),
        (b"<svg xmlns='x'></svg>", "file_type_unsupported"),
        (b"PK\x03\x04" + bytes(99), "file_type_unsupported"),
    ],
)
async def test_what_the_reader_refuses_is_refused_by_name(kind, content, code):
    with pytest.raises(XnaiError, match=r"a\.xls") as caught:
        await kind(content, "a.xls")

    assert caught.value.code == code


async def test_many_files_of_one_owner_leave_a_turn_to_others(kind):
    done = []

    async def tell(owner):
        await kind(docx(["x"]), owner=owner)
        done.append(owner)

    async with asyncio.TaskGroup() as group:
        for owner in ("many",) * 12 + ("one",):
            group.create_task(tell(owner))

    assert done.index("one") < 4


def test_the_bytes_that_are_compared_lie_within_the_head():
    assert all(offset + len(found) <= magic.HEAD for offset, found, _ in magic._MAGIC)
