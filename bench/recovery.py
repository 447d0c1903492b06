"""How soon the server answers again after its worker was killed, and whether a question is lost.

    python bench/recovery.py [--kills 5] [--verbose]

With two slots and eight questions under way over HTTP the worker is killed (SIGKILL) after 0.8 s:
two are being answered, six wait. Measured is the time from the kill to the first new text of
any answer that had none; from it goes the load time: the median of as many workers started by hand,
from the start of the process to `ready`, while nothing else runs. A waiting question counts as lost
when it does not get its whole answer. Answers that had begun end with their text and an error.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))

from client import Answer, BrokenAnswerError, ask, request_body
from figures import judge, options_of
from peers import Setup, model_file, ours, scratch_folder
from prompts import TOPICS, message

from xnai.llm import ipc
from xnai.llm.engine.launch import start
from xnai.llm.ipc import WorkerConfig

SLOTS, QUESTIONS, TOKENS = 2, 8, 64
MEMORY_LIMIT = 4_000_000_000  # bytes
KILL_AFTER, SETTLE = 0.8, 1.0  # seconds


@dataclass(slots=True)
class Kill:
    """One kill: seconds until new text, and what became of the questions."""

    seconds: float
    lost: list[str] = field(default_factory=list)
    begun: int = 0


async def load_seconds(setup: Setup) -> float:
    """From the start of a worker to its being ready."""
    config = WorkerConfig(
        parent=os.getpid(),
        model=str(model_file()),
        context=setup.context,
        threads=setup.threads,
        memory_limit=MEMORY_LIMIT,
        slots=setup.slots,
    )
    began = time.perf_counter()
    process = await start(config)
    assert process.stdout is not None
    while (frame := await ipc.read_async(process.stdout)) and not isinstance(frame, ipc.Ready):
        pass
    seconds = time.perf_counter() - began
    await process.end()
    assert frame is not None, "the worker ended while it loaded"
    return seconds


def worker_pid(server: int) -> int:
    """The process of our server that has the model loaded."""
    for process in psutil.Process(server).children(recursive=True):
        if "xnai.llm.worker.main" in process.cmdline():
            return int(process.pid)
    raise RuntimeError("there is no worker")


async def ask_about(port: int, topic: str) -> Answer:
    question = f"Write a story of five hundred words about {topic}."
    return await ask(port, request_body([message("user", question)], TOKENS))


async def kill_once(port: int, server: int) -> Kill:
    """Ask, kill in the middle, and see what comes of it all."""
    tasks = [asyncio.create_task(ask_about(port, topic)) for topic in TOPICS[:QUESTIONS]]
    await asyncio.sleep(KILL_AFTER)
    pid, killed = worker_pid(server), time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    outcome = Kill(0.0)
    first: list[float] = []
    for answer in outcomes:
        if isinstance(answer, Answer):
            if answer.first > killed:
                first.append(answer.first)
            if answer.tokens < TOKENS:
                outcome.lost.append(f"cut to {answer.tokens} tokens: {answer.text!r}")
        elif isinstance(answer, BrokenAnswerError) and answer.started:
            outcome.begun += 1
        else:
            outcome.lost.append(str(answer))
    outcome.seconds = min(first) - killed if first else float("inf")
    return outcome


async def measure(setup: Setup, options: argparse.Namespace) -> tuple[list[float], list[Kill]]:
    """Load times, and as many kills on one server."""
    kills = []
    with ours(setup) as server:
        loads = [await load_seconds(setup) for _ in range(options.kills)]
        assert server.process is not None
        for number in range(options.kills):
            if number:
                await asyncio.sleep(SETTLE)
            kills.append(await kill_once(server.port, server.process.pid))
            if options.verbose:
                print(f"kill {number + 1}: {kills[-1]}", flush=True)
    return loads, kills


def main() -> None:
    """Measure and print."""
    parser = options_of(__doc__, rounds=1)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    with scratch_folder(options.folder) as folder:
        loads, kills = asyncio.run(measure(Setup(folder, slots=SLOTS), options))
    load = statistics.median(loads)
    seconds = [kill.seconds for kill in kills]
    print(f"load of a worker: {load:.2f} s ({', '.join(f'{one:.2f}' for one in loads)})")
    print(f"killed to new text: {', '.join(f'{one:.2f}' for one in seconds)} s")
    print(f"answers that had begun and ended with an error: {sum(k.begun for k in kills)}")
    for kill in kills:
        for words in kill.lost:
            print(f"lost: {words}")
    judge("killed to new text - load, median (s)", statistics.median(seconds) - load, "<=", 1.0)
    judge("questions lost that had shown nothing", sum(len(k.lost) for k in kills), "<=", 0)


if __name__ == "__main__":
    main()
