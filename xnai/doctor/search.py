"""What searching needs: the embedding model's files, and tesseract for scans."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from xnai.doctor.finding import Finding, Patient, ok, problem, warning
from xnai.doctor.model import sha256
from xnai.errors import XnaiError
from xnai.retrieval import weights
from xnai.retrieval.model_folder import read_folder

AREA = "embedding"


def check_embedding(patient: Patient) -> Iterator[Finding]:
    """The bundled model's files and their checksums, and the folders that settings name."""
    settings = patient.settings
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
        ("XNAI_EMBEDDER", settings.embedder),
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


def check_scans(_: Patient) -> Iterator[Finding]:
    """Whether pictures of text can be read."""
    if shutil.which("tesseract"):
        yield ok("scans", "tesseract is installed")
    else:
        text = "tesseract is not installed: PDFs that are pictures cannot be read"
        yield warning("scans", text, "sudo apt install tesseract-ocr")
