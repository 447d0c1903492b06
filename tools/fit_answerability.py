"""Fit the probe by which a model shows whether a question is answered in the text before it.

    PYTHONPATH=. python tools/fit_answerability.py MODEL.gguf SET [SET ...] [--write]

A SET is a folder with ``paragraphs.jsonl``, ``questions.jsonl`` and perhaps ``unanswerable.jsonl``
(SQuAD, flattened). Questions are put to the model as the product puts them, and its hidden state is
kept: questions to their paragraph with its answer, those without one, those of another paragraph,
and, where a set has none without, those whose answering sentence was taken out. A logistic
regression with a ridge is fitted to the states, each scaled to a root mean square of one. Printed
is the area under the curve on topics that were left out, five parts in turn; ``--write`` puts the
probe, fitted to all, beside ``xnai/answering/reading/answerability.py``.
"""

import argparse
import asyncio
import base64
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xnai.answering.reading.answerability import AFTER
from xnai.answering.reading.lines import make_sheet
from xnai.answering.reading.prompt import reading_messages
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import Completion, HiddenState, StateRequest
from xnai.settings import Settings
from xnai.text.sentences import sentences
from xnai.types import PageText, Sampling

Floats = NDArray[np.float64]
PROBES = Path("xnai/answering/reading/probes")
RIDGE = 300.0  # of 100, 300, 1,000 and 3,000 the best on topics that were left out
PARTS = 5
ANSWERED, UNANSWERED = 3, 2  # questions of a paragraph
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Example:
    """A question put to a text; ``topic`` keeps what belongs together in one part."""

    topic: str
    text: str
    question: str
    answered: bool
    kind: str


def examples(folder: Path, count: int, rng: random.Random) -> Iterator[Example]:
    """Draw paragraphs of a set, with questions that they answer and questions that they do not."""
    paragraphs = {one["_id"]: one for one in _rows(folder / "paragraphs.jsonl")}
    known, unknown = defaultdict(list), defaultdict(list)
    for one in _rows(folder / "questions.jsonl"):
        known[one["pid"]].append(one)
    for one in _rows(folder / "unanswerable.jsonl"):
        unknown[one["pid"]].append(one)
    ids = sorted(pid for pid in known if not unknown or len(unknown[pid]) >= UNANSWERED)
    rng.shuffle(ids)
    for pid in ids[:count]:
        text, topic = paragraphs[pid]["text"], f"{paragraphs[pid].get('title') or pid}"
        asked = rng.sample(known[pid], min(ANSWERED, len(known[pid])))
        for one in asked:
            yield Example(topic, text, one["text"], answered=True, kind=folder.name)
        for one in rng.sample(unknown[pid], min(UNANSWERED, len(unknown[pid]))):
            yield Example(topic, text, one["text"], answered=False, kind=folder.name)
        other = rng.choice(known[rng.choice([one for one in ids if one != pid])])
        yield Example(topic, text, other["text"], answered=False, kind=f"{folder.name}, other")
        without = _without(text, asked[0]["answers"][0])
        if not unknown and without:
            kind = f"{folder.name}, taken out"
            yield Example(topic, without, asked[0]["text"], answered=False, kind=kind)


