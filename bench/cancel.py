"""From cancelling an answer to its slot being free, at random moments beside other streams.

    python bench/cancel.py [--cancels 200] [--verbose]

Three of four slots stream all the time. The fourth answer is cancelled, as the server does when its
reader goes away, while it waits (all slots taken), while its prompt of 1,500 tokens is being read,
or while it is being written. The time ends when the worker has confirmed and the slot can be given
out. It is compared with a decode step of the same run: the time between two texts of a neighbouring
stream while four answers are being written.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engines import Messages, completion, local_engine
from figures import judge, options_of, percentile
from peers import Setup, scratch_folder
from prompts import STORY, message, prose
from quiet import Neighbours

from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import CompletionEvent, Queued, TokenText

SLOTS, CONTEXT = 4, 4096
QUEUE, PREFILL, DECODE = "queue", "prefill", "decode"
LONG_WORDS = 1130  # about 1,500 tokens
LONGEST_WAIT, LONGEST_DECODE = 0.2, 0.5  # seconds before the cancel
POLL_SECONDS = 0.001


@dataclass(slots=True)
class Stream:
    """An answer under way; ``texts`` are the times of its pieces."""

    events: list[CompletionEvent] = field(default_factory=list)
    texts: list[float] = field(default_factory=list)
    began_text: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, engine: LocalEngine, messages: Messages, tokens: int, user: str) -> None:
        """Read it to the end."""
        async with aclosing(engine.complete(completion(messages, tokens, user))) as events:
            async for event in events:
                self.events.append(event)
                if isinstance(event, TokenText):
                    self.texts.append(time.perf_counter())
                    self.began_text.set()

    @property
    def phase(self) -> str:
        """How far it has come."""
        if self.texts:
            return DECODE
        last = self.events[-1] if self.events else None
        return QUEUE if isinstance(last, Queued) else PREFILL


class Bench:
    """The streams that go on, and the figures so far."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.cancels: dict[str, list[float]] = defaultdict(list)
        self.steps: list[float] = []
        self._neighbours: list[Stream] = []

    async def stream_on(self, number: int) -> None:
        """One stream after the other, until cancelled."""
        while True:
            stream = Stream()
            self._neighbours.append(stream)
            notes = prose(30, f"{time.time_ns()}/{number}")
            chat = [message("user", f"{notes}\n\n{STORY}")]
            await stream.run(self.engine, chat, 1024, f"neighbour {number}")
            self._neighbours.remove(stream)

    @asynccontextmanager
    async def asking(
        self, words: int, user: str
    ) -> AsyncIterator[tuple[Stream, asyncio.Task[None]]]:
        """A further answer that is cancelled at the end of the block, if it still runs."""
        stream = Stream()
        chat = [message("user", f"{prose(words, str(time.time_ns()))}\n\n{STORY}")]
        task = asyncio.create_task(stream.run(self.engine, chat, 512, user))
        try:
            yield stream, task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def cancel(self, stream: Stream, task: "asyncio.Task[None]") -> None:
        """Cancel and take the time until its place is free."""
        if task.done():
            task.result()
            return
        phase = stream.phase
        below = self.engine.waiting if phase == QUEUE else self.engine.running
        began = time.perf_counter()
        task.cancel()
        await asyncio.wait({task})
        # Mostly free by now; polled, because no event tells.
        while (self.engine.waiting if phase == QUEUE else self.engine.running) >= below:
            await asyncio.sleep(POLL_SECONDS)
        self.cancels[phase].append(time.perf_counter() - began)

    async def in_queue(self) -> None:
        """Cancel one that waits because every slot is taken."""
        async with self.asking(20, "filler"):
            await asyncio.sleep(0)
            async with self.asking(20, "waiting") as (stream, task):
                await asyncio.sleep(random.uniform(0, LONGEST_WAIT))
                await self.cancel(stream, task)

    async def in_prefill(self, seconds: float) -> None:
        """Cancel one within the first ``seconds``, in which its prompt is read."""
        async with self.asking(LONG_WORDS, "reader") as (stream, task):
            await asyncio.sleep(random.uniform(0, seconds))
            await self.cancel(stream, task)

    async def in_decode(self) -> None:
        """Cancel one that is being written, and note the steps until then."""
        async with self.asking(20, "writer") as (stream, task):
            await stream.began_text.wait()
            began = time.perf_counter()
            await asyncio.sleep(random.uniform(0, LONGEST_DECODE))
            await self.cancel(stream, task)
        for one in (stream, *self._neighbours):
            self.steps += [b - a for a, b in pairwise(at for at in one.texts if at >= began)]

    async def prefill_seconds(self) -> float:
        """How long the long prompt takes beside the other streams."""
        async with self.asking(LONG_WORDS, "reader") as (stream, _):
            began = time.perf_counter()
            await stream.began_text.wait()
            return time.perf_counter() - began


async def run(setup: Setup, options: argparse.Namespace) -> tuple[Bench, float]:
    """All cancels; returns the figures, and how many cores others used meanwhile."""
    async with local_engine(setup) as engine:
        bench = Bench(engine)
        streams = [
            asyncio.create_task(bench.stream_on(number)) for number in range(engine.slots - 1)
        ]
        try:
            await asyncio.sleep(1)
            neighbours = Neighbours()
            seconds = await bench.prefill_seconds()
            print(f"the long prompt is read in {seconds:.2f} s", flush=True)
            for number in range(options.cancels):
                phase = number % 3
                if phase == 0:
                    await bench.in_queue()
                elif phase == 1:
                    await bench.in_prefill(seconds)
                else:
                    await bench.in_decode()
            ended = [stream for stream in streams if stream.done()]
            assert not ended, ended  # a neighbour that failed
            return bench, neighbours.cores()
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)


def milliseconds(values: list[float], share: float) -> float:
    return 1000 * percentile(values, share)


def main() -> None:
    """Measure and print."""
    parser = options_of(__doc__, rounds=1)
    parser.add_argument("--cancels", type=int, default=200)
    options = parser.parse_args()
    with scratch_folder(options.folder) as folder:
        setup = Setup(folder, slots=SLOTS, context=CONTEXT)
        bench, noise = asyncio.run(run(setup, options))
    print(f"others used {noise:.2f} cores")
    print(f"{'milliseconds':20}{'count':>8}{'p50':>10}{'p95':>10}{'max':>10}")
    for name, values in (*bench.cancels.items(), ("decode step", bench.steps)):
        shown = "".join(f"{milliseconds(values, share):10.1f}" for share in (0.5, 0.95, 1))
        print(f"{name:20}{len(values):8}{shown}")
        if options.verbose:
            print("    " + " ".join(f"{1000 * value:.0f}" for value in values))
    step = milliseconds(bench.steps, 0.5), milliseconds(bench.steps, 0.95)
    for phase in (QUEUE, DECODE):
        for number, share in enumerate((0.5, 0.95)):
            value = milliseconds(bench.cancels[phase], share) - step[number]
            judge(f"{phase}: cancel - decode step, p{100 * share:.0f} (ms)", value, "<=", 10)
    judge("prefill: cancel p95 (ms)", milliseconds(bench.cancels[PREFILL], 0.95), "<=", 150)


if __name__ == "__main__":
    main()
