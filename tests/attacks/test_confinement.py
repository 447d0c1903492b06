"""What a file that has taken over its reader could do: nothing, as a probe inside each child tells.

On the code of before, the reader could read every document, the index and the secret of the
cookies, open sockets, run a shell, delete files and open its parent's memory.
"""

import asyncio
import errno
import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from documents_files import docx, epub, pptx, xlsx
from hostile_reader import SAYS, taken_over

from rig.pdf_files import pdf
from xnai.documents.parsers import converters, office_converter, process
from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.frames import (
    PageBlocks,
    PageCount,
    PagePart,
    Parse,
    Words,
)
from xnai.documents.parsers.process import Limits
from xnai.errors import XnaiError
from xnai.llm.engine import launch
from xnai.processes import child
from xnai.processes.sandbox import landlock, probe, seccomp, trial
from xnai.processes.sandbox.syscalls import numbers

PATIENCE = 60.0
AMPLE = Limits(PATIENCE, 1024)
# Whatever the machine of the tests is: it must be able to tell.
LANDLOCK, SECCOMP = landlock.version() > 0, bool(numbers())
# What only the one layer refuses; all else is shut without it too.
BY_LANDLOCK_ALONE = {
    "read the document",
    "read the index",
    "read the secret",
    "list the folder of documents",
    "list the settings of the system",
    "list the root folder",
    "read the passwords of the system",
    "read the memory of the parent",
    "read the environment of the parent",
    "list the files of the parent",
}


@pytest.fixture
def targets(monkeypatch):
    for name in ("XNAI_API_KEYS", "OPENAI_API_KEY", "HF_TOKEN", "CHAINLIT_AUTH_SECRET"):
        monkeypatch.setenv(name, "s3cret-s3cret-s3cret")
    with trial.decoys() as made:
        yield made


def assert_all_is_shut(tried: trial.EscapeTrial, targets) -> None:
    assert len(tried.tried) > 50
    assert set(tried.holes) <= (set() if LANDLOCK else BY_LANDLOCK_ALONE)
    names = ("document", "index", "secret")
    assert [Path(targets[name]).read_text() for name in names] == ["decoy"] * 3
    assert {path.name for path in Path(targets["folder"]).iterdir()} == set(names)


def test_the_machine_of_the_tests_has_both_layers():
    assert (LANDLOCK, SECCOMP) == (True, True)


async def test_the_reader_of_documents_cannot_break_out(targets):
    assert_all_is_shut(await process.probe(targets), targets)


async def test_a_converter_cannot_break_out(targets):
    assert_all_is_shut(await converters.probe(targets), targets)


@pytest.mark.needs("libreoffice")
async def test_libreoffice_cannot_break_out(targets):
    assert_all_is_shut(await office_converter.probe(targets), targets)


@pytest.mark.engine
async def test_the_process_of_the_model_cannot_break_out(targets):
    assert_all_is_shut(await launch.probe(targets), targets)


@pytest.mark.engine
async def test_nor_can_that_which_writes_a_copy_of_a_model(targets, tmp_path):
    assert_all_is_shut(await launch.probe(targets, str(tmp_path)), targets)


def probed(script: str) -> dict[str, str]:
    """What the probe tells when it is run after a script, in a process that nothing else holds."""
    with trial.decoys() as made:
        code = (
            "import json, os, sys\n"
            "from xnai.processes.sandbox import landlock, probe, profiles, seccomp\n"
            f"{script}\nfor told in probe.attempts(json.loads(sys.argv[1])):\n"
            "    print(json.dumps(told), flush=True)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(made)],
            capture_output=True,
            check=False,
            env=child.environment(),
            timeout=PATIENCE,
        )
        assert done.stdout, done.stderr
        return trial.read(done.stdout).tried


def test_the_probe_finds_what_is_open():
    open_ways = {name for name, refused in probed("").items() if not refused}

    assert open_ways > BY_LANDLOCK_ALONE
    assert {"start a shell", "open a UDP socket", "delete a document", probe.LAST} <= open_ways


def test_without_landlock_the_filter_of_calls_still_holds():
    script = (
        "rules = seccomp.rules(os.getpid(), writes=False, programs=False, devices=False)\n"
        "from xnai.processes.sandbox.kernel import prctl\nprctl(38, 1)\n"
        "assert seccomp.install(seccomp.program(rules))"
    )
    open_ways = {name for name, refused in probed(script).items() if not refused}

    assert open_ways == BY_LANDLOCK_ALONE


def test_without_the_filter_landlock_still_holds():
    script = (
        "from xnai.processes.sandbox.kernel import prctl\nprctl(38, 1)\n"
        "profile = profiles.parser(())\n"
        "assert landlock.restrict((path, landlock.READ) for path in profile.read)"
    )
    open_ways = {name for name, refused in probed(script).items() if not refused}

    assert not open_ways & {*BY_LANDLOCK_ALONE, "delete a document", "start a shell", probe.LAST}
    assert not open_ways & {"overwrite a document", "connect to a port of this machine"}


OF_PAGES = (PageBlocks, PageCount, PagePart, Words)


