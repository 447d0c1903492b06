"""Fit the weights of ``xnai/spans.py`` and ``xnai/confidence.py`` on questions with known answers.

    PYTHONPATH=. python bench/fit_answers.py SET --index FOLDER

SET is a set that ``xnai eval`` reads; questions are of its development half, so that the held-out
half stays one. Prints the weights, and what they reach on questions left out of the fit.
"""

import argparse
import asyncio
import time
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xnai import confidence, grounding
from xnai.evaluation.measures import contains, token_f1
from xnai.evaluation.sets import EvalQuestion, load
from xnai.evaluation.workspace import Workspace, workspace
from xnai.events import Question
from xnai.llm.protocol import Completion, TokenText
from xnai.prompt import build_prompt
from xnai.query_likelihood import QueryLikelihood
from xnai.settings import load_settings
from xnai.spans import WEIGHTS, Said, Spans
from xnai.types import Passage, Sampling, TokenLogprob

Array = NDArray[Any]
FOLDS = 3
LEAST = 0.5  # F1 of the best span, for a sentence to teach anything
NEARLY, NEAR, NEAR_SHARE = 0.99, 0.7, 0.3  # what is right, what is nearly right, by how much
RIGHT = 0.6  # F1 from which on a span counts as the answer
EVIDENCE_SIGNS = (
    "score", "margin", "missing_names", "missing_figures", "negated", "said",
)  # fmt: skip
SPAN_SIGNS = ("score", "missing_figures", "began", "belief")


@dataclass(frozen=True)
class Sample:
    """One question, the evidence, and what the model said of it."""

    question: EvalQuestion
    passages: list[Passage]
    best: Passage
    text: str
    logprobs: tuple[TokenLogprob, ...]

    @property
    def said(self) -> Said:
        """What the model said, as spans are compared with it."""
        return grounding.said(self.text, self.logprobs)


async def sample(space: Workspace, question: EvalQuestion) -> Sample:
    """Search and ask as the pipeline does."""
    passages = (await space.library.find(question.text, space.scope(), 4)).passages
    asked = Question(question.text, "fit", "fit", sampling=Sampling(max_tokens=128))
    likelihood = QueryLikelihood(space.model)
    ranked = await likelihood.best_first(asked, passages, time.monotonic() + 120)
    (best,) = grounding.fit_to_strength(space.model.parameters, ranked, question.text)
    prompt = await build_prompt(space.model, asked, [best], evidence_only=True)
    sampling = grounding.copying(asked.sampling)
    completion = Completion("fit", "fit", prompt.messages, sampling, time.monotonic() + 120)
    said, logprobs = "", ()
    async with aclosing(space.model.complete(completion)) as events:
        async for event in events:
            if isinstance(event, TokenText):
                said, logprobs = said + event.text, (*logprobs, *event.logprobs)
    return Sample(question, passages, best, said, logprobs)


def fit_spans(samples: list[Sample]) -> tuple[dict[str, float], float, float]:
    """The weights of the spans' signs, and the cross-validated F1 of best and likeliest span."""
    rows, found = [], []
    for one in samples:
        spans = Spans(one.best.text, one.question.text)
        if one.question.answers and len(spans):
            worth = [token_f1(text, one.question.answers) for text in spans.texts()]
            rows.append((np.array(spans.signs(one.said)), np.array(worth)))
            found.append(spans)
    reached = []
    for fold in range(FOLDS):
        weights = _softmax_fit([row for i, row in enumerate(rows) if i % FOLDS != fold])
        for spans, (signs, worth) in list(zip(found, rows, strict=True))[fold::FOLDS]:
            scores = signs @ weights
            reached.append((worth[spans.expected(scores).argmax()], worth[scores.argmax()]))
    weights = _softmax_fit(rows)
    missed = sum(bool(one.question.answers) for one in samples) - len(rows)
    best, likeliest = np.sum(reached, axis=0) / (len(reached) + missed)
    return dict(zip(WEIGHTS, weights.tolist(), strict=True)), best, likeliest


def _softmax_fit(rows: list[tuple[Array, Array]], decay: float = 0.01, steps: int = 250) -> Array:
    """Raise the likelihood that the softmax over a sentence's spans falls on a right one."""
    scale = np.vstack([signs for signs, _ in rows]).std(axis=0) + 1e-6
    usable = [
        (s / scale, (w >= 0.99 * w.max()) + 0.3 * (w >= 0.7)) for s, w in rows if w.max() >= 0.5
    ]
    weights = np.zeros(len(scale))
    mean, square = weights.copy(), weights.copy()
    for step in range(1, steps + 1):
        gradient = -decay * weights
        for signs, right in usable:
            score = signs @ weights
            belief = np.exp(score - score.max())
            belief /= belief.sum()
            wanted = belief * right
            gradient += signs.T @ (wanted / wanted.sum() - belief) / len(usable)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        rate = 0.03 * mean / (1 - 0.9**step)
        weights = weights + rate / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return np.asarray(weights / scale)


