"""Time to the first token, and how free the event loop stays under load, on a whole server.

    python bench/answer.py [--questions 20]

Starts `xnai serve` in a folder of its own with the bundled model and measures over HTTP:
first token of a plain and of a grounded question (search, reranking and reading the prompt
included), against the same model asked without the server; then the lag of the server's event
loop (its own samples in /metrics) while a document is read and answers stream.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from rig.whole_server import Server
from xnai.llm.gguf.catalogue import bundled_path

STORY = (
    "Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987. "
    "The keepers bake bread on Tuesdays. The emergency generator runs for three days. "
)
QUESTION = "When was the lamp of Norwick Lighthouse replaced?"
FILLER = "Line {0} of the log says that the wind came from the north at {0} knots. "


def stream(server: Server, question: str, retrieval: object, max_tokens: int) -> tuple[float, int]:
    """Seconds to the first text, and number of pieces of text."""
    body = {
        "messages": [{"role": "user", "content": question}],
        "stream": True,
        "max_tokens": max_tokens,
        "temperature": 0,
        "retrieval": retrieval,
    }
    began, first, pieces = time.perf_counter(), 0.0, 0
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions", json=body, timeout=300
    ) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            choices = json.loads(line[6:])["choices"]
            if choices and choices[0]["delta"].get("content"):
                first = first or time.perf_counter() - began
                pieces += 1
    return first, pieces


BARE = """
import sys, time
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx=8192, verbose=False)
prompt = [{"role": "user", "content": sys.argv[2]}]
for _ in range(int(sys.argv[3])):
    model.reset()
    began = time.perf_counter()
    for chunk in model.create_chat_completion(prompt, stream=True, max_tokens=4, temperature=0):
        if chunk["choices"][0]["delta"].get("content"):
            print(time.perf_counter() - began)
            break
"""


def bare(question: str, runs: int) -> list[float]:
    """First token of llama-cpp-python's own chat call on the same file, in seconds."""
    command = [sys.executable, "-c", BARE, str(bundled_path()), question, str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def lag_buckets(server: Server) -> dict[float, float]:
    """The event-loop lag histogram: samples at or below each bound in seconds."""
    buckets = {}
    for line in httpx.get(f"{server.url}/metrics", timeout=10).text.splitlines():
        if line.startswith("xnai_event_loop_lag_seconds_bucket"):
            bound = line.split('le="')[1].split('"')[0]
            buckets[float(bound)] = float(line.rsplit(" ", 1)[1])
    return buckets


def quantile_bound(before: dict[float, float], after: dict[float, float], q: float) -> float:
    """The smallest bucket bound that holds the share ``q`` of the samples between two reads."""
    counts = {bound: after[bound] - before.get(bound, 0) for bound in after}
    total = max(counts.values())
    return min(bound for bound, count in counts.items() if count >= q * total)


def under_load(server: Server) -> tuple[float, float, int, float]:
    """Loop lag p50 and p99 (bucket bounds), samples and seconds while a document is read."""
    text = "".join(FILLER.format(i) for i in range(6000))
    before, began = lag_buckets(server), time.perf_counter()
    stop = threading.Event()

    def answers() -> None:
        while not stop.is_set():
            stream(server, "Tell a long story about the sea.", retrieval=False, max_tokens=200)

    asking = threading.Thread(target=answers)
    asking.start()
    server.upload("log.txt", text.encode())
    stop.set()
    asking.join()
    after = lag_buckets(server)
    samples = int(max(after.values()) - max(before.values()))
    seconds = time.perf_counter() - began
    return (
        quantile_bound(before, after, 0.5),
        quantile_bound(before, after, 0.99),
        samples,
        seconds,
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=20)
    runs = parser.parse_args().questions
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            server.wait(model="ready")
            file_id = server.upload("story.txt", (STORY * 20).encode())
            time.sleep(20)  # the embedding model is being quantised meanwhile
            scope = {"document_ids": [file_id]}
            asked = [f"{QUESTION} ({i})" for i in range(runs)]  # no prompt twice
            plain = [stream(server, q, retrieval=False, max_tokens=4)[0] for q in asked]
            grounded = [stream(server, q, retrieval=scope, max_tokens=4)[0] for q in asked]
            alone = bare(QUESTION, runs)
            p50, p99, samples, seconds = under_load(server)
        finally:
            server.stop()
    for name, times in (("plain", plain), ("grounded", grounded), ("llama-cpp-python", alone)):
        worst = sorted(times)[int(len(times) * 0.95) - 1]
        print(f"first token, {name:18} p50 {statistics.median(times):6.3f} s   p95 {worst:6.3f} s")
    ratio = statistics.median(plain) / statistics.median(alone)
    print(f"plain / llama-cpp-python alone: {ratio:.2f}")
    print(
        f"event-loop lag while a document is read and answers stream ({seconds:.0f} s, "
        f"{samples} samples): p50 <= {p50 * 1000:g} ms, p99 <= {p99 * 1000:g} ms"
    )


if __name__ == "__main__":
    main()