async def test_the_reader_sees_the_one_document_and_not_its_name_or_neighbours(tmp_path):
    path, other = tmp_path / "document", tmp_path / "other"
    path.write_bytes(b"The lamp was replaced in October.")
    other.write_bytes(b"of somebody else")
    task = Parse(str(path), sniff.TEXT, 1000)
    async with process.worker("a.txt", AMPLE, task) as running:
        command = " ".join(psutil.Process(running.pid).cmdline())
        while not isinstance(frame := await running.result(*OF_PAGES), PagePart):
            pass
        assert "lamp" in frame.text

    assert str(tmp_path) not in command


async def test_a_file_that_is_gone_is_said_to_be(tmp_path):
    with pytest.raises(XnaiError) as caught:
        await read_all(ParserRun(tmp_path / "gone", sniff.TEXT, "a.txt", 1000, AMPLE))

    assert caught.value.code == "file_damaged"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"The lamp.", sniff.TEXT),
        (b"a,b\nlamp,1\n", sniff.CSV),
        (b"<html><body><p>The lamp.</p></body></html>", sniff.HTML),
        (pdf([["The lamp."]]), sniff.PDF),
        (docx(["The lamp."]), sniff.DOCX),
        (pptx([("One", "The lamp.")]), sniff.PPTX),
        (xlsx({"One": [["lamp", "price"], ["lamp", 2.0]]}), sniff.XLSX),
        (epub([("One", "The lamp.")]), sniff.EPUB),
        (b"From: a@example.org\nSubject: x\n\nThe lamp.\n", sniff.MAIL),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) else "",
)
async def test_every_format_is_read_from_inside(tmp_path, content, media_type):
    path = tmp_path / "content"
    path.write_bytes(content)
    pages = await read_all(ParserRun(path, media_type, "file", 10**6, AMPLE))

    assert "lamp" in "".join(page.text for page in pages)


@pytest.mark.parametrize("says", SAYS)
async def test_a_reader_that_was_taken_over_costs_its_document_alone(tmp_path, says):
    path = tmp_path / "content"
    path.write_bytes(b"x")
    with taken_over(), pytest.raises(XnaiError) as caught:
        async with asyncio.timeout(PATIENCE):
            await read_all(ParserRun(path, says, "file", 10**5, AMPLE))

    assert caught.value.code == SAYS[says][1]


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"P5 10 10 255\n" + bytes(99),
        b"P5 99999 99999 255\n" + bytes(9),
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"II*\0" + bytes(50),
    ],
)
async def test_a_picture_of_another_kind_never_reaches_the_converter(picture, monkeypatch):
    monkeypatch.setattr(converters, "_output", None)  # whatever calls it fails
    with pytest.raises(XnaiError) as caught:
        await converters.recognise(picture)

    assert caught.value.code == "internal"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"PK\x03\x04", b"{\\rtf1 x}"])
async def test_a_file_of_another_kind_never_reaches_libreoffice(content, monkeypatch):
    monkeypatch.setattr(office_converter, "program_folder", None)  # whatever calls it fails
    with pytest.raises(XnaiError) as caught:
        await office_converter.convert(content, "doc")

    assert caught.value.code == "internal"


async def test_a_converter_that_fails_leaves_no_scratch_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert await converters._output("/bin/false", seconds=PATIENCE) == b""
    assert await converters._output("/nowhere/tesseract", seconds=PATIENCE) == b""
    assert list(tmp_path.iterdir()) == []


async def test_a_converter_that_does_not_end_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    slow = asyncio.create_task(converters._output("/bin/sleep", "600", seconds=3))
    assert await slow == b""
    left = [one for one in psutil.Process().children() if "sleep" in one.name()]
    assert (left, list(tmp_path.iterdir())) == ([], [])


def test_what_the_filter_says_is_the_same_on_both_processors():
    rules = seccomp.rules(4711, writes=True, programs=True, devices=False)
    unknown = {name for name in rules if name not in numbers("x86_64")}
    assert unknown == set()
    for machine in ("x86_64", "aarch64"):
        filtered = seccomp.program(rules, machine)
        assert 0 < len(filtered) // 8 <= 4096  # the kernel's limit of steps
        assert len(filtered) % 8 == 0
    assert seccomp.program(rules, "riscv64") == b""


def test_a_device_that_a_profile_names_can_be_controlled_and_no_other():
    code = """
import fcntl, sys
from xnai.processes.sandbox.confine import confine
from xnai.processes.sandbox.profiles import Profile
confine(Profile(read=("/proc/self",), devices=("/dev/null",)))
open("/dev/null", "r+b").close()
try:
    open("/dev/zero", "rb")
except PermissionError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=child.environment(),
        timeout=PATIENCE,
    )
    assert done.stdout == b"refused\n"


def test_a_library_s_thread_beside_it_is_noticed():
    script = """
import threading
from xnai.processes.sandbox.confine import confine
from xnai.processes.sandbox.profiles import Profile
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(confine(Profile()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=PATIENCE
    )
    assert done.stdout == b"False\n"


def test_what_is_newer_than_the_filter_does_not_exist_for_it():
    code = f"""
from xnai.processes.sandbox.confine import confine
from xnai.processes.sandbox.kernel import error, syscall
from xnai.processes.sandbox.profiles import Profile
confine(Profile())
syscall(9999)
unknown = error()
syscall({numbers()["clone3"]}, bytes(88), 88)
print(unknown, error())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.split() == [str(errno.ENOSYS).encode()] * 2
