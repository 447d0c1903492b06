"""What drafting by prompt lookup gains on answers that copy from a text.

    python bench/drafting.py --paragraphs P.jsonl --questions Q.jsonl [--streams 1,4,8]

Two engines with the same model, of which one drafts (XNAI_DRAFTING), answer the same questions
about the same texts by turns, with one, four and eight at once; every round has other questions.
Tokens/s are generated tokens by the time from the first request to the end of the last answer,
reading the prompts included. P has lines with _id and text, Q lines with text and pid.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engines import Messages, engine_speed, local_engine
from figures import judge, options_of, paired_ratio, print_table
from peers import Setup, scratch_folder
from prompts import message
from quiet import Rounds, Rows

from xnai.llm.engine.local_engine import LocalEngine

DRAFTING, PLAIN = "drafting", "plain"
TOKENS = 96  # of an answer, at most
BATCHES = 3  # of questions, one after the other, in a round
TARGET = 1.15  # issue: keep it if tokens/s on grounded answers rise by more than that


def grounded(paragraphs: Path, questions: Path) -> Iterator[Messages]:
    """Questions about texts, for ever, in an order of their own."""
    rows = map(json.loads, paragraphs.read_text("utf-8").splitlines())
    texts = {row["_id"]: row["text"] for row in rows}
    asked = [json.loads(line) for line in questions.read_text("utf-8").splitlines()]
    random.Random(1).shuffle(asked)
    for row in itertools.cycle(asked):
        words = f"{texts[row['pid']]}\n\nAnswer in whole sentences from the text. {row['text']}"
        yield [message("user", words)]


async def tokens_per_second(engine: LocalEngine, batches: list[list[Messages]]) -> float:
    """Answer batch after batch, each at once."""
    began, tokens = time.perf_counter(), 0
    for batch in batches:
        answers = await asyncio.gather(*(engine_speed(engine, one, TOKENS) for one in batch))
        tokens += sum(answer.tokens for answer in answers)
    return tokens / (time.perf_counter() - began)


async def measure(
    folder: Path, questions: Iterator[Messages], streams: list[int], rounds: Rounds
) -> Rows:
    """Every engine in every round, in an order that turns."""
    async with AsyncExitStack() as stack:
        engines = {
            name: await stack.enter_async_context(
                local_engine(Setup(folder / name, slots=max(streams)), drafting=name == DRAFTING)
            )
            for name in (DRAFTING, PLAIN)
        }
        for current in rounds:
            work = {
                count: [[next(questions) for _ in range(count)] for _ in range(BATCHES)]
                for count in streams
            }
            names = [DRAFTING, PLAIN] if current.number % 2 else [PLAIN, DRAFTING]
            for name in names:
                with current.watched():
                    current.figures[name] = {
                        f"tokens/s, {count} at once": await tokens_per_second(
                            engines[name], batches
                        )
                        for count, batches in work.items()
                    }
        return rounds.rows()


def main() -> None:
    """Measure and print."""
    parser = options_of(__doc__, rounds=4)
    parser.add_argument("--paragraphs", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--streams", default="1,4,8", help="how many at once, comma-separated")
    options = parser.parse_args()
    streams = [int(count) for count in options.streams.split(",")]
    questions = grounded(options.paragraphs, options.questions)
    rounds = Rounds(options.rounds, noisy=options.noisy)
    with scratch_folder(options.folder) as folder:
        rows = asyncio.run(measure(folder, questions, streams, rounds))
    print_table(rows, [DRAFTING, PLAIN], verbose=options.verbose)
    for figure, columns in rows.items():
        judge(
            f"{figure}: {DRAFTING} / {PLAIN}",
            paired_ratio(columns[DRAFTING], columns[PLAIN]),
            ">=",
            TARGET,
        )


if __name__ == "__main__":
    main()
