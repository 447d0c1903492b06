"""``python -m xnai.llm.probe JSON``: compare this engine with a plain build's logits.

The argument is a ``SelfTestTask``: ``variants`` names the CPU parts of a dynamic build, ``compare``
compares, ``record`` writes the reference beside this file anew: do that with a plain build
(``-DGGML_NATIVE=OFF`` and all vectors off) when the version of llama.cpp changes. Each part is
named on standard output before it begins, so that a crash can be told by its part; the last line
has the deviations.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np

from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.probe import tiny_model
from xnai.llm.probe.reading import LogitReading, Logits
from xnai.llm.probe.task import SelfTestTask
from xnai.llm.worker.llama import load_backends, requantise, variants
from xnai.llm.worker.tokenizer import NativeError

REFERENCE = Path(__file__).with_name("reference.json")
BUNDLED = "bundled"
TYPES = ("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K")
# More than 64 tokens: from there on kernels for whole batches are used.
PROMPT = 72
ROWS = (15, 47, PROMPT - 1)  # places after which logits are compared
SAMPLE = 256  # of a vocabulary
WRITTEN = 16
DOUBTFUL = 0.5  # lead of a token's logit over the next that rounding may turn round
DIGITS = 4
TEXT = (
    "The harbour was built in 1842, when the river still carried timber from the hills to the sea. "
    "Two stone towers stand at its mouth. The keeper lights a lamp in each of them every evening, "
    "and writes into a book which ships came in, what they carried, and who paid the toll. On the "
    "third of March a boat arrived with salt and"
)


class WrongError(Exception):
    """The engine's numbers are not numbers; the text says of what."""


def main() -> int:
    """Do what the argument says; returns the exit status."""
    task = SelfTestTask.from_json(sys.argv[1])
    log = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(log, None)
    try:
        if task.what == "variants":
            _tell(variants=variants())
        else:
            load_backends()
            _compare(task.threads, Path(task.scratch), record=task.what == "record")
    except (NativeError, WrongError, OSError) as exc:
        _tell(failed=str(exc) or type(exc).__name__)
        return 1
    return 0


def _compare(threads: int, scratch: Path, *, record: bool) -> None:
    reference = {} if record else json.loads(REFERENCE.read_text("utf-8"))
    found = _bundled(threads, reference.get(BUNDLED, {}))
    for kind in TYPES:
        found |= _tiny(kind, scratch, threads, reference.get(kind, {}))
    if record:
        REFERENCE.write_text(json.dumps(found, separators=(",", ":")) + "\n", "utf-8")
        return
    features = lib.llama_print_system_info().decode("utf-8", "replace")
    _tell(deviations=found, features=features)


def _bundled(threads: int, reference: dict[str, Any]) -> dict[str, Any]:
    """The bundled model: a prompt read at once and token by token, then 16 tokens written."""
    _tell(part=BUNDLED)
    path = bundled_path()
    if path is None:
        raise WrongError("the bundled model is not installed")
    with LogitReading(path, PROMPT + WRITTEN, threads) as reading:
        tokens = reading.tokens(TEXT)[:PROMPT]
        rows = _rows(reading, tokens)
        written, margins = [], []
        last = rows["batch"][-1]
        for step in range(WRITTEN):
            best, second = np.sort(last)[-1:-3:-1]
            margins.append(round(float(best - second), DIGITS))
            written.append(int(last.argmax()))
            token = reference["written"][step] if reference else written[-1]
            last = _finite(reading.read([token], [0])[0])
    if not reference:
        return {BUNDLED: {**_kept(rows["batch"]), "written": written, "margins": margins}}
    found = _deviations(BUNDLED, rows, reference)
    found["written"] = _unlike(written, reference)
    return found


def _tiny(kind: str, scratch: Path, threads: int, reference: dict[str, Any]) -> dict[str, Any]:
    """A model of one layer whose tensors are all of one type."""
    _tell(part=kind)
    source, path = scratch / "tiny.gguf", scratch / f"tiny-{kind}.gguf"
    if not source.exists():
        tiny_model.write(source)
    requantise(source, path, threads, kind, pure=True)
    with LogitReading(path, PROMPT, threads) as reading:
        rows = _rows(reading, [(number * 37 + 11) % tiny_model.WIDTH for number in range(PROMPT)])
    return _deviations(kind, rows, reference) if reference else {kind: _kept(rows["batch"])}


def _rows(reading: LogitReading, tokens: Sequence[int]) -> dict[str, list[Logits]]:
    """Logits after ``ROWS``, read token by token and, last, in one batch."""
    single: list[Logits] = []
    for place, token in enumerate(tokens):
        _tell(read=place)
        single += reading.read([token], [0] if place in ROWS else [])
    reading.forget()
    batch = reading.read(tokens, ROWS)
    return {"single": [_finite(row) for row in single], "batch": [_finite(row) for row in batch]}


def _finite(row: Logits) -> Logits:
    if not np.isfinite(row).all():
        raise WrongError("some of its logits are not numbers")
    return row


def _sample(row: Logits) -> Logits:
    return row[:: max(1, row.size // SAMPLE)][:SAMPLE]


def _kept(rows: list[Logits]) -> dict[str, Any]:
    return {"rows": [[round(float(x), DIGITS) for x in _sample(row)] for row in rows]}


def _deviations(
    name: str, rows: dict[str, list[Logits]], reference: dict[str, Any]
) -> dict[str, float]:
    """Root mean square of the differences, in parts of the reference's spread, of the worst row."""
    expected = [np.array(row, np.float32) for row in reference["rows"]]
    return {
        f"{name}, {how}": round(
            max(
                float(np.sqrt(np.mean((_sample(row) - right) ** 2)) / right.std())
                for row, right in zip(found, expected, strict=True)
            ),
            DIGITS,
        )
        for how, found in rows.items()
    }


def _unlike(written: list[int], reference: dict[str, Any]) -> float:
    """Share of the written tokens that differ although the reference was sure of its own.

    A token whose lead over the next is a rounding error may come out either way.
    """
    sure = [margin > DOUBTFUL for margin in reference["margins"]]
    differ = [
        one != right
        for one, right, is_sure in zip(written, reference["written"], sure, strict=True)
        if is_sure
    ]
    return float(sum(differ) / len(written))


def _tell(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # what llama.cpp does when a process ends is not what is tested
