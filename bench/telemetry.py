"""What telemetry costs: beside the same program without it (`bench/without_telemetry.py`).

    PYTHONPATH=. python bench/telemetry.py calls    one question and one request, in this process
    PYTHONPATH=. python bench/telemetry.py server   processor time of whole servers, per answer
    PYTHONPATH=. python bench/telemetry.py scrape   /metrics while 50 answers stream

`calls` runs the pipeline, the registry of streams and the middleware with a model that says 128
words at once, so that hardly anything but their own work is left: in turn without telemetry, with
it, and with traces that a collector in a process of its own takes. `server` asks three servers with
the bundled model in turn for the same answer. Of whole processes no ratio below some percent can be
told from what else the machine does, so it also divides what `calls` counts by an answer's time.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, nullcontext
from pathlib import Path

import httpx
import psutil
from client import ask, request_body
from figures import judge, options_of, percentile
from without_telemetry import NoGeneration, without_telemetry

from rig.processes import die_with_parent, free_port
from rig.queue_model import QueueModel
from rig.whole_server import Server
from xnai.answering.events import Question
from xnai.answering.pipeline import Pipeline
from xnai.answering.streams import Stream, Streams
from xnai.api.middleware import RequestContext
from xnai.llm.instrumentation import LOCAL, Generation
from xnai.llm.ipc import Figures
from xnai.llm.protocol import Completion, CompletionEvent, Finished, TokenText
from xnai.observability import configure_logging, metrics, searching
from xnai.observability.export import Export
from xnai.settings import Settings
from xnai.types import Sampling, Usage

HERE = Path(__file__).resolve().parent

WORDS = 128
STAGES = ("embed", "words", "vectors", "fetch", "rerank")
FIGURES = Figures(99, 128, 9, prefill_seconds=0.2, decode_seconds=0.8)
MODES = ("without", "metrics", "traces")
QUESTION = [{"role": "user", "content": "Tell a long story about the sea."}]
COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import sys
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@contextlib.contextmanager
def collector() -> Iterator[str]:
    """A process that takes what it is sent; gives its address."""
    port = free_port()
    command = [sys.executable, "-c", COLLECTOR, str(port)]
    process = subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: PLW1509 - one libc call
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), contextlib.closing(_connect(port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _connect(port: int):  # noqa: ANN202 - a socket
    import socket  # noqa: PLC0415

    return socket.create_connection(("127.0.0.1", port), 1)


class WordyModel(QueueModel):
    """Says its words at once, timed as the local engine times an answer."""

    timed: type = Generation

    async def complete(  # noqa: D102 - as in the protocol
        self, completion: Completion
    ) -> AsyncGenerator[CompletionEvent, None]:
        with self.timed(LOCAL, "small", completion) as generation:
            generation.turn()
            for event in self.script:
                generation.see(event)
                yield event
            generation.worked((FIGURES, time.monotonic()))


SCRIPT = [TokenText("word ")] * WORDS + [Finished("stop", Usage(99, WORDS, 9))]
ASKED = Question("Tell a story.", "r1", "me", sampling=Sampling(max_tokens=WORDS))


async def nothing() -> None: ...


async def question(streams: Streams, model: WordyModel) -> None:
    """One answer as the server gives it, with the steps of a search."""
    with streams.run(Stream("api", "me", "m1")) as stream:
        for stage in STAGES:
            await searching.of(stage, nothing)
        async with aclosing(Pipeline(None, model).answer(ASKED)) as events:  # type: ignore[arg-type]
            async for event in events:
                stream.see(event)


async def request() -> None:
    """One request through the middleware, to a route that does nothing."""
    scope = {"type": "http", "path": "/v1/files", "method": "GET", "headers": []}

    async def send(_: object) -> None: ...

    await MIDDLEWARE(scope, nothing, send)  # type: ignore[arg-type]


async def route(_: object, __: object, send: Callable[[object], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


MIDDLEWARE = RequestContext(route)  # type: ignore[arg-type]


async def block(work: Callable[[], Awaitable[None]], count: int) -> tuple[float, float]:
    """Processor microseconds of one: on its way, and with what threads and later moments do."""
    way = 0.0
    began = time.process_time()
    for _ in range(count):
        start = time.thread_time()
        await work()
        way += time.thread_time() - start
        metrics.settle()
    return way / count * 1e6, (time.process_time() - began) / count * 1e6


Times = dict[str, dict[str, list[float]]]  # by work, then by mode


async def measured(rounds: int) -> tuple[Times, Times]:
    """Microseconds of a question and of a request in the three modes: on the way, and in all."""
    ways: Times = {"question": {}, "request": {}}
    totals: Times = {"question": {}, "request": {}}
    streams = Streams()
    with collector() as url:
        for number in range(rounds + 1):
            for mode in MODES:
                model = WordyModel(script=list(SCRIPT))
                model.timed = NoGeneration if mode == "without" else Generation
                async with in_mode(mode, url):
                    works = {"question": lambda m=model: question(streams, m), "request": request}
                    for name, work in works.items():
                        way, total = await block(work, 200)
                        if number:  # the first round warms up
                            ways[name].setdefault(mode, []).append(way)
                            totals[name].setdefault(mode, []).append(total)
    return ways, totals


def added(columns: dict[str, list[float]], mode: str) -> float:
    """What a mode adds: the median over the rounds."""
    pairs = zip(columns[mode], columns["without"], strict=True)
    return statistics.median(ours - bare for ours, bare in pairs)


async def calls(rounds: int) -> bool:
    """One question and one request, in the three modes in turn."""
    ways, totals = await measured(rounds)
    for name, columns in totals.items():
        print(f"{name}: processor microseconds, median of {rounds} rounds of 200")
        for mode in MODES:
            way, total = statistics.median(ways[name][mode]), statistics.median(columns[mode])
            ratio = total / statistics.median(columns["without"])
            print(f"  {mode:10} {way:8.1f} on its way {total:8.1f} in all {ratio:8.3f}")
    request, asked = (added(ways[name], "metrics") for name in ("request", "question"))
    met = judge("added to a request by the middleware (us)", request, "<=", 50)
    return judge("added to a question on its way, traces off (us)", asked, "<=", 50) and met


@contextlib.asynccontextmanager
async def in_mode(mode: str, url: str) -> AsyncIterator[None]:
    """Have this process run without telemetry, with it, or with traces too."""
    taken: AbstractContextManager[None] = nullcontext()
    if mode == "without":
        taken = without_telemetry()
    export = Export(metrics, lambda: None)
    if mode == "traces":
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{url}/v1/traces"
    with taken:
        export.start()
        try:
            yield
        finally:
            os.environ.pop("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None)
            await export.stop()


def spent(server: Server) -> tuple[float, float]:
    """Processor seconds of the server's process, and of all of its processes."""
    assert server.process is not None
    first = psutil.Process(server.process.pid)
    times = [sum(p.cpu_times()[:2]) for p in [first, *first.children(recursive=True)]]
    return times[0], sum(times)


