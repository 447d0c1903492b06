"""Checks of what searching needs: the embedding model's files, and tesseract for scans."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from xnai.doctor.finding import CheckSubject, Finding, ok, problem, warning
from xnai.doctor.model import sha256
from xnai.errors import XnaiError
from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.model_folder import read_folder
from xnai.retrieval.embedding.switching import configured_folder

AREA = "embedding"


def check_embedding(subject: CheckSubject) -> Iterator[Finding]:
    """Check the bundled model's files and their checksums, and the folders that settings name."""
    settings = subject.settings
    for file in (weights.MODEL, weights.TOKENIZER):
        try:
            path = weights.locate(file)
        except XnaiError as exc:
            yield problem(AREA, exc.message, "make setup")
        else:
            if sha256(path) == file.sha256:
                yield ok(AREA, f"{path.name} of {file.package}; its sha256 is right")
            else:
                yield problem(AREA, f"{path} is not the file that was shipped", "make setup")
    for setting, folder in (
        ("XNAI_EMBEDDER", configured_folder(settings)),
        ("XNAI_RERANKER", settings.reranker),
    ):
        if not folder:
            continue
        try:
            read_folder(Path(folder), setting)
        except XnaiError as exc:
            yield problem(AREA, exc.message, f"ls -l {folder}")
        else:
            yield ok(AREA, f"{setting}={folder} has what is needed")


def check_scans(_: CheckSubject) -> Iterator[Finding]:
    """Check whether pictures of text can be read."""
    if shutil.which("tesseract"):
        yield ok("scans", "tesseract is installed")
    elif find_spec("rapidocr"):
        yield ok("scans", "pictures of text are read by models (tesseract would be quicker)")
    else:
        text = "neither tesseract nor rapidocr is installed: pictures of text cannot be read"
        yield warning("scans", text, "sudo apt install tesseract-ocr")
