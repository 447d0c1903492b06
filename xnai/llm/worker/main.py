"""The process that owns llama.cpp: ``python -m xnai.llm.worker.main``, started by the server.

Frames come in on standard input and go out on standard output (``xnai.llm.ipc``); log lines
are JSON on standard error. The process ends with its parent, whatever happens to that.
"""

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import llama_cpp.llama_cpp as lib

from xnai.llm import ipc
from xnai.llm.gguf.catalogue import kv_bytes
from xnai.llm.gguf.header import read_header
from xnai.llm.gguf.layers import layers_that_fit, tries
from xnai.llm.ipc import BEAT_SECONDS, IDLE_BEATS, Beat, Failed, Ready, WorkerConfig
from xnai.llm.worker.chat_template import TemplateRefusedError
from xnai.llm.worker.context import Context
from xnai.llm.worker.hidden_state import HiddenStates
from xnai.llm.worker.incoming import Requests, count, prepare
from xnai.llm.worker.keeping import Keeping
from xnai.llm.worker.kept_states import KeptStates
from xnai.llm.worker.lifetime import die_with_parent
from xnai.llm.worker.llama import (
    AbortFlag,
    Model,
    free_gpu_memory,
    has_gpu_part,
    load_backends,
    requantise,
)
from xnai.llm.worker.loop import Serving
from xnai.llm.worker.outbox import NativeLog, Outbox, ReadProgress, log_line
from xnai.llm.worker.prefix_cache import PrefixCache
from xnai.llm.worker.sequence import Prompter
from xnai.llm.worker.tokenizer import NativeError
from xnai.processes.frames import FrameError
from xnai.processes.sandbox import probe, profiles
from xnai.processes.sandbox.confine import confine

EXIT_REQUANTISE_FAILED = 3
EXIT_THREAD_DIED = 4
TEMPLATE_SECONDS = 5.0
_BUSY_SECONDS = 120.0  # after a request; tokenising one takes less
OOM_SCORE = "500"  # short of memory, the system ends this process before the server


def serve(config: WorkerConfig, inbox: IO[bytes], outbox: Outbox) -> None:
    """Load the model, then answer until the server closes the pipe."""
    abort = AbortFlag()
    log = NativeLog(abort)
    requests = Requests()
    pulse = _Pulse(outbox)
    _thread(_read, inbox, requests, pulse)
    _thread(pulse.run)
    try:
        model, context, layers = _load(config, outbox, abort)
        with _template_limit(outbox):
            prompter = Prompter(model)
    except NativeError as exc:
        reason = f"{exc} ({log.first_error})" if log.first_error else str(exc)
        outbox.send(Failed(reason))
        return
    except TemplateRefusedError as exc:
        outbox.send(Failed(f"its chat template cannot be used: {exc}"))
        return
    store = config.store_bytes // context.token_bytes
    cache = PrefixCache(config.slots, store_tokens=store, partial=context.partial)
    serving = Serving(context, cache, abort, outbox.send, drafting=config.drafting)
    serving.states = HiddenStates(model, context.context, config.threads)
    folder, most_bytes = config.kept
    if folder and context.partial:
        files = KeptStates(Path(folder), most_bytes)
        serving.keeping = Keeping(context, cache, files)
    pulse.serving = requests.serving = serving
    _thread(prepare, requests, model, prompter, serving, outbox)
    _thread(count, requests, prompter, context.context, outbox)
    about = Ready(context.context, model.parameters, context.slots, layers, model.layers + 1)
    outbox.send(about)
    serving.run()


def _load(config: WorkerConfig, outbox: Outbox, abort: AbortFlag) -> tuple[Model, Context, int]:
    """Load the model, of its layers as many on a GPU as fit; returns how many these are.

    Raises:
        NativeError: it cannot be loaded at all.

    """
    load_backends()
    path = Path(config.model)
    first = _gpu_layers(config) if lib.llama_supports_gpu_offload() else 0
    for layers in tries(first):
        model = None
        try:
            model = Model(path, ReadProgress(outbox), layers)
            context = Context(model, config, abort)
            context.warm_up(max(model.vocabulary.bos, 0))
        except NativeError as exc:
            if not layers:
                raise
            log_line("warning", f"{exc}, with {layers} layers on the GPU; trying fewer")
            if model is not None:
                model.free()
        else:
            return model, context, layers
    raise AssertionError("the last try is without a GPU")