async def servers(rounds: int) -> bool:
    """Processor time of a streamed answer, of three servers in turn."""
    body = request_body(QUESTION, WORDS, seed=1)
    own: dict[str, list[float]] = {mode: [] for mode in MODES}
    whole: dict[str, list[float]] = {mode: [] for mode in MODES}
    async with AsyncExitStack() as stack:
        url = stack.enter_context(collector())
        running = {mode: await stack.enter_async_context(serving(mode, url)) for mode in MODES}
        for server in running.values():
            await ask(server.port, body)
        for number in range(rounds):
            for mode in MODES[number % 3 :] + MODES[: number % 3]:
                before = spent(running[mode])
                for _ in range(4):
                    await ask(running[mode].port, body)
                after = spent(running[mode])
                own[mode].append((after[0] - before[0]) / 4)
                whole[mode].append((after[1] - before[1]) / 4)
    print(f"processor milliseconds of an answer of {WORDS} tokens, median of {rounds} rounds of 4")
    for mode in MODES:
        page, total = statistics.median(own[mode]) * 1e3, statistics.median(whole[mode]) * 1e3
        pairs = zip(whole[mode], whole["without"], strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"  {mode:10} {page:8.1f} of the server {total:8.1f} of all {ratio:8.3f}")
    _, totals = await measured(3)
    whole_answer = statistics.median(whole["without"]) * 1e6
    shares = {mode: 100 * added(totals["question"], mode) / whole_answer for mode in MODES[1:]}
    met = judge("telemetry of a question / processor time of it (%)", shares["metrics"], "<=", 1)
    return judge("the same with traces (%)", shares["traces"], "<=", 1) and met


