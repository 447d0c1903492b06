"""Programs that read what no library of ours can: started by the server, each in a cage of its own.

The reader of a document may start nothing; what it needs of a program it asks for by its pipe. The
program sees its own libraries, what is given to it, and a scratch folder that goes when it ends.
"""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import structlog

import xnai
from xnai.errors import INTERNAL, XnaiError
from xnai.processes import child
from xnai.processes.sandbox import profiles, trial

PAGE_SECONDS = 60.0
DOCUMENT_SECONDS = 2 * 3600.0  # for all pictures of a document; those that are left stay unread
TESSERACT, MODELS = "tesseract", "rapidocr"
_NO_LANGUAGES = {"osd", "equ"}  # of what is installed
_MEMORY_MB = 1024
_MOST_TEXT = 2**21  # bytes of a page
_PICTURE = re.compile(rb"P5 (\d{1,5}) (\d{1,5}) 255\n")

# The folder that our package lies in cannot be listed from inside: Python is told of the package.
_PROBE = """
import runpy, sys
from importlib.util import module_from_spec, spec_from_file_location as found
spec = found("xnai", sys.argv[2], submodule_search_locations=[sys.argv[3]])
sys.modules["xnai"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["xnai"])
runpy.run_module("xnai.processes.sandbox.probe", run_name="__main__")
"""

_log = structlog.get_logger(__name__)
_languages: dict[str, str] = {}  # by program


def recogniser() -> str:
    """Where tesseract is; empty if it is not installed."""
    return shutil.which("tesseract") or ""


def recognisers() -> tuple[str, ...]:
    """What can read pictures of text here, the quickest first."""
    found = (TESSERACT,) if recogniser() else ()
    return (*found, MODELS) if find_spec("rapidocr") is not None else found


def require_picture(picture: bytes) -> None:
    """Make sure that a picture is a PGM: its maker is not to be trusted.

    Raises:
        XnaiError: INTERNAL, it is none.

    """
    head = _PICTURE.match(picture)
    if head is None or len(picture) - head.end() != int(head[1]) * int(head[2]):
        raise XnaiError(INTERNAL)


async def recognise(picture: bytes, seconds: float = PAGE_SECONDS, *, sparse: bool = False) -> str:
    """Return the words of a picture (PGM) with their places, the table that tesseract writes.

    A line before it names the languages that it was read in; empty if it cannot be read.

    Args:
        picture: in PGM.
        seconds: that it may take.
        sparse: whether its words stand here and there.

    Raises:
        XnaiError: INTERNAL, it is no such picture.

    """
    require_picture(picture)
    program = recogniser()
    if not program:
        return ""
    if program not in _languages:
        listed = await _output(program, "--list-langs", seconds=seconds)
        _languages[program] = _chosen(listed.decode(errors="replace"))
    languages = _languages[program]
    # 11: text wherever it stands, as in the cells of a table, and in no order.
    mode = "11" if sparse else "3"
    arguments = ("stdin", "stdout", "-l", languages, "--psm", mode, "--dpi", "300", "tsv")
    read = await _output(program, *arguments, given=picture, seconds=seconds)
    return f"Languages: {languages}\n{read.decode(errors='replace')}" if read else ""


async def orientation(picture: bytes, seconds: float = PAGE_SECONDS) -> str:
    """Return what tesseract says of how a picture (PGM) has to be turned.

    Raises:
        XnaiError: INTERNAL, it is no such picture.

    """
    require_picture(picture)
    program = recogniser()
    if not program:
        return ""
    arguments = ("stdin", "stdout", "--psm", "0", "--dpi", "300")
    read = await _output(program, *arguments, given=picture, seconds=seconds)
    return read.decode(errors="replace")


def _chosen(listed: str) -> str:
    """All languages that are installed, as tesseract wants them: ``deu+eng``."""
    found = [name for name in listed.splitlines()[1:] if name and "/" not in name]
    found = [name for name in found if name not in _NO_LANGUAGES]
    # The first one counts most; English is there wherever tesseract is.
    return "+".join(sorted(found, key=lambda name: (name != "eng", name))[:4]) or "eng"


async def _output(program: str, *arguments: str, given: bytes = b"", seconds: float) -> bytes:
    """What a program says, confined; nothing if it fails."""
    scratch = await asyncio.to_thread(tempfile.mkdtemp, prefix="xnai-convert-")
    try:
        outcome = await child.run(
            confined(program, arguments, scratch, seconds),
            seconds=seconds,
            given=given,
            most=_MOST_TEXT,
        )
    except (OSError, TimeoutError) as exc:
        _log.warning("converter_failed", program=Path(program).name, reason=type(exc).__name__)
        return b""
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    if outcome.code != 0:
        _log.warning("converter_failed", program=Path(program).name, exit_code=outcome.code)
        return b""
    return outcome.output


def confined(
    program: str,
    arguments: tuple[str, ...],
    scratch: str,
    seconds: float,
    profile: profiles.Profile | None = None,
) -> child.Program:
    """A program as it is started: ``xnai.processes.sandbox.launch`` confines itself, then runs it.

    Args:
        program: where it is.
        arguments: what it is given.
        scratch: a folder that is its own.
        seconds: of the processor's time.
        profile: what it may do, unless that is what any converter may.

    """
    profile = profile or profiles.converter(program, scratch)
    launcher = (sys.executable, "-P", "-m", "xnai.processes.sandbox.launch")
    limits = (str(os.getpid()), profile.to_json(), str(_MEMORY_MB), str(seconds))
    environment = child.environment(
        ("TESSDATA_",), {"OMP_THREAD_LIMIT": "1", "HOME": scratch, "TMPDIR": scratch}
    )
    command = (*launcher, *limits, str(Path(program).resolve()), *arguments)
    return child.Program(command, environment, folder=Path(scratch))


async def probe(targets: Mapping[str, str]) -> trial.EscapeTrial:
    """Try from inside a converter's cage what must not go.

    Args:
        targets: see ``xnai.processes.sandbox.probe``.

    """
    with tempfile.TemporaryDirectory(prefix="xnai-convert-") as scratch:
        package = Path(xnai.__file__)
        places = (str(package), str(package.parent))
        arguments = ("-P", "-c", _PROBE, json.dumps(dict(targets)), *places)
        profile = profiles.probe(sys.executable, scratch)
        program = confined(sys.executable, arguments, scratch, 30, profile)
        return trial.read((await child.run(program, seconds=30)).output)
