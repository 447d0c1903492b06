"""One client: our engine in its worker against a bare llama.cpp loop, and over HTTP beside them.

    python bench/single.py [--rounds 5] [--verbose]

Each answer has a new prompt of 200 words whose first line differs, so that no cache helps, and is
128 tokens long, greedy. Tokens/s count from the first token to the last. The bare loop is bare.py:
the low-level API with llama.cpp's defaults, on the same file with the same threads and context.
"""

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from client import ask, request_body
from engines import BareLoop, Messages, Speed, bare_loop, engine_speed, local_engine
from figures import judge, options_of, paired_ratio, print_table
from peers import Setup, model_file, ours, scratch_folder
from prompts import STORY, message, prose
from quiet import Rounds, Rows

from xnai.llm.engine.local_engine import LocalEngine

ENGINE, BARE, HTTP = "xnai engine", "bare loop", "xnai over HTTP"
RATE, FIRST = "tokens/s", "first token (s)"


def prompt(seed: str) -> Messages:
    """A chat of which no other has more than the template's first tokens in common."""
    return [message("system", prose(200, seed)), message("user", STORY)]


async def http_speed(port: int, messages: Messages, tokens: int) -> Speed:
    """One answer of our server."""
    answer = await ask(port, request_body(messages, tokens))
    rate = (answer.tokens - 1) / (answer.ended - answer.first)
    return Speed(answer.first_token, rate, answer.tokens, answer.prompt_tokens)


async def measure(
    engine: LocalEngine, bare: BareLoop, port: int, options: argparse.Namespace
) -> Rows:
    """Every way in every round, in an order that turns; the first round warms up."""
    ways = {
        ENGINE: lambda m: engine_speed(engine, m, options.tokens),
        BARE: lambda m: bare.speed_async(m, options.tokens),
        HTTP: lambda m: http_speed(port, m, options.tokens),
    }
    run, rounds = time.time_ns(), Rounds(options.rounds, noisy=options.noisy)
    for name, way in ways.items():
        await way(prompt(f"{run}/{name}"))
    for current in rounds:
        order = list(ways)[:: 1 if current.number % 2 == 0 else -1]
        for name in order:
            with current.watched():
                speed = await ways[name](prompt(f"{run}/{current.number}"))
            current.figures[name] = {
                RATE: speed.rate,
                FIRST: speed.first,
                "generated tokens": speed.tokens,
                "prompt tokens": speed.prompt_tokens,
            }
    return rounds.rows()


async def run(folder: Path, options: argparse.Namespace) -> Rows:
    """Start all three and measure."""
    setup = Setup(folder)
    with ExitStack() as stack:
        server = stack.enter_context(ours(setup))
        bare = stack.enter_context(bare_loop(setup, model_file()))
        async with local_engine(setup) as engine:
            print(f"{model_file().name}, {setup.threads} threads, 1 client")
            return await measure(engine, bare, server.port, options)


def main() -> None:
    """Measure and print."""
    parser = options_of(__doc__, rounds=5)
    parser.add_argument("--tokens", type=int, default=128, help="length of an answer")
    options = parser.parse_args()
    with scratch_folder(options.folder) as folder:
        rows = asyncio.run(run(folder, options))
    print_table(rows, (ENGINE, BARE, HTTP), verbose=options.verbose)
    rate, first = rows[RATE], rows[FIRST]
    judge("tokens/s: engine / bare loop", paired_ratio(rate[ENGINE], rate[BARE]), ">=", 0.97)
    judge("first token: engine / bare loop", paired_ratio(first[ENGINE], first[BARE]), "<=", 1.05)
    print(f"tokens/s: over HTTP / bare loop {paired_ratio(rate[HTTP], rate[BARE]):.3f}")
    print(f"first token: over HTTP / bare loop {paired_ratio(first[HTTP], first[BARE]):.3f}")


if __name__ == "__main__":
    main()