@contextlib.asynccontextmanager
async def serving(mode: str, url: str) -> AsyncIterator[Server]:
    """A server without telemetry, with it, or with traces and figures sent to a collector."""
    with tempfile.TemporaryDirectory() as folder:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": url} if mode == "traces" else {}
        server = Server(Path(folder), {"XNAI_LOG_FORMAT": "json", **sent})
        script = (str(HERE / "without_telemetry.py"),)
        server.start(*([script] if mode == "without" else []))
        await asyncio.to_thread(server.wait, model="ready")
        try:
            yield server
        finally:
            await asyncio.to_thread(server.stop)


async def scrape(count: int) -> bool:
    """/metrics and /health/live in turn, with nothing to do and with 50 answers under way."""
    async with serving("metrics", "") as server, httpx.AsyncClient(timeout=60) as http:
        await ask(server.port, request_body(QUESTION, 16))
        quiet = await looks(http, server, count)
        body = request_body(QUESTION, 2000)
        asking = [asyncio.create_task(ask(server.port, body)) for _ in range(50)]
        while (await active(http, server)) < 50:
            await asyncio.sleep(0.2)
        busy = await looks(http, server, count)
        left = await active(http, server)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    print(f"milliseconds, {count} each; {left} answers were under way at the end")
    for name, (figures, live) in {"nothing to do": quiet, "50 answers": busy}.items():
        for path, times in (("/metrics", figures), ("/health/live", live)):
            p50, p95 = percentile(times, 0.5), percentile(times, 0.95)
            print(f"  {name:14} {path:13} p50 {p50:7.1f}   p95 {p95:7.1f}")
    more = statistics.median(a - b for a, b in zip(*busy, strict=True))
    judge("more than /health/live beside it, 50 answers (ms, median)", more, "<=", 20)
    return judge("/metrics while 50 answers stream (ms, p50)", percentile(busy[0], 0.5), "<=", 20)


async def active(http: httpx.AsyncClient, server: Server) -> int:
    text = (await http.get(f"{server.url}/metrics")).text
    line = next(one for one in text.splitlines() if one.startswith("xnai_streams_active "))
    return int(float(line.split()[1]))


async def looks(
    http: httpx.AsyncClient, server: Server, count: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of /metrics and of /health/live."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for path, into in zip(("/metrics", "/health/live"), times, strict=True):
            began = time.perf_counter()
            (await http.get(f"{server.url}{path}")).raise_for_status()
            into.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(0.05)
    return times


def main() -> None:
    parser = options_of(__doc__, rounds=9)
    parser.add_argument("what", choices=("calls", "server", "scrape"))
    options = parser.parse_args()
    if options.what != "scrape":  # lines are made as ever, but nobody wants to see them
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
        configure_logging(Settings(_env_file=None, log_format="json"))
    run = {
        "calls": lambda: calls(options.rounds),
        "server": lambda: servers(options.rounds),
        "scrape": lambda: scrape(10 * options.rounds),
    }[options.what]
    sys.exit(0 if asyncio.run(run()) else 1)


if __name__ == "__main__":
    main()
