"""What people and programs do with the server, each of it so that a fault can be let in half way.

A step prepares, yields, does what may fail, yields, and tidies up. Everything that the server says
meanwhile goes through the ``Judge``.
"""

import asyncio
import contextlib
import json
import re
import time
import uuid
from dataclasses import dataclass, field

import httpx
from doors import MARKER
from socketio.exceptions import ConnectionError  # noqa: A004 - the library's own
from ui_client import Tab, opened

from rig.page import upload
from rig.pdf_files import pdf
from xnai.errors import CATALOGUE

TEXT = "The keepers bake bread on Tuesdays and Fridays."
QUESTION = "On which days do the keepers bake bread?"
PATIENCE = 12.0


@dataclass
class Judge:
    """Looks at everything that reaches a user; ``problems`` are what must not be."""

    where: str = ""
    problems: list = field(default_factory=list)
    codes: set = field(default_factory=set)
    ends: int = 0

    def blame(self, what):
        self.problems.append(f"{self.where}: {what}")

    def text(self, what, said):
        if MARKER in said or "Traceback" in said:
            self.blame(f"{what} shows {said[max(0, said.find(MARKER) - 100) :][:200]!r}")

    def response(self, answer: httpx.Response):
        """One answer over HTTP: good, or one error of the catalogue."""
        self.ends += 1
        what = f"{answer.request.method} {answer.request.url.path} -> {answer.status_code}"
        self.text(what, answer.text + str(answer.headers))
        if answer.is_error and answer.headers["content-type"].startswith("text/html"):
            self.problem_page(what, answer)
        elif answer.is_error:
            try:
                error = answer.json()["error"]
            except (ValueError, LookupError, TypeError):
                self.blame(f"{what} is no error of the catalogue: {answer.text[:200]}")
                return answer
            self.error(what, error, answer)
        elif answer.headers.get("content-type", "").startswith("text/event-stream"):
            self.stream(what, answer)
        return answer

    def problem_page(self, what, answer):
        """A page that says what is wrong, with the code of the catalogue folded away."""
        code = re.search(r"<summary>Details</summary>(\w+)<", answer.text)
        kind = CATALOGUE.get(code[1]) if code else None
        if kind is None:
            self.blame(f"{what} names no error of the catalogue: {answer.text[:200]}")
            return
        self.codes.add(kind.code)
        if answer.status_code != kind.status:
            self.blame(f"{what}: {kind.code} has status {kind.status}")

    def error(self, what, error, answer):
        kind = CATALOGUE.get(error["code"])
        if kind is None:
            self.blame(f"{what}: unknown code {error['code']}")
            return
        self.codes.add(kind.code)
        if answer.is_error and answer.status_code != kind.status:
            self.blame(f"{what}: {kind.code} has status {kind.status}")
        if error["request_id"] != answer.headers["X-Request-ID"]:
            self.blame(f"{what}: {error['request_id']} is not the id in the header")
        if answer.status_code in {429, 503} and not int(answer.headers.get("Retry-After", 0)) >= 1:
            self.blame(f"{what}: no Retry-After")
        if not error["message"] or error["category"] != kind.category:
            self.blame(f"{what}: {error}")

    def stream(self, what, answer):
        lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
        if not lines or lines[-1] != "data: [DONE]":
            self.blame(f"{what}: a stream without its end: {lines[-2:]}")
            return
        chunks = [json.loads(line[6:]) for line in lines[:-1]]
        errors = [chunk["error"] for chunk in chunks if "error" in chunk]
        finished = [c for c in chunks if c.get("choices") and c["choices"][0]["finish_reason"]]
        if len(errors) + len(finished) != 1:
            self.blame(f"{what}: {len(errors)} errors and {len(finished)} ends in one stream")
        for error in errors:
            self.error(what, error, answer)

    def page(self, tab, start):
        """Everything that a socket was told since an event."""
        self.ends += 1
        said = json.dumps(tab.events[start:], default=str)
        self.text("the page", said)
        found = re.findall(r'\b([a-z_]+) \\u00b7 [0-9a-f]|"code": "([a-z_]+)"', said)
        self.codes |= {one or other for one, other in found} & set(CATALOGUE)


