"""Real servers as model endpoints: llama_cpp.server, another XNAi, llama-server where it is."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import httpx
import psutil
import pytest
from paths import ROOT, SUPPORT

from rig.processes import LocalServer
from rig.waiting import collect, eventually
from rig.whole_server import Server
from xnai.answering.events import Question
from xnai.answering.prompt import build_prompt
from xnai.errors import XnaiError
from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.protocol import Completion, Finished, Prefill, TokenText
from xnai.llm.remote.router import Router
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = pytest.mark.engine

LONG = (Message("user", "Tell a very long story about the sea, in many chapters."),)
FRANCE = (Message("system", "You are brief."), Message("user", "What is the capital of France?"))


def llama_cpp_server(port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "llama_cpp.server", "--model", str(bundled_path())),
        *("--model_alias", "smol", "--host", "127.0.0.1", "--port", str(port)),
        *("--n_threads", "1", "--n_ctx", "2048"),
    ]


@contextmanager
def serving(server: LocalServer, command: list[str]) -> Iterator[LocalServer]:
    server.launch(command)
    try:
        server.until_it_answers("/v1/models")
        yield server
    finally:
        server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def llama_cpp_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = LocalServer(tmp_path_factory.mktemp("llama_cpp"))
    with serving(server, llama_cpp_server(server.port)):
        yield server.url


@pytest.fixture(scope="module")
def llama_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = LocalServer(tmp_path_factory.mktemp("llama"))
    command = [os.environ["LLAMA_SERVER"], "-m", str(bundled_path())]
    command += ["-c", "4096", "-np", "2", "-t", "1", "--host", "127.0.0.1"]
    with serving(server, [*command, "--port", str(server.port)]):
        yield server.url


KINDS = ["llama_cpp", "xnai"]
if shutil.which(os.environ.get("LLAMA_SERVER", "")):
    KINDS.append("llama_server")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    """A real server: each kind in its turn."""
    if request.param == "xnai":
        return str(request.getfixturevalue("server").url)
    return str(request.getfixturevalue(f"{request.param}_url"))


@asynccontextmanager
async def fleet_of(*urls: str, **values: object):
    fleet = Router(Settings(_env_file=None, llm_url=urls, **values))
    try:
        await fleet.ensure_ready(time.monotonic() + 30)
        yield fleet
    finally:
        await fleet.close()


def ask(messages=FRANCE, seconds: float = 60, **sampling: object) -> Completion:
    values = {"max_tokens": 40, "temperature": 0.0, **sampling}
    return Completion("r", "u", messages, Sampling(**values), time.monotonic() + seconds)


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, TokenText))


async def test_an_answer_streams_and_ends_with_its_usage(url):
    async with fleet_of(url) as fleet:
        events = await collect(fleet.complete(ask(temperature=0.0, repeat_penalty=1.0)))
    pieces = [event for event in events if isinstance(event, TokenText)]
    usage = events[-1].usage
    assert [Finished] == [type(event) for event in events if isinstance(event, Finished)]
    assert len(pieces) > 3
    assert 20 < usage.prompt_tokens < 90
    assert 0 < usage.completion_tokens <= 40


async def test_the_limit_of_tokens_and_the_stop_strings_reach_the_model(url):
    async with fleet_of(url) as fleet:
        short = (await collect(fleet.complete(ask(LONG, max_tokens=5))))[-1]
        stopped = text_of(await collect(fleet.complete(ask(LONG, stop=("the",)))))
    assert (short.reason, short.usage.completion_tokens) == ("length", 5)
    assert "the" not in stopped


async def test_a_seed_gives_the_same_text_twice(url):
    async with fleet_of(url) as fleet:
        twice = [
            text_of(
                await collect(fleet.complete(ask(LONG, seed=7, temperature=1.5, max_tokens=12)))
            )
            for _ in range(2)
        ]
    assert twice[0] == twice[1]


async def test_a_schema_binds_the_answer(url):
    city = {"type": "string", "maxLength": 12}  # a weak model would write for ever
    form = {"type": "object", "properties": {"city": city}, "required": ["city"]}
    schema = json.dumps({**form, "additionalProperties": False})
    async with fleet_of(url) as fleet:
        text = text_of(await collect(fleet.complete(ask(json_schema=schema, max_tokens=60))))
    # llama_cpp.server lets line breaks into strings.
    assert list(json.loads(text, strict=False)) == ["city"]


async def test_log_probabilities_come_along(url):
    async with fleet_of(url) as fleet:
        events = await collect(fleet.complete(ask(logprobs=2, max_tokens=3)))
    found = [item for e in events if isinstance(e, TokenText) for item in e.logprobs]
    assert len(found) == 3
    assert all(item.logprob <= 0 and len(item.alternatives) == 2 for item in found)


async def test_closing_an_answer_frees_its_place_at_once(url):
    """llama_cpp.server answers one at a time: the second answer shows that the first has ended."""
    async with fleet_of(url) as fleet:
        begun = time.monotonic()
        finished = (await collect(fleet.complete(ask(LONG, max_tokens=80))))[-1]
        whole = time.monotonic() - begun
        async with aclosing(fleet.complete(ask(LONG, max_tokens=80))) as events:
            async for event in events:
                if isinstance(event, TokenText):
                    break
        closed = time.monotonic()
        await collect(fleet.complete(ask(max_tokens=1)))
        freed = time.monotonic() - closed
    assert finished.usage.completion_tokens > 40
    assert freed < whole / 2


async def test_a_prompt_that_is_too_long_is_trimmed_or_refused_before_it_is_sent(url):
    turns = tuple(Message(role, "The sea. " * 20) for role in 10 * ("user", "assistant"))
    sampling = Sampling(max_tokens=10)
    question = Question("Why?", "r", "u", history=turns, sampling=sampling)
    async with fleet_of(url, llm_context=400) as fleet:
        prompt = await build_prompt(fleet, question, ())
        events = await collect(fleet.complete(ask(prompt.messages, max_tokens=1)))
        with pytest.raises(XnaiError) as caught:
            await build_prompt(fleet, Question("The sea. " * 500, "r", "u"), ())
    assert prompt.dropped
    assert prompt.dropped[0].endswith("oldest messages")
    assert events[-1].usage.prompt_tokens <= prompt.tokens <= 390
    assert caught.value.code == "question_too_long"


async def test_counts_are_those_of_the_model_or_more(url):
    text = "How many tokens are in this question? Grüße aus Köln."
    real = 17  # by SmolLM2's own vocabulary
    async with fleet_of(url) as fleet:
        [count] = await fleet.count_tokens([text])
        prompt = await fleet.count_prompt([Message("user", text)])
    assert real <= count <= 3 * real
    assert count <= prompt


async def test_another_xnai_tells_progress_context_and_weights(server):
    async with fleet_of(server.url) as fleet:
        events = await collect(fleet.complete(ask(max_tokens=2)))
        assert any(isinstance(event, Prefill) for event in events)
        assert (fleet.status.name, fleet.parameters) == ("SmolLM2-135M-Instruct", 134_515_008)
        assert fleet.context_tokens > 1024


async def test_a_closed_answer_is_gone_from_the_other_xnai(server):
    def active() -> float:
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        [line] = [line for line in lines if line.startswith("xnai_streams_active ")]
        return float(line.split()[1])

    async with fleet_of(server.url) as fleet:
        async with aclosing(fleet.complete(ask(LONG, max_tokens=900))) as events:
            async for event in events:
                if isinstance(event, TokenText):
                    break
            assert await asyncio.to_thread(active) == 1
        # Its 900 tokens would take longer.
        await eventually(lambda: active() == 0, "the end of the answer", 15)


async def test_an_endpoint_killed_in_mid_answer_keeps_the_text_and_the_next_one_answers(
    llama_cpp_url, tmp_path
):
    doomed = LocalServer(tmp_path)
    with serving(doomed, llama_cpp_server(doomed.port)):
        async with fleet_of(doomed.url) as alone:
            texts = []
            with pytest.raises(XnaiError) as caught:
                async with aclosing(alone.complete(ask(LONG, max_tokens=900))) as events:
                    async for event in events:
                        if isinstance(event, TokenText) and not texts:
                            doomed.process.kill()
                            texts.append(event.text)
        async with fleet_of(doomed.url, llama_cpp_url) as both:
            answers = await asyncio.gather(
                *(collect(both.complete(ask(max_tokens=2))) for _ in range(3))
            )
    assert caught.value.code == "remote_broke_off"
    assert all(isinstance(events[-1], Finished) for events in answers)


def test_a_server_with_endpoints_answers_through_them_and_builds_no_engine(llama_cpp_url, tmp_path):
    front = Server(tmp_path, {"XNAI_LLM_URL": f"{llama_cpp_url},http://127.0.0.1:9"})
    front.start()
    try:
        health = front.wait(model="ready", status="ready")
        front.upload(
            "tower.txt", b"The Heron Tower in Marlow is 330 metres tall. It was built in 1902."
        )
        body = {"messages": [{"role": "user", "content": "How tall is the Heron Tower?"}]}
        reply = httpx.post(f"{front.url}/v1/chat/completions", json=body, timeout=60).json()
        models = httpx.get(f"{front.url}/v1/models").json()
        assert front.process is not None
        children = psutil.Process(front.process.pid).children(recursive=True)
        commands = [" ".join(child.cmdline()) for child in children]
        connections = {
            connection.raddr
            for process in (psutil.Process(front.process.pid), *children)
            for connection in process.net_connections("inet")
            if connection.raddr
        }
    finally:
        assert front.stop() == 0
    assert reply["choices"][0]["message"]["content"]
    # The server does not tell how small its model is; what it makes of the lines may be nothing.
    assert reply["answer"]["route"] == "read all"
    assert {"tower.txt"} >= {citation["file_name"] for citation in reply["citations"]}
    assert (models["default"], [model["id"] for model in models["data"]]) == ("smol", ["smol"])
    assert "ready" in [each["state"] for each in health["endpoints"]]
    assert [command for command in commands if "xnai.llm" in command] == []
    assert {address.ip for address in connections} <= {"127.0.0.1", "::1"}
    assert not (tmp_path / "data" / "engine").exists()


def test_no_server_outlives_a_test_run_that_is_killed(tmp_path):
    program = f"""
        import sys, time
        from pathlib import Path
        sys.path[:0] = [{str(ROOT)!r}, {str(SUPPORT)!r}]
        from rig.processes import LocalServer
        server = LocalServer(Path({str(tmp_path)!r}))
        server.launch({llama_cpp_server(0)!r})
        print(server.process.pid, flush=True)
        time.sleep(60)
    """
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE)
    assert run.stdout is not None
    child = psutil.Process(int(run.stdout.readline()))
    run.kill()
    run.wait(10)
    run.stdout.close()
    assert ([], [child]) != psutil.wait_procs([child], timeout=5)