def _rows(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _without(text: str, answer: str) -> str:
    """A text without the sentences that hold an answer; empty if that leaves all or nothing."""
    parts = [text[start:end] for start, end in sentences(text)]
    kept = [part for part in parts if answer not in part]
    return " ".join(kept) if 0 < len(kept) < len(parts) else ""


async def states(model: Path, asked: list[Example], layer: int) -> Floats:
    """The hidden states of questions, a row each; the engine is started for them and stopped."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"data_dir": folder, "model": str(model), "context": 4096, "slots": 1}
        settings = Settings(_env_file=None, **chosen)  # type: ignore[arg-type]
        engine = LocalEngine(settings, EngineBuild(settings))
        await engine.start()
        try:
            await engine.ensure_ready(time.monotonic() + 600)
            rows = []
            for number, one in enumerate(asked, 1):
                rows.append(await _state(engine, one, layer))
                if number % 50 == 0:
                    print(f"{number} of {len(asked)} questions", flush=True)
            return np.array(rows)
        finally:
            await engine.close()


async def _state(engine: LocalEngine, one: Example, layer: int) -> Floats:
    sheet = make_sheet([PageText(one.topic, f"{one.topic}.pdf", 1, 1, one.text)])
    completion = Completion(
        request_id="fit",
        user="fit",
        messages=reading_messages(sheet.text, (), one.question),
        sampling=Sampling(max_tokens=1, temperature=0.0),
        deadline=time.monotonic() + SECONDS,
        state=StateRequest(layer, AFTER),
    )
    found: Floats | None = None
    async with aclosing(engine.complete(completion)) as events:
        async for event in events:
            if isinstance(event, HiddenState):
                found = np.array(event.values)
    if found is None:
        raise SystemExit(f"the model shows no state of layer {layer}; it has fewer, or no room")
    scaled: Floats = found / np.sqrt(np.mean(np.square(found)))
    return scaled


def fit(rows: Floats, answered: Floats, ridge: float = RIDGE) -> tuple[Floats, float]:
    """Weights and bias of a logistic regression with a ridge, by Newton's method in the dual."""
    centre, spread = rows.mean(0), rows.std(0) + 1e-3
    scaled = (rows - centre) / spread
    products = scaled @ scaled.T
    dual, bias, ones = np.zeros(len(rows)), 0.0, np.ones(len(rows))
    for _ in range(25):
        logits = products @ dual + bias
        likely = 1 / (1 + np.exp(-logits))
        curve = np.maximum(likely * (1 - likely), 1e-5)
        system = products + np.diag(ridge / curve)
        target, shift = np.linalg.solve(
            system, np.stack([logits + (answered - likely) / curve, ones], axis=1)
        ).T
        bias = float(target.sum() / shift.sum())
        dual = target - bias * shift
    weights = scaled.T @ dual / spread
    return weights, bias - float(centre @ weights)


def area(logits: Floats, answered: Floats) -> float:
    """The area under the receiver's curve: how often one with an answer lies above one without."""
    with_it, without = logits[answered == 1], logits[answered == 0]
    return float(np.mean(with_it[:, None] > without[None, :]))


def report(asked: list[Example], rows: Floats, answered: Floats) -> None:
    """Print how well topics are told that were left out, by kind of what has no answer."""
    topics = sorted({one.topic for one in asked})
    random.Random(0).shuffle(topics)  # noqa: S311 - to be the same each time
    part = np.array([topics.index(one.topic) % PARTS for one in asked])
    logits = np.empty(len(asked))
    for left_out in range(PARTS):
        weights, bias = fit(rows[part != left_out], answered[part != left_out])
        logits[part == left_out] = rows[part == left_out] @ weights + bias
    print(f"all: {area(logits, answered):.3f} over {len(asked)} questions")
    kinds = np.array([one.kind for one in asked])
    for kind in sorted(set(kinds)):
        chosen = (answered == 1) | (kinds == kind)
        if (answered[kinds == kind] == 0).any():
            print(f"{kind}: {area(logits[chosen], answered[chosen]):.3f}")


def main() -> None:
    """Collect, report, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--paragraphs", type=int, default=130, help="of the first set")
    parser.add_argument("--further", type=int, default=20, help="paragraphs of each other set")
    parser.add_argument("--layer", type=int, default=18)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="keep the probe in the package")
    given = parser.parse_args()
    rng = random.Random(given.seed)  # noqa: S311 - as above
    counts = [given.paragraphs, *[given.further] * (len(given.sets) - 1)]
    asked = [
        one
        for folder, count in zip(given.sets, counts, strict=True)
        for one in examples(folder, count, rng)
    ]
    rows = asyncio.run(states(given.model.resolve(), asked, given.layer))
    answered = np.array([float(one.answered) for one in asked])
    report(asked, rows, answered)
    if given.write:
        weights, bias = fit(rows, answered)
        data = base64.b64encode(weights.astype(np.float16).tobytes()).decode()
        probe = {"layer": given.layer, "bias": round(bias, 6), "weights": data}
        path = PROBES / f"{given.model.stem.casefold()}.json"
        path.write_text(json.dumps(probe, indent=1) + "\n", "utf-8")
        print(f"written to {path}")


if __name__ == "__main__":
    main()
