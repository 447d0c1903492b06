"""The parent's end of LibreOffice, where that is installed: old Office files become new ones."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import structlog

from xnai.documents.parsers import magic
from xnai.documents.parsers.frames import OldOffice
from xnai.documents.parsers.office_worker import LIBRARIES, PROBE
from xnai.errors import INTERNAL, XnaiError
from xnai.processes import child
from xnai.processes.sandbox import trial

SECONDS = 180.0  # for a file; ten thousand rows take five
_MEMORY_MB = 2048
_MOST = 2**26  # bytes of what is made
_MODULE = "xnai.documents.parsers.office_worker"
_TARGETS: Mapping[OldOffice, str] = {"doc": "docx", "xls": "xlsx", "ppt": "pptx", "xlsb": "xlsx"}
_PROGRAMS = ("soffice", "libreoffice")
_PLACES = ("/usr/lib/libreoffice/program", "/usr/lib64/libreoffice/program")

_log = structlog.get_logger(__name__)


def program_folder() -> str:
    """Where LibreOffice's libraries are; empty if it is not installed, or not on Linux."""
    if sys.platform != "linux":
        return ""
    found = [Path(path).resolve().parent for name in _PROGRAMS if (path := shutil.which(name))]
    folders = [*found, *map(Path, _PLACES)]
    return next((str(one) for one in folders if any((one / n).exists() for n in LIBRARIES)), "")


async def convert(document: bytes, kind: OldOffice, seconds: float = SECONDS) -> bytes:
    """Return what LibreOffice makes of an old Office file; nothing if it cannot.

    Raises:
        XnaiError: INTERNAL, it is no such file: its sender is not to be trusted.

    """
    if not document.startswith(magic.ZIP if kind == "xlsb" else magic.OLE):
        raise XnaiError(INTERNAL)
    if not program_folder():
        return b""
    scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="xnai-convert-"))
    made = scratch / f"out.{_TARGETS[kind]}"
    try:
        await asyncio.to_thread((scratch / f"in.{kind}").write_bytes, document)
        program = confined(str(scratch), _TARGETS[kind], seconds=seconds)
        outcome = await child.run(program, seconds=seconds)
        if outcome.code == 0:
            return await asyncio.to_thread(_content, made)
        _log.warning("converter_failed", program="libreoffice", exit_code=outcome.code)
    except (OSError, TimeoutError) as exc:
        _log.warning("converter_failed", program="libreoffice", reason=type(exc).__name__)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    return b""


def _content(path: Path) -> bytes:
    """What was made, if it is no more than is read, and a file indeed."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(number, "rb") as file:
        data = file.read(_MOST + 1)
    return data if len(data) <= _MOST else b""


def confined(scratch: str, target: str, *more: str, seconds: float) -> child.Program:
    """The process that converts what lies in its scratch folder, as it is started."""
    given = (str(os.getpid()), str(_MEMORY_MB), str(seconds), program_folder(), scratch, target)
    # Without a screen, and with nothing of the user who runs the server.
    extra = {"HOME": scratch, "TMPDIR": scratch, "SAL_USE_VCLPLUGIN": "svp"}
    command = (sys.executable, "-P", "-m", _MODULE, *given, *more)
    return child.Program(command, child.environment(extra=extra), folder=Path(scratch))


async def probe(targets: Mapping[str, str]) -> trial.EscapeTrial:
    """Try from inside LibreOffice's process what must not go.

    Args:
        targets: see ``xnai.processes.sandbox.probe``.

    """
    with tempfile.TemporaryDirectory(prefix="xnai-convert-") as scratch:
        program = confined(scratch, PROBE, json.dumps(dict(targets)), seconds=30)
        return trial.read((await child.run(program, seconds=30)).output)
