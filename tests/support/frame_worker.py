"""A worker that speaks the frames but has no model: its answers do what the question says.

A program of its own, started as the real worker is; it imports nothing native. The last message
holds commands, separated by blanks:

    say=N       N tokens of text, one each step (default 3)
    wait=S      seconds of prefill, in ten frames
    step=S      seconds between two steps
    die=SIGNAL  ends the process by a signal, in the middle of prefill or, with ``late``, of text
    exit=CODE   ends the process with an exit code
    assert      writes a line as llama.cpp's assertions do, and aborts
    stuck       beats on, but its step never ends
    deaf        does not obey a cancel
    toxic       ends the process by SIGSEGV while it is tokenised, before any prefill

Files in the folder of the model steer the loading: ``slots`` has the number of slots, ``load`` the
seconds a load takes, ``loads`` gets a line for each, ``broken`` makes every load fail.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from xnai.llm import ipc
from xnai.llm.ipc import (
    Beat,
    Cancel,
    Cancelled,
    Complete,
    CountPrompt,
    CountTexts,
    Ended,
    Figures,
    FromWorker,
    Pause,
    PromptProgress,
    Ready,
    Refused,
    Resume,
    StepTexts,
    Text,
    TokenCounts,
    Tokenising,
    WorkerConfig,
)

_lock = threading.Lock()
_pipe = os.fdopen(os.dup(1), "wb")


class Shared:
    step_begun = 0.0
    slots = threading.BoundedSemaphore()


def send(frame: FromWorker) -> None:
    with _lock:
        try:
            _pipe.write(ipc.encode(frame))
            _pipe.flush()
        except OSError:
            os._exit(0)


def beat() -> None:
    while True:
        send(Beat(time.monotonic() - Shared.step_begun if Shared.step_begun else 0.0))
        time.sleep(0.05)


class Answer:
    def __init__(self, number: int, text: str) -> None:
        self.number = number
        words = text.split()
        self.flags = {word for word in words if "=" not in word}
        self.values = dict(word.split("=", 1) for word in words if "=" in word)
        self.cancelled = threading.Event()
        self.going = threading.Event()
        self.going.set()
        self.written = 0
        self.total = 100

    def run(self) -> None:
        if not Shared.slots.acquire(blocking=False):
            send(Refused(self.number, "internal", {"problem": "too many"}))
            os._exit(9)  # the server may never send more than there are slots
        self.answer()

    def answer(self) -> None:
        if "toxic" in self.flags:
            send(Tokenising(self.number))
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(60)
        for done in range(0, 101, 10):
            if self.cancelled.wait(float(self.values.get("wait", 0)) / 10):
                return self.end(cancelled=True)
            send(PromptProgress(self.number, max(40, done), self.total, reused=40))
            if done == 50 and "late" not in self.flags:
                self.misbehave()
        for _ in range(int(self.values.get("say", 3))):
            while not self.going.wait(0.01):
                if self.cancelled.is_set():
                    return self.end(cancelled=True)
            if self.cancelled.wait(float(self.values.get("step", 0))):
                return self.end(cancelled=True)
            self.written += 1
            send(StepTexts((Text(self.number, f"t{self.written} "),)))
            if self.written == 2:
                self.misbehave()
        return self.end()

    def misbehave(self) -> None:
        if "die" in self.values:
            os.kill(os.getpid(), getattr(signal, self.values["die"]))
            time.sleep(60)
        if "exit" in self.values:
            os._exit(int(self.values["exit"]))
        if "assert" in self.flags:
            sys.stderr.write("/src/ggml.c:12: GGML_ASSERT(n_pos > 0) failed\n")
            sys.stderr.flush()
            os.abort()
        if "stuck" in self.flags:
            Shared.step_begun = time.monotonic()
            time.sleep(60)

    def end(self, *, cancelled: bool = False) -> None:
        figures = Figures(self.total, self.written, 40, 0.5, 0.1 * self.written)
        number = self.number
        del answers[self.number]
        Shared.slots.release()
        send(Cancelled(number, figures) if cancelled else Ended(number, "stop", figures))


answers: dict[int, Answer] = {}


def serve() -> None:
    while frame := ipc.read(sys.stdin.buffer):
        match frame:
            case Complete(id=number, messages=messages):
                answers[number] = Answer(number, messages[-1].content)
                threading.Thread(target=answers[number].run, daemon=True).start()
            case CountTexts(id=number, texts=texts):
                send(TokenCounts(number, tuple(len(text.split()) for text in texts)))
            case CountPrompt(id=number, messages=messages):
                send(TokenCounts(number, (sum(len(one.content.split()) for one in messages),)))
            case Cancel(id=number) if number in answers and "deaf" not in answers[number].flags:
                answers[number].cancelled.set()
            case Pause(id=number) if number in answers:
                answers[number].going.clear()
            case Resume(id=number) if number in answers:
                answers[number].going.set()
    os._exit(0)


def main() -> None:
    config = WorkerConfig.from_json(sys.argv[1])
    folder = Path(config.model).parent

    def told(name: str, default: str) -> str:
        return (folder / name).read_text() if (folder / name).exists() else default

    with (folder / "loads").open("a") as loads:
        loads.write(f"{os.getpid()}\n")
    threading.Thread(target=beat, daemon=True).start()
    time.sleep(float(told("load", "0")))
    if (folder / "broken").exists():
        sys.exit(7)
    slots = int(told("slots", "1"))
    Shared.slots = threading.BoundedSemaphore(slots)
    send(Ready(1024, 7, slots))
    serve()


if __name__ == "__main__":
    main()
