"""Where the time goes between two steps of the model: `python bench/step.py [--tokens 200]`.

XNAI_MODEL names another model than the bundled one. One chat is answered in this process, by the
worker's own loop, to a pipe that nobody waits for. While the loop runs between two calls of
llama_decode all cores wait for it. Prints the median of a step, the median of what lies between two
of them, and of this the processor time of each part, in microseconds a step. Parts are timed by
their thread's processor time, so that a busy neighbour counts for little.
"""

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from peers import model_file

from xnai.llm.engine.launch import NATIVE_ENVIRONMENT

os.environ.update(NATIVE_ENVIRONMENT)  # OpenMP reads its part of it when llama_cpp loads it

import llama_cpp.llama_cpp as lib

from xnai.llm.ipc import Ended, FromWorker, WorkerConfig
from xnai.llm.worker.context import Context
from xnai.llm.worker.llama import AbortFlag, Model, load_backends
from xnai.llm.worker.loop import Serving
from xnai.llm.worker.outbox import NativeLog, Outbox
from xnai.llm.worker.prefix_cache import PrefixCache
from xnai.llm.worker.sampler import Sampler
from xnai.llm.worker.sequence import Generated, Prompter
from xnai.llm.worker.steps import Sequence
from xnai.types import Sampling

QUESTION = "Tell a long story of a thousand words about the sea."
MEMORY = 2**40  # bytes, no limit


class Timed:
    """Processor time of the calls of some methods, of one thread."""

    def __init__(self) -> None:
        self.nanoseconds: dict[str, int] = defaultdict(int)

    def watch(self, owner: object, method: str, name: str) -> None:
        """Count what a method takes under a name, its own callees included."""
        called: Callable[..., Any] = getattr(owner, method)

        def timed(*values: Any, **named: Any) -> Any:
            began = time.thread_time_ns()
            try:
                return called(*values, **named)
            finally:
                self.nanoseconds[name] += time.thread_time_ns() - began

        setattr(owner, method, timed)


class EndError(Exception):
    """The answer is complete."""


class Bench:
    """One chat in the worker's loop."""

    def __init__(self, path: Path) -> None:
        load_backends()
        self._abort = AbortFlag()
        self._log = NativeLog(self._abort)  # llama.cpp's words are not wanted
        config = replace(WorkerConfig(os.getpid(), str(path), 2048, 2, MEMORY), slots=8)
        self._model = Model(path, lambda _: None)
        self.context = Context(self._model, config, self._abort)
        self.context.warm_up(max(self._model.vocabulary.bos, 0))
        self._outbox = Outbox(Path(os.devnull).open("wb"))  # noqa: SIM115 - until the end
        cache = PrefixCache(self.context.slots)
        self.serving = Serving(self.context, cache, self._abort, self._send)
        self._count = 0

    def answer(self, tokens: int) -> None:
        """Answer the question, always the same, once more."""
        sampling = Sampling(max_tokens=tokens, temperature=0.0, repeat_penalty=1.0)
        prompt = Prompter(self._model).tokens([{"role": "user", "content": QUESTION}])
        self._count += 1
        sequence = Sequence(self._count, prompt, most_tokens=len(prompt) + tokens)
        sampler = Sampler(sampling, self._model.vocabulary)
        self.serving.add(Generated(sequence, sampling, sampler, self._model.vocabulary))
        try:
            self.serving.run()
        except EndError:
            return

    def _send(self, frame: FromWorker) -> None:
        self._outbox.send(frame)
        if isinstance(frame, Ended):
            raise EndError


def measure(bench: Bench, tokens: int) -> None:
    """Print the times of one answer."""
    timed, decode = Timed(), lib.llama_decode
    ended = 0.0
    steps: list[float] = []
    between: list[float] = []

    def timed_decode(*values: Any) -> Any:
        nonlocal ended
        began = time.perf_counter()
        if ended:
            between.append(began - ended)
        status = decode(*values)
        ended = time.perf_counter()
        steps.append(ended - began)
        return status

    lib.llama_decode = timed_decode
    timed.watch(bench.serving._scheduler, "schedule", "plan the next step")  # noqa: SLF001
    timed.watch(bench.context, "_fill", "fill the batch")
    timed.watch(bench.serving, "_note_speed", "note its speed (drafting, spinning)")
    timed.watch(Sampler, "sample", "draw a token")
    timed.watch(bench.serving, "_collect", "draw a token, spell it, learn from it")
    timed.watch(bench.serving, "_send_texts", "send text (one frame in 50 ms)")
    bench.answer(tokens)
    count = len(steps)
    print(f"a step {1e3 * statistics.median(steps):.2f} ms, {count} steps")
    print(f"between two {1e6 * statistics.median(between):.0f} µs, of these, on average")
    for name, spent in timed.nanoseconds.items():
        print(f"  {spent / count / 1e3:6.1f} µs  {name}")


def main() -> None:
    """Load, warm up, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=200)
    options = parser.parse_args()
    bench = Bench(model_file())
    bench.answer(16)
    measure(bench, options.tokens)


if __name__ == "__main__":
    main()
