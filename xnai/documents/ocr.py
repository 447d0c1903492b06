"""Text recognition by the tesseract program, if it is installed; used in the worker process only.

The picture goes in and the text comes out through pipes: nothing is written to the disk.
"""

import functools
import os
import shutil
import subprocess
from io import BytesIO
from typing import Any

from xnai.documents.confinement import be_killed_with_parent

DOTS_PER_POINT = 200 / 72  # what tesseract is at its best with
MAX_PIXELS = 16_000_000
PAGE_SECONDS = 60.0
_LANGUAGES = "osd"  # of what is installed, not a language


@functools.cache
def _program() -> str | None:
    return shutil.which("tesseract")


def is_installed() -> bool:
    """Whether pictures of text can be read."""
    return _program() is not None


@functools.cache
def _languages() -> str:
    """All languages that are installed, as tesseract wants them: ``deu+eng``."""
    listed = _run("--list-langs").decode(errors="replace").splitlines()[1:]
    found = [name for name in listed if name and "/" not in name and name != _LANGUAGES]
    # The first one counts most; English is there wherever tesseract is.
    return "+".join(sorted(found, key=lambda name: (name != "eng", name))[:4]) or "eng"


def text_of(page: Any) -> str:
    """Read a page of pdfium; empty if nothing could be recognised."""
    width, height = page.get_size()
    scale = min(DOTS_PER_POINT, (MAX_PIXELS / max(width * height, 1)) ** 0.5)
    picture = BytesIO()
    page.render(scale=scale, grayscale=True).to_pil().save(picture, "PNG", compress_level=1)
    read = _run("stdin", "stdout", "-l", _languages(), data=picture.getvalue())
    return read.decode(errors="replace").replace("\f", "").strip()


def _run(*arguments: str, data: bytes = b"") -> bytes:
    program = _program()
    assert program is not None
    try:
        # The parent kills both, but not if this process crashes or the parent is killed itself.
        done = subprocess.run(  # noqa: S603 - no shell, arguments of our own
            [program, *arguments],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PAGE_SECONDS,
            check=False,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            preexec_fn=be_killed_with_parent,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