@dataclass
class Judged:
    """The samples as ``xnai.confidence`` sees them."""

    signs: list[confidence.Signs]
    answerable: Array
    holds: Array  # whether the sentence holds an answer
    span_f1: Array
    span_holds: Array
    sentence_f1: Array
    short: Array  # whether a span may answer such a question
    passed: Array  # whether it was put to the model at all


def judged(samples: list[Sample]) -> Judged:
    """Take the signs of every sample, and what its sentence and its span are worth."""
    signs, rows = [], []
    for one in samples:
        answers = one.question.answers or ()
        spans = Spans(one.best.text, one.question.text)
        span = spans.best(one.said)
        found = confidence.signs_of(one.question.text, one.best, one.passages, alone=True)
        belief = span.belief if span else 0.0
        signs.append(confidence.with_model(found, one.logprobs, belief))
        text = span.text if span else ""
        rows.append((
            bool(answers),
            contains(one.best.text, answers),
            token_f1(text, answers),
            contains(text, answers),
            token_f1(one.best.text, answers),
            span is not None and spans.kind != "sentence",
            grounding.is_found(one.passages, 1),
        ))  # fmt: skip
    return Judged(signs, *(np.array(column) for column in zip(*rows, strict=True)))


def fit_confidence(
    found: Judged, names: tuple[str, ...], right: Array
) -> tuple[dict[str, float], Array]:
    """The weights of a logistic function, and the cross-validated probabilities."""
    table = np.array([[asdict(one)[name] for name in names] for one in found.signs])
    left_out = np.zeros(len(right))
    for fold in range(FOLDS):
        test = np.arange(len(right)) % FOLDS == fold
        weights = _logistic_fit(table[~test], right[~test])
        left_out[test] = 1 / (1 + np.exp(-weights[0] - table[test] @ weights[1:]))
    fitted = _logistic_fit(table, right).tolist()
    return dict(zip(("constant", *names), fitted, strict=True)), left_out


def _logistic_fit(table: Array, right: Array, decay: float = 1.0) -> Array:
    """Logistic regression by Newton's method, on scaled signs."""
    mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
    signs = np.column_stack([np.ones(len(table)), (table - mean) / scale])
    shrink = decay * np.diag([0.0] + [1.0] * len(mean))
    weights = np.zeros(signs.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-signs @ weights))
        curve = signs.T @ (signs * (p * (1 - p))[:, None]) + shrink
        weights = weights + np.linalg.solve(curve, signs.T @ (right - p) - shrink @ weights)
    slopes = weights[1:] / scale
    return np.concatenate([[weights[0] - slopes @ mean], slopes])


def area(scores: Array, right: Array) -> float:
    """The area under the curve: how often a right one scores higher than a wrong one."""
    higher = scores[right][:, None] > scores[~right][None, :]
    equal = scores[right][:, None] == scores[~right][None, :]
    return float(higher.mean() + equal.mean() / 2)


def show_thresholds(found: Judged, evidence: Array, span: Array) -> None:
    """Print what thresholds on the two probabilities would give."""
    known, unknown = found.answerable, ~found.answerable
    print("answered short | false answers | contained, F1, spans and their F1")
    for answered in np.arange(0.36, 0.56, 0.02):
        for short in np.arange(0.2, 0.45, 0.05):
            given = found.passed & (evidence >= answered)
            spans = given & (span >= short) & found.short
            contained = np.where(spans, found.span_holds, given & found.holds)
            f1 = np.where(spans, found.span_f1, found.sentence_f1) * found.passed
            shown = spans & known
            print(
                f"{answered:.2f} {short:.2f} | {given[unknown].mean():.3f} | "
                f"{contained[known].mean():.3f} {f1[known].mean():.3f} "
                f"{spans[known].mean():.2f} {found.span_f1[shown].mean():.2f}"
            )


def report(samples: list[Sample]) -> None:
    """Fit, and print weights and what they reach."""
    weights, best, likeliest = fit_spans(samples)
    print({name: round(value, 2) for name, value in weights.items()})
    print(f"span F1 on questions left out: {best:.3f}, of the likeliest: {likeliest:.3f}")
    found = judged(samples)
    right = found.answerable & (found.span_f1 >= RIGHT)
    evidence, holding = fit_confidence(found, EVIDENCE_SIGNS, found.holds)
    span, answering = fit_confidence(found, SPAN_SIGNS, right)
    for name, fitted, left_out, wanted in (
        ("evidence", evidence, holding, found.holds),
        ("span", span, answering, right),
    ):
        print(name, {key: round(value, 2) for key, value in fitted.items()})
        print(f"  area under the curve, on questions left out: {area(left_out, wanted):.3f}")
    show_thresholds(found, holding, answering)


async def collect(path: Path, index: Path | None, seed: int) -> list[Sample]:
    """Ask 620 questions with an answer and 460 without."""
    wanted = load(path)
    async with workspace(load_settings(), index) as space:
        await space.fill(wanted, lambda *_: None)
        await space.load_model(1800)
        return [await sample(space, q) for q in wanted.sample(620, 460, "development", seed)]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    report(asyncio.run(collect(options.set, options.index, options.seed)))


if __name__ == "__main__":
    main()
