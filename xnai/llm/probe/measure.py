"""``python -m xnai.llm.probe.measure JSON``: one measurement of one copy of a model.

The argument is a ``MeasureTask``: ``speed`` reads 512 tokens, of a slow model fewer, and writes 64,
or what five seconds give (tokens a second of each); ``keep`` stores what the model expects after
each of 512 given tokens in the file ``notes``; ``compare`` tells how far another copy is from that:
the mean Kullback-Leibler divergence in nats, and the share of tokens of which both find the same
one likeliest. The outcome is a line of JSON on standard output.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from xnai.llm.probe.reading import LogitReading, Logits
from xnai.llm.probe.task import MeasureTask
from xnai.llm.worker.lifetime import die_with_parent
from xnai.llm.worker.llama import has_gpu_part, load_backends
from xnai.llm.worker.tokenizer import NativeError
from xnai.processes.sandbox import profiles
from xnai.processes.sandbox.confine import confine

READ = 512
WARM_UP = 64  # tokens that bring the weights into memory, and tell how fast the model is
READ_SECONDS = 10.0  # a model that would take longer for all tokens reads ``WARM_UP`` of them
WRITTEN, FEWEST_WRITTEN = 64, 4
WRITE_SECONDS = 5.0
PASSAGE = Path(__file__).with_name("passage.txt")
SLICE = 64  # tokens whose logits are in memory at once
KEPT = np.float16  # of a log probability; its rounding is a hundredth of the divergence that counts


def main() -> int:
    """Measure; returns the exit status."""
    task = MeasureTask.from_json(sys.argv[1])
    die_with_parent(task.parent)
    model, notes = task.model, Path(task.notes)
    # The model may be hostile; only what is kept for the comparison is written.
    folders = (str(notes.parent),) if task.what != "speed" else ()
    confine(profiles.model(model, gpu=has_gpu_part(), write=folders))
    log = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(log, None)
    try:
        load_backends()
        with LogitReading(
            Path(model),
            READ + WRITTEN,
            task.threads,
            chunk=task.chunk,
            gpu_layers=task.gpu_layers,
        ) as reading:
            found = _measure(reading, task, notes)
    except (NativeError, OSError, ValueError) as exc:
        found = {"failed": str(exc) or type(exc).__name__}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    return "failed" in found


def _measure(reading: LogitReading, task: MeasureTask, notes: Path) -> dict[str, object]:
    tokens = reading.tokens(PASSAGE.read_text("utf-8"))
    tokens = (tokens * -(-READ // len(tokens)))[:READ]
    if task.what == "speed":
        return _speed(reading, tokens)
    if task.what == "keep":
        with notes.open("wb") as file:
            for rows in _expected(reading, tokens):
                file.write(rows.tobytes())
        return {}
    return _compare(reading, tokens, notes)


def _speed(reading: LogitReading, tokens: list[int]) -> dict[str, object]:
    reading.read(tokens[:2], [1])
    reading.forget()
    began = time.perf_counter()
    reading.read(tokens[:WARM_UP], [WARM_UP - 1])
    slow = (time.perf_counter() - began) * READ / WARM_UP > READ_SECONDS
    given = tokens[: WARM_UP if slow else READ]
    reading.forget()
    began = time.perf_counter()
    (last,) = reading.read(given, [len(given) - 1])
    read = written = time.perf_counter()
    count = 0
    while count < FEWEST_WRITTEN or (count < WRITTEN and written - read < WRITE_SECONDS):
        (last,) = reading.read([int(last.argmax())], [0])
        count, written = count + 1, time.perf_counter()
    return {"read": len(given) / (read - began), "write": count / (written - read)}


def _expected(reading: LogitReading, tokens: list[int]) -> Iterator[NDArray[KEPT]]:
    """Log probabilities after each token, in slices of rows."""
    for start in range(0, READ, SLICE):
        part = tokens[start : start + SLICE]
        rows = np.stack(reading.read(part, range(len(part))))
        if not np.isfinite(rows).all():
            raise NativeError("some of its logits are not numbers")
        yield _log_probabilities(rows).astype(KEPT)


def _log_probabilities(rows: Logits) -> Logits:
    shifted = rows - rows.max(axis=1, keepdims=True)
    summed: Logits = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return summed


def _compare(reading: LogitReading, tokens: list[int], notes: Path) -> dict[str, object]:
    original = np.memmap(notes, KEPT, "r").reshape(READ, -1)
    divergence, same, done = 0.0, 0, 0
    for rows in _expected(reading, tokens):
        before = original[done : done + len(rows)].astype(np.float32)
        after = rows.astype(np.float32)
        divergence += float((np.exp(before) * (before - after)).sum())
        same += int((before.argmax(axis=1) == after.argmax(axis=1)).sum())
        done += len(rows)
    return {"divergence": divergence / READ, "same": same / READ}


if __name__ == "__main__":
    status = main()
    os._exit(status)
