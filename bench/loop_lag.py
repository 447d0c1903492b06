"""How free the server's event loop stays while eight answers stream over HTTP.

    python bench/loop_lag.py [--seconds 30] [--verbose]

The lag is the server's own histogram in /metrics (xnai_event_loop_lag_seconds): how much later than
asked for a timer fires. The quantile is the bound of the first bucket that holds it, so it is never
below the truth.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent))

from client import ask, request_body
from figures import judge, options_of
from peers import Setup, ours, scratch_folder
from prompts import distinct_chat
from quiet import Rounds, Rows

Buckets = dict[float, float]
SERVER = "xnai"
P50, P99 = "event-loop lag p50 (ms, at most)", "event-loop lag p99 (ms, at most)"
_BUCKET = "xnai_event_loop_lag_seconds_bucket"


async def read_buckets(port: int) -> Buckets:
    """Samples at or below each bound in seconds, since the server's start."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    lines = [line for line in answer.text.splitlines() if line.startswith(_BUCKET)]
    return {
        float(line.split('le="')[1].split('"')[0]): float(line.rsplit(" ", 1)[1]) for line in lines
    }


def quantile_bound(samples: Buckets, share: float) -> float:
    """The smallest bound that ``share`` of the samples do not exceed, in milliseconds."""
    total = max(samples.values())
    return 1000 * min(bound for bound, count in samples.items() if count >= share * total)


async def keep_streaming(port: int, client: int, until: float) -> int:
    """One client's answers, one after the other; returns how many tokens it got."""
    tokens, number = 0, 0
    while time.monotonic() < until:
        chat = distinct_chat(client, f"{until}/{number}")
        tokens += (await ask(port, request_body(chat, 128))).tokens
        number += 1
    return tokens


async def measure(port: int, options: argparse.Namespace) -> Rows:
    """Rounds of so many seconds with all clients at once."""
    rounds = Rounds(options.rounds, noisy=options.noisy)
    await asyncio.sleep(2)  # what the start left to do
    for current in rounds:
        before, began = await read_buckets(port), time.monotonic()
        clients = range(options.clients)
        until = began + options.seconds
        with current.watched():
            tokens = await asyncio.gather(*(keep_streaming(port, c, until) for c in clients))
        after = await read_buckets(port)
        samples = {bound: count - before.get(bound, 0) for bound, count in after.items()}
        current.figures[SERVER] = {
            P50: quantile_bound(samples, 0.5),
            P99: quantile_bound(samples, 0.99),
            "samples": max(samples.values()),
            "tokens/s": sum(tokens) / (time.monotonic() - began),
        }
    return rounds.rows()


def main() -> None:
    """Measure and print."""
    parser = options_of(__doc__, rounds=2)
    parser.add_argument("--seconds", type=float, default=30, help="length of a round")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with scratch_folder(options.folder) as folder:
        setup = Setup(folder, slots=options.clients)
        with ours(setup) as server:
            rows = asyncio.run(measure(server.port, options))
    for figure, columns in rows.items():
        print(f"{figure:36}" + "  ".join(f"{value:8.1f}" for value in columns[SERVER]))
    judge(f"{P99}, worst round", max(rows[P99][SERVER]), "<=", 20)


if __name__ == "__main__":
    main()