def _gpu_layers(config: WorkerConfig) -> int:
    """How many layers to begin with: those that are wanted, or what fits into the GPU's memory."""
    header = read_header(Path(config.model))
    layers = header.integer("block_count") + 1  # what makes logits counts as one
    if config.gpu_layers >= 0:
        return min(layers, config.gpu_layers)
    size = header.tensor_bytes + kv_bytes(header, config.slots * config.context)
    return layers_that_fit(free_gpu_memory(), layers, size)


@contextlib.contextmanager
def _template_limit(outbox: Outbox) -> Iterator[None]:
    """End the process if the first use of a hostile template does not come to an end."""

    def give_up() -> None:
        outbox.send(Failed("its chat template cannot be used: it does not end"))
        os._exit(0)

    timer = threading.Timer(TEMPLATE_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(inbox: IO[bytes], requests: Requests, pulse: "_Pulse") -> None:
    """Take what the server asks; the end of its pipe is the end of this process."""
    try:
        while frame := ipc.read(inbox):
            pulse.quicken()
            requests.put(frame)
    except FrameError as exc:
        log_line("error", str(exc))
    os._exit(0)


class _Pulse:
    """Signs of life, and for how long the step under way has taken.

    Each wakes this process and the server, so there are few while nobody asks.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.serving: Serving | None = None
        self._outbox = outbox
        self._asked = threading.Event()
        self._busy_until = 0.0

    def quicken(self) -> None:
        """Beat now, and often for a while: something is asked. From any thread."""
        self._busy_until = time.monotonic() + _BUSY_SECONDS
        self._asked.set()

    def run(self) -> None:
        """Beat for ever."""
        while True:
            began = self.serving.step_began if self.serving else 0.0
            now = time.monotonic()
            self._outbox.send(Beat(now - began if began else 0.0))
            is_busy = self.serving is None or self.serving.is_busy or now < self._busy_until
            self._asked.wait(BEAT_SECONDS * (1 if is_busy else IDLE_BEATS))
            self._asked.clear()


def _thread(target: Callable[..., None], *args: object) -> None:
    """Run a part for as long as the process lives; the process dies with it.

    Else a request would wait for a thread that is gone, and the server would think all is well.
    """

    def run() -> None:
        try:
            target(*args)
        except BaseException:  # noqa: BLE001 - whatever it is, this process is of no use any more
            log_line("error", traceback.format_exc(limit=-3))
            os._exit(EXIT_THREAD_DIED)

    threading.Thread(target=run, daemon=True).start()


def _limit_memory(limit: int) -> None:
    """Bound what this process may allocate, so that a hostile template fails alone."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not there on Windows

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _confine(config: WorkerConfig) -> bool:
    """Give up all that is not needed for the model; says whether there was one thread yet."""
    if not config.requantise_to:
        write = tuple(config.kept[:1]) if config.kept[0] else ()
        return confine(profiles.model(config.model, gpu=has_gpu_part(), write=write))
    folder = Path(config.requantise_to).parent
    folder.mkdir(parents=True, exist_ok=True)
    return confine(profiles.model(config.model, write=(str(folder),)))


def main() -> None:
    """Serve, or write a requantised copy, as the first argument says."""
    config = WorkerConfig.from_json(sys.argv[1])
    die_with_parent(config.parent)
    _limit_memory(config.memory_limit)
    alone = _confine(config)
    # Whatever a library prints must not land between the frames.
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if config.probe is not None:
        for told in probe.attempts(config.probe, alone=alone):
            pipe.write(json.dumps(told).encode() + b"\n")
            pipe.flush()
        return
    if config.requantise_to:
        log = NativeLog(AbortFlag())  # noqa: F841 - llama.cpp calls it for as long as it works
        try:
            source, target = Path(config.model), Path(config.requantise_to)
            requantise(source, target, config.threads, config.requantise_as)
        except (NativeError, OSError) as exc:
            log_line("error", str(exc))
            sys.exit(EXIT_REQUANTISE_FAILED)
        return
    serve(config, sys.stdin.buffer, Outbox(pipe))
    os._exit(0)  # the reading thread holds a lock that an orderly end would wait for


if __name__ == "__main__":
    main()
