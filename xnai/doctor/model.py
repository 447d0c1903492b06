"""Checks of the language model: its file, and whether it fits into memory."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from xnai.doctor.finding import CheckSubject, Finding, ok, problem, warning
from xnai.errors import MODEL_TOO_LARGE, XnaiError
from xnai.llm.calibration.choice import known_findings
from xnai.llm.gguf.catalogue import (
    BUNDLED_SHA256,
    COMPUTE_BYTES,
    CheckedModel,
    ModelFile,
    ModelFiles,
    kv_bytes,
)
from xnai.llm.gguf.header import Header
from xnai.llm.hardware import available_memory, human_size

AREA = "model"
LIST = "xnai models list"


def check(subject: CheckSubject) -> Iterator[Finding]:
    """Check the configured model."""
    settings = subject.settings
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
    yield _speed(files, file)
    yield from _fit(subject, files, file, header)


def _speed(files: ModelFiles, file: ModelFile) -> Finding:
    findings = known_findings(files, file.path)
    speed = findings.speed(findings.copy)
    if speed is None:
        return ok(
            "speed",
            "not measured yet: a server does that while nobody asks it and the machine is quiet",
        )
    text = f"reads {speed.read:.0f} and writes {speed.write:.0f} tokens a second here"
    text += f", {findings.told}"
    if not findings.done:
        text += "; measuring goes on while nobody asks and the machine is quiet"
    out = "; ".join(f"a copy in {kind} {reason}" for kind, reason in findings.out.items())
    return ok("speed", f"{text}; {out}" if out else text)


def _fit(
    subject: CheckSubject, files: ModelFiles, file: ModelFile, header: Header
) -> Iterator[Finding]:
    if subject.server is not None and subject.server.get("model") == "ready":
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
    """Return the digest of a file in hexadecimal digits; blocks."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
