"""Eight chats at once over HTTP: ours, llama.cpp's own server and llama-cpp-python's, by turns.

    LLAMA_SERVER=/path/to/llama-server python bench/serving.py [--shared] [--verbose]

Every client sends its first turn at the same moment (200 words of context of its own, or with
--shared one document of 600 words for all and a question of its own), reads 64 tokens as they
stream, and sends its second turn at once. The file, the threads, the client's code, the requests
and the sampling (greedy) are the same for all; the servers take turns within each round and every
round has new texts. Rounds in which other processes used the CPU are repeated. Tokens/s are
generated tokens by the time from the first request to the last answer's end. Ratios are medians
over the rounds of ours / the peer's in the same round. GOMP_SPINCOUNT in the environment reaches
all servers: with it the peers can be had with our worker's spin count.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from client import Answer, ask, request_body
from figures import judge, options_of, paired_ratio, percentile, print_table
from peers import (
    LLAMA_CPP_SERVER,
    LLAMA_SERVER,
    OURS,
    Running,
    Setup,
    all_servers,
    model_file,
    scratch_folder,
)
from prompts import GO_ON, distinct_chat, message, shared_chat
from quiet import Rounds, Rows

Chat = Callable[[int, str], list[dict[str, str]]]

RATE = "tokens/s"
FIRST_P50, FIRST_P95 = "first token p50, turn 1 (s)", "first token p95, turn 1 (s)"
LATER_P50, LATER_P95 = "first token p50, later turns (s)", "first token p95, later turns (s)"


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients do."""

    clients: int
    turns: int
    tokens: int
    chat: Chat


async def converse(port: int, load: Load, client: int, seed: str) -> list[Answer]:
    """One client's turns, each with the whole conversation so far."""
    messages, answers = load.chat(client, seed), []
    for _ in range(load.turns):
        answers.append(await ask(port, request_body(messages, load.tokens)))
        messages += [message("assistant", answers[-1].text), message("user", GO_ON)]
    return answers


async def one_round(port: int, load: Load, seed: str) -> dict[str, float]:
    """All clients at once; returns the figures of the round."""
    cpu = time.process_time()
    chats = [converse(port, load, client, seed) for client in range(load.clients)]
    answers = await asyncio.gather(*chats)
    cpu = time.process_time() - cpu
    everything = [answer for chat in answers for answer in chat]
    wall = max(a.ended for a in everything) - min(a.began for a in everything)
    first = [chat[0].first_token for chat in answers]
    later = [answer.first_token for chat in answers for answer in chat[1:]]
    figures = {
        RATE: sum(a.tokens for a in everything) / wall,
        FIRST_P50: percentile(first, 0.5),
        FIRST_P95: percentile(first, 0.95),
    }
    if later:
        figures |= {LATER_P50: percentile(later, 0.5), LATER_P95: percentile(later, 0.95)}
    return figures | {
        "generated tokens": sum(a.tokens for a in everything),
        "prompt tokens": sum(a.prompt_tokens for a in everything),
        "CPU of the clients (cores)": cpu / wall,
    }


async def measure(servers: list[Running], load: Load, rounds: Rounds) -> Rows:
    """Every server in every round, in an order that turns."""
    for server in servers:
        await ask(server.port, request_body([message("user", "Say hello.")], 8))
    run = time.time_ns()
    for current in rounds:
        turned = servers if current.number % 2 == 0 else servers[::-1]
        for server in turned:
            with current.watched():
                figures = await one_round(server.port, load, f"{run}/{current.number}")
            current.figures[server.name] = figures
            print(f"{server.name}: {figures[RATE]:.1f} tokens/s", flush=True)
    return rounds.rows()


def judge_all(rows: Rows, names: list[str], *, shared: bool) -> None:
    """Print each ratio of issue 3 that this run can tell."""

    def ratio(figure: str, peer: str, sign: str, target: float) -> None:
        if peer in names and figure in rows:
            value = paired_ratio(rows[figure][OURS], rows[figure][peer])
            judge(f"{figure}: {OURS} / {peer}", value, sign, target)

    if shared:
        ratio(FIRST_P95, LLAMA_SERVER, "<=", 0.4)
        return
    ratio(RATE, LLAMA_SERVER, ">=", 1.1)
    ratio(RATE, LLAMA_CPP_SERVER, ">=", 3.5)
    ratio(FIRST_P95, LLAMA_SERVER, "<=", 1.0)
    ratio(LATER_P95, LLAMA_SERVER, "<=", 1.0)


def parse_arguments() -> argparse.Namespace:
    parser = options_of(__doc__, rounds=3)
    parser.add_argument("--shared", action="store_true", help="one document for all clients")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=64, help="length of an answer")
    parser.add_argument(
        "--peers", default=f"{LLAMA_SERVER},{LLAMA_CPP_SERVER}", help="which, comma-separated"
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parse_arguments()
    chat = shared_chat if options.shared else distinct_chat
    load = Load(options.clients, options.turns, options.tokens, chat)
    with scratch_folder(options.folder) as folder:
        setup = Setup(folder, slots=options.clients)
        with all_servers(setup, set(options.peers.split(","))) as servers:
            print(f"{model_file().name}, {setup.threads} threads, {load.clients} clients")
            rounds = Rounds(options.rounds, noisy=options.noisy)
            rows = asyncio.run(measure(servers, load, rounds))
    names = [server.name for server in servers]
    print_table(rows, names, verbose=options.verbose)
    judge_all(rows, names, shared=options.shared)


if __name__ == "__main__":
    main()
