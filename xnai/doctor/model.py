"""The language model: its file, and whether it fits into memory."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from xnai.doctor.finding import Finding, Patient, ok, problem, warning
from xnai.errors import MODEL_TOO_LARGE, XnaiError
from xnai.llm.files import (
    BUNDLED_SHA256,
    COMPUTE_BYTES,
    CheckedModel,
    ModelFile,
    ModelFiles,
    kv_bytes,
)
from xnai.llm.gguf import Header
from xnai.llm.machine import available_memory, human_size

AREA = "model"
LIST = "xnai models list"


def check(patient: Patient) -> Iterator[Finding]:
    """The configured model."""
    settings = patient.settings
    if settings.llm_url and not settings.llm_fallback:
        yield ok(AREA, "none of this machine: XNAI_LLM_URL names who answers")
        return
    files = ModelFiles(settings)
    try:
        file = files.configured()
        header = files.inspect(file)
    except XnaiError as exc:
        yield problem(AREA, exc.message, LIST)
        return
    if file.bundled and sha256(file.path) != BUNDLED_SHA256:
        yield problem(AREA, f"{file.path.name} is not the file that was published", "make setup")
        return
    checked = "; its sha256 is right" if file.bundled else ""
    size = human_size(file.path.stat().st_size)
    yield ok(AREA, f"{file.name}, {header.quantisation}, {size}{checked}")
    yield from _fit(patient, files, file, header)


def _fit(patient: Patient, files: ModelFiles, file: ModelFile, header: Header) -> Iterator[Finding]:
    if patient.server is not None and patient.server.get("model") == "ready":
        yield ok("context", "the running server has its model in memory")
        return
    try:
        plan = files.plan(file, header)
    except XnaiError as exc:
        if exc.kind is not MODEL_TOO_LARGE:
            raise
        yield _too_large(exc, header)
        return
    yield _context(plan, header)


def _too_large(error: XnaiError, header: Header) -> Finding:
    room = available_memory() - header.tensor_bytes - COMPUTE_BYTES
    tokens = room // max(1, kv_bytes(header, 1))
    if tokens >= 512:  # noqa: PLR2004 - less is of no use for documents
        rounded = tokens // 256 * 256
        return problem("context", error.message, f"XNAI_CONTEXT={rounded} make run")
    return problem("context", error.message, LIST)


def _context(plan: CheckedModel, header: Header) -> Finding:
    trained = header.integer("context_length")
    needed = human_size(plan.needed_bytes)
    text = (
        f"{plan.context:,} tokens of {trained:,} for each of {plan.capacity.slots} answers at a "
        f"time; {needed} of memory with the weights"
    )
    if plan.context < 1024:  # noqa: PLR2004
        words = f"{text}: too little for passages of documents"
        return warning("context", words, "XNAI_CONTEXT=4096 make run")
    return ok("context", text)


def sha256(path: Path) -> str:
    """Digest of a file in hexadecimal digits; blocks."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
