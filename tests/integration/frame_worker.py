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

Files in the folder of the model steer the loading: ``slots`` has the number of slots, ``load`` the
seconds a load takes, ``loads`` gets a line for each, ``broken`` makes every load fail.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from xnai.llm import frames
from xnai.llm.config import WorkerConfig

_lock = threading.Lock()
_pipe = os.fdopen(os.dup(1), "wb")


class Shared:
    step_begun = 0.0
    slots = threading.BoundedSemaphore()


def send(kind: str, **fields: object) -> None:
    with _lock:
        try:
            _pipe.write(frames.encode({"type": kind, **fields}))
            _pipe.flush()
        except OSError:
            os._exit(0)


def beat() -> None:
    while True:
        send(
            "beat", step_seconds=time.monotonic() - Shared.step_begun if Shared.step_begun else 0.0
        )
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
            send("error", id=self.number, code="internal", values={"problem": "too many"})
            os._exit(9)  # the server may never send more than there are slots
        self.answer()

    def answer(self) -> None:
        for done in range(0, 101, 10):
            if self.cancelled.wait(float(self.values.get("wait", 0)) / 10):
                return self.end("cancelled")
            send("prefill", id=self.number, done=max(40, done), total=self.total, reused=40)
            if done == 50 and "late" not in self.flags:
                self.misbehave()
        for _ in range(int(self.values.get("say", 3))):
            while not self.going.wait(0.01):
                if self.cancelled.is_set():
                    return self.end("cancelled")
            if self.cancelled.wait(float(self.values.get("step", 0))):
                return self.end("cancelled")
            self.written += 1
            send("step", texts=[[self.number, f"t{self.written} "]])
            if self.written == 2:
                self.misbehave()
        return self.end("finished")

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

    def end(self, kind: str) -> None:
        figures = {
            "prompt_tokens": self.total,
            "completion_tokens": self.written,
            "reused_tokens": 40,
            "prefill_seconds": 0.5,
            "decode_seconds": 0.1 * self.written,
        }
        more = {"reason": "stop"} if kind == "finished" else {}
        del answers[self.number]
        Shared.slots.release()
        send(kind, id=self.number, **more, **figures)


answers: dict[int, Answer] = {}


def serve() -> None:
    while frame := frames.read(sys.stdin.buffer):
        op, number = frame["op"], frame["id"]
        if op == "complete":
            answers[number] = Answer(number, frame["messages"][-1]["content"])
            threading.Thread(target=answers[number].run, daemon=True).start()
        elif op == "count":
            send("counts", id=number, counts=[len(text.split()) for text in frame["texts"]])
        elif op == "count_prompt":
            words = sum(len(message["content"].split()) for message in frame["messages"])
            send("counts", id=number, counts=[words])
        elif answer := answers.get(number):
            if op == "cancel" and "deaf" not in answer.flags:
                answer.cancelled.set()
            elif op == "pause":
                answer.going.clear()
            elif op == "resume":
                answer.going.set()
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
    send("ready", context=1024, parameters=7, slots=slots)
    serve()


if __name__ == "__main__":
    main()
