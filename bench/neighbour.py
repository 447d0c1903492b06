"""What one busy neighbour process costs: our worker against llama.cpp's default spin-waiting.

    python bench/neighbour.py [--table] [--verbose]

The neighbour is an endless loop in a process of its own, pinned nowhere. One answer at a time is
decoded, with the neighbour and without, by our engine and by the bare loop (bare.py) in the default
environment, where waiting OpenMP threads spin. Ours finds out while it writes how long spinning
pays (xnai/llm/worker/spinning.py), so the tokens in which it does count. With --table the bare loop
runs with one spin count (GOMP_SPINCOUNT) after the other instead.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engines import BareLoop, Messages, bare_loop, engine_speed, local_engine
from figures import judge, options_of, paired_ratio, print_table
from peers import Setup, die_with_parent, model_file, scratch_folder
from prompts import message
from quiet import Round, Rounds, Rows

from xnai.llm.engine.launch import NATIVE_ENVIRONMENT
from xnai.llm.engine.local_engine import LocalEngine

OURS, DEFAULT = "xnai engine", "default spinning"
IDLE, BUSY = "tokens/s, machine idle", "tokens/s, one busy neighbour"
SPIN_COUNTS = (0, 100, 300, 1000, 3000, 10_000, 30_000, None)
PROMPT: Messages = [message("user", "Tell a long story of a thousand words about the sea.")]


@contextmanager
def neighbour() -> Iterator[None]:
    """A process that never rests."""
    process = subprocess.Popen(
        [sys.executable, "-c", "while True: pass"],
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock taken
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def compare(engine: LocalEngine, bare: BareLoop, options: argparse.Namespace) -> Rows:
    """Ours and the default by turns, idle and busy."""
    rounds = Rounds(options.rounds, noisy=options.noisy)
    await engine_speed(engine, PROMPT, 4)
    await bare.speed_async(PROMPT, 4)
    for current in rounds:
        current.figures = {OURS: {}, DEFAULT: {}}
        for state in (IDLE, BUSY):
            with neighbour() if state == BUSY else nullcontext(), current.watched():
                ours = await engine_speed(engine, PROMPT, options.tokens)
                theirs = await bare.speed_async(PROMPT, options.tokens)
            current.figures[OURS] = {**current.figures[OURS], state: ours.rate}
            current.figures[DEFAULT] = {**current.figures[DEFAULT], state: theirs.rate}
    return rounds.rows()


def _count_name(count: int | None) -> str:
    return "default" if count is None else f"{count}"


def table(setup: Setup, model: Path, options: argparse.Namespace) -> Rows:
    """The bare loop with each spin count, idle and busy."""
    rounds = Rounds(options.rounds, noisy=options.noisy)
    for current in rounds:
        for count in SPIN_COUNTS:
            with bare_loop(setup, model, count) as bare:
                bare.speed(PROMPT, 4)
                current.figures[_count_name(count)] = _idle_and_busy(bare, current, options.tokens)
    return rounds.rows()


def _idle_and_busy(bare: BareLoop, current: Round, tokens: int) -> dict[str, float]:
    with current.watched():
        idle = bare.speed(PROMPT, tokens).rate
    with neighbour(), current.watched():
        busy = bare.speed(PROMPT, tokens).rate
    return {IDLE: idle, BUSY: busy}


async def measure(setup: Setup, options: argparse.Namespace) -> Rows:
    async with local_engine(setup, slots=1) as engine:
        with bare_loop(setup, model_file()) as bare:
            print(f"{model_file().name}, {setup.threads} threads")
            return await compare(engine, bare, options)


async def _prepare(setup: Setup) -> None:
    """Have the file made that the bare loop reads."""
    async with local_engine(setup, slots=1):
        pass


def main() -> None:
    """Measure and print."""
    parser = options_of(__doc__, rounds=3)
    parser.add_argument("--tokens", type=int, default=96, help="length of an answer")
    parser.add_argument("--table", action="store_true", help="spin counts of the bare loop")
    options = parser.parse_args()
    with scratch_folder(options.folder) as folder:
        setup = Setup(folder)
        if options.table:
            asyncio.run(_prepare(setup))
            names = [_count_name(count) for count in SPIN_COUNTS]
            print_table(table(setup, model_file(), options), names, verbose=options.verbose)
            print(f"the worker's: {NATIVE_ENVIRONMENT.get('GOMP_SPINCOUNT')}")
            return
        rows = asyncio.run(measure(setup, options))
    print_table(rows, (OURS, DEFAULT), verbose=options.verbose)
    busy, idle = rows[BUSY], rows[IDLE]
    judge(f"{BUSY}: ours / default", paired_ratio(busy[OURS], busy[DEFAULT]), ">=", 0.9)
    judge(f"{IDLE}: ours / default", paired_ratio(idle[OURS], idle[DEFAULT]), ">=", 0.9)


if __name__ == "__main__":
    main()