@dataclass
class Visit:
    """Who walks: a program's client, a person's client, and documents that are there."""

    server: object
    client: httpx.AsyncClient
    judge: Judge
    document: str = ""
    picture: str = ""

    async def post(self, path, **body):
        return self.judge.response(await self.client.post(path, json=body))

    async def get(self, path):
        return self.judge.response(await self.client.get(path))

    async def add(self, name, content, judged=False, **fields):
        answer = await self.client.post("/v1/files", files={"file": (name, content)}, data=fields)
        if judged:
            self.judge.response(answer)
        return answer.json().get("id", "")

    async def read(self, file_id, judged=False):
        """Wait until a document was read, one way or the other."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = await self.client.get(f"/v1/files/{file_id}")
            if judged:
                self.judge.response(answer)
            if answer.is_error:
                return None
            state = answer.json()
            if state["status"] in {"processed", "error"}:
                self.judge.text("the record", json.dumps(state))
                if state["error"] and state["error"]["code"] not in CATALOGUE:
                    self.judge.blame(f"the record says {state['error']}")
                if state["error"]:
                    self.judge.codes.add(state["error"]["code"])
                return state
            await asyncio.sleep(0.03)
        self.judge.blame("a document is neither read nor refused")
        return None

    async def forget(self, file_id):
        if file_id:
            await self.client.delete(f"/v1/files/{file_id}")

    def chat(self, text, documents=False, **more):
        retrieval = {"document_ids": documents} if documents else False
        message = {"role": "user", "content": text}
        return {"messages": [message], "retrieval": retrieval, "max_tokens": 20, **more}


def fresh(text=TEXT):
    return f"{text} {uuid.uuid4()}".encode()


async def models(v):
    yield
    await v.get("/v1/models")
    await v.get("/v1/models/none")
    yield


async def health(v):
    yield
    await v.get("/health/live")
    await v.get("/health/ready")
    await v.get("/metrics")
    yield


async def choose(v):
    yield
    await v.post("/v1/chat/completions", **v.chat("hello", model="none"))
    yield


async def look(v):
    yield
    await v.get("/v1/files")
    await v.get(f"/v1/files/{v.document}")
    await v.get(f"/v1/files/{v.document}/content")
    await v.get(f"/v1/files/{v.document}/pages/0")
    yield


async def draw(v):
    yield
    width = 300 + int(time.monotonic() * 1000) % 1500
    await v.get(f"/v1/files/{v.picture}/pages/1.png?width={width}")
    await v.get(f"/reader/{v.picture}/layer?page=1&start=0&end=20")
    await v.get(f"/v1/files/{v.picture}/pages/1")
    yield


async def bring(v):
    yield
    file_id = await v.add("bread.txt", fresh(), judged=True)
    if file_id:
        await v.read(file_id, judged=True)
    yield
    await v.forget(file_id)


async def bring_again(v):
    file_id = await v.add("again.txt", fresh())
    await v.read(file_id)
    yield
    second = await v.add("again.txt", fresh(), judged=True, replace="true")
    if second:
        await v.read(second, judged=True)
    yield
    await v.forget(file_id)
    await v.forget(second)


async def remove(v):
    file_id = await v.add("gone.txt", fresh())
    await v.read(file_id)
    yield
    v.judge.response(await v.client.delete(f"/v1/files/{file_id}"))
    yield
    await v.forget(file_id)


async def ask(v):
    yield
    await v.post("/v1/chat/completions", **v.chat(QUESTION, [v.document]))
    yield


async def embed(v):
    yield
    await v.post("/v1/embeddings", input=[QUESTION])
    yield


async def ask_streaming(v):
    yield
    await v.post("/v1/chat/completions", **v.chat(QUESTION, [v.document], stream=True))
    yield


async def ask_all(v):
    yield
    body = {**v.chat(QUESTION), "retrieval": {}}
    await v.post("/v1/chat/completions", **body)
    yield


async def plain(v):
    yield
    await v.post("/v1/chat/completions", **v.chat("hello"))
    yield


async def plain_streaming(v):
    yield
    await v.post("/v1/chat/completions", **v.chat("hello", stream=True))
    yield


async def summarise(v):
    yield
    body = v.chat("/summary Summarise this document.", [v.document], stream=True)
    await v.post("/v1/chat/completions", **body)
    yield


async def list_all(v):
    yield
    body = v.chat("/list all towns", [v.document], stream=True)
    await v.post("/v1/chat/completions", **body)
    yield


# The page


@contextlib.asynccontextmanager
async def tab_of(v):
    tab = Tab(v.server, v.client)
    try:
        yield tab
    finally:
        await tab.close()
        if tab in opened:
            opened.remove(tab)


async def until(v, tab, start, found, what):
    deadline = time.monotonic() + PATIENCE
    while not found(tab.events[start:]):
        if time.monotonic() > deadline:
            v.judge.blame(f"the page waits for {what}; it saw {[e for e, _ in tab.events[start:]]}")
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)
    v.judge.page(tab, start)


def ended(events):
    """Whether a run has begun and ended, or was refused."""
    names = [name for name, _ in events]
    if "refused" in names:
        return True
    return "task_start" in names and "task_end" in names[names.index("task_start") :]


def told(*wanted):
    return lambda events: any(name in wanted for name, _ in events)


async def enter(v, tab, thread=""):
    try:
        await tab.open(threadId=thread)
    except ConnectionError as exc:  # refused: the judge sees the event
        v.judge.text("the socket", str(exc))
    await until(v, tab, 0, lambda e: ended(e) or told("toast")(e), "the greeting")


async def say(v, tab, text, *files):
    start = len(tab.events)
    message = {"id": str(uuid.uuid4()), "name": "me", "type": "user_message", "output": text}
    references = [{"id": file} for file in files]
    await tab.socket.emit("client_message", {"message": message, "fileReferences": references})
    await until(v, tab, start, ended, "the end of the answer")
    events = tab.events[start:]
    answered = [d for n, d in events if n in {"new_message", "update_message", "stream_start"}]
    shown = [d for d in answered if d["type"] == "assistant_message"]
    toasts = [d for n, d in events if n == "toast"]
    if not shown and not toasts:
        v.judge.blame(f"the page shows neither answer nor error: {[n for n, _ in events]}")
    return message["id"]


async def attach(v, tab, name="bread.txt"):
    answer = await upload(v.client, tab.session_id, name, fresh(), "text/plain")
    v.judge.response(answer)
    return answer.json().get("id", "")


async def page_opens(v):
    async with tab_of(v) as tab:
        yield
        v.judge.response(await v.client.post("/auth/header"))
        await enter(v, tab)
        yield


async def page_asks(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        yield
        await say(v, tab, "hello")
        yield


async def page_brings(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        yield
        file = await attach(v, tab)
        await say(v, tab, QUESTION, *([file] if file else []))
        yield


async def page_asks_again(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        await say(v, tab, QUESTION, await attach(v, tab))
        yield
        await say(v, tab, QUESTION)
        start = len(tab.events)
        actions = [data for name, data in tab.events if name == "action"]
        again = [action for action in actions if action["name"] == "answer_again"]
        if again:
            body = {"sessionId": tab.session_id, "action": again[-1]}
            v.judge.response(await v.client.post("/project/action", json=body))
            await until(v, tab, start, lambda e: ended(e) or told("toast")(e), "the second answer")
        yield


async def page_lists(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        await say(v, tab, QUESTION, await attach(v, tab))
        yield
        v.judge.response(await v.client.get("/documents", params={"q": QUESTION}))
        v.judge.response(await v.client.get("/documents", params={"chat": tab.thread_id}))
        v.judge.response(await v.client.delete(f"/documents/{'0' * 32}"))
        chat = f"/conversations/{tab.thread_id}"
        for form in ("md", "json"):
            v.judge.response(await v.client.get(chat, params={"as": form}))
        v.judge.response(await v.client.get("/models"))
        yield


async def page_deletes(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        await say(v, tab, QUESTION, await attach(v, tab))
        listed = await v.client.get("/documents", params={"chat": tab.thread_id})
        (row,) = re.findall(r'data-id="(\w+)"', listed.text)
        yield
        v.judge.response(await v.client.post(f"/documents/{row}/again"))
        v.judge.response(await v.client.delete(f"/documents/{row}"))
        yield


async def page_chooses(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        yield
        start = len(tab.events)
        await tab.socket.emit("chat_settings_change", {"model": "none", "max_tokens": 20})
        await until(v, tab, start, told("toast"), "what became of the choice")
        yield


async def history(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        await say(v, tab, "hello")
        thread = tab.thread_id
        answers = [d for n, d in tab.events if n in {"new_message", "update_message"}]
        answer = next(d["id"] for d in answers if d["type"] == "assistant_message")
        yield
        listing = {"pagination": {"first": 5}, "filter": {}}
        await v.post("/project/threads", **listing)
        await v.get(f"/project/thread/{thread}")
        await v.get(f"/project/thread/{thread}/element/{uuid.uuid4()}")
        renamed = {"threadId": thread, "name": "Bread"}
        v.judge.response(await v.client.put("/project/thread", json=renamed))
        rating = {"feedback": {"forId": answer, "value": 1}, "sessionId": tab.session_id}
        rated = v.judge.response(await v.client.put("/feedback", json=rating))
        feedback_id = rated.json().get("feedbackId", "none")
        body = {"feedbackId": feedback_id}
        v.judge.response(await v.client.request("DELETE", "/feedback", json=body))
        yield


async def resume(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        await say(v, tab, "hello")
        thread = tab.thread_id
    async with tab_of(v) as tab:
        yield
        await enter(v, tab, thread)
        yield


async def forget_thread(v):
    async with tab_of(v) as tab:
        await enter(v, tab)
        await say(v, tab, QUESTION, await attach(v, tab))
        thread = tab.thread_id
        yield
        body = {"threadId": thread}
        v.judge.response(await v.client.request("DELETE", "/project/thread", json=body))
        yield
        await v.client.request("DELETE", "/project/thread", json=body)


PROGRAM = (
    *(models, health, choose, look, draw, bring, bring_again, remove, ask, ask_streaming, ask_all),
    *(plain, plain_streaming, summarise, list_all, embed),
)
PAGE = (
    *(page_opens, page_asks, page_brings, page_asks_again, page_lists, page_deletes, page_chooses),
    *(history, resume, forget_thread),
)


async def settle_in(v):
    """Sign in, and bring the documents that the steps look at."""
    (await v.client.post("/auth/header")).raise_for_status()
    for breaker in ("model", "embedder", "index"):  # an open one would keep the next fault away
        changed = await v.client.post(f"/v1/breakers/{breaker}", json={"action": "watch"})
        changed.raise_for_status()
    v.document = await v.add("bread.txt", TEXT.encode())
    v.picture = await v.add("bread.pdf", pdf([[TEXT]]))
    for file_id in (v.document, v.picture):
        state = await v.read(file_id)
        assert state, v.judge.problems
        assert state["status"] == "processed", state
