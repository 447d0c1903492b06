"""``xnai eval``."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, cast, get_args

import structlog
import typer

from xnai.errors import SETTING_INVALID, XnaiError
from xnai.evaluation.report import read_report, table
from xnai.evaluation.sets import Part
from xnai.settings import load_settings


def show_progress(what: str, done: int, total: int) -> None:
    """Print the progress to standard error, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r{what}: {done} of {total}   ", end="\n" * (done == total), file=sys.stderr)
    elif done == total or done % 50 == 0:
        print(f"{what}: {done} of {total}", file=sys.stderr)


def evaluate_command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    path: Annotated[Path, typer.Argument(help="JSONL of questions, or a folder with documents.")],
    searches: Annotated[int, typer.Option(help="Questions to search.")] = 300,
    questions: Annotated[
        int | None, typer.Option(help="Questions to answer; 0: search only. Cases: all.")
    ] = None,
    unanswerable: Annotated[int, typer.Option(help="Of those without answer.")] = 30,
    part: Annotated[str, typer.Option(help="all, development or held-out.")] = "all",
    seed: Annotated[int, typer.Option(help="Draws other questions.")] = 0,
    plain: Annotated[bool, typer.Option(help="Measure a plain prompt in the same run.")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="Instead of XNAI_MODEL; several are compared.")
    ] = None,
    index: Annotated[Path | None, typer.Option(help="Keep the index here, and use it.")] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier report (JSON).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report here, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure search, answers and citations on questions whose answers are known."""
    from xnai.evaluation.run import Plan, evaluate  # noqa: PLC0415 - keeps `xnai --help` quick

    if part not in get_args(Part):
        problem = "it is one of all, development, held-out"
        raise XnaiError(SETTING_INVALID, name="--part", value=part, problem=problem)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    earlier = None if compare is None else read_report(compare)
    half = cast("Part", part)
    with tempfile.TemporaryDirectory(prefix="xnai-eval-") as folder:
        # What several models are asked about is read once.
        kept = index or (Path(folder) if model and len(model) > 1 else None)
        plan = Plan(path, searches, questions, unanswerable, half, seed, plain, kept)
        for name in model or (None,):
            settings = load_settings() if name is None else load_settings(model=name)
            report = asyncio.run(evaluate(settings, plan, show_progress))
            text = json.dumps(report, ensure_ascii=False, indent=1)
            if out is not None:
                _written(out, name if model and len(model) > 1 else None, text)
            print(text if as_json else table(report, earlier))
            earlier = earlier or report


def _written(out: Path, model: str | None, text: str) -> None:
    """Write a report; of several models each gets a file of its own."""
    if model is not None:
        plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in Path(model).stem)
        out = out.with_stem(f"{out.stem}-{plain}")
    out.write_text(text + "\n", encoding="utf-8")
