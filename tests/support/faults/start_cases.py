"""What stops a start or a command: settings, folders, files, ports."""

import asyncio
import http.server
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from api_server import Search as SearchState
from api_server import program as api_program
from api_server import serving
from cases import refused
from chainlit.user import User
from documents_library import GatedEmbedder, followed
from documents_library import opened as library_opened
from doors import MARKER
from fakes import ShelfLibrary
from model_folders import cross_encoder, embedding_model
from starlette.exceptions import HTTPException
from starlette.requests import Request

from rig.queue_model import QueueModel
from rig.waiting import eventually
from xnai.accounts import PROGRAM, People, Principal, acting
from xnai.answering import limits
from xnai.answering.events import Question
from xnai.answering.pipeline import Pipeline
from xnai.answering.reading.gather import Gatherer
from xnai.answering.streams import Stream, Streams, StreamState
from xnai.api.clients import MOST as MOST_REQUESTS
from xnai.api.clients import Clients
from xnai.api.errors import REQUEST_ID, from_router, require_accepting, require_search
from xnai.api.files import FileRoutes
from xnai.api.readiness import require_ready
from xnai.api.scope import missing
from xnai.client import readable
from xnai.data_folder import marker
from xnai.documents.folders import scan
from xnai.documents.folders.in_step import bring_in_step
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.mirror import FolderMirror, LocalKeeper
from xnai.documents.folders.scan import IGNORE_FILE, ignore_rules
from xnai.documents.jobs import Jobs
from xnai.documents.libraries import MOST, Libraries
from xnai.documents.reembed import Renewal
from xnai.documents.shelving import Shelving, checked_folder, checked_tag, document_ids_of
from xnai.documents.storage import disk_errors
from xnai.documents.text_work import TextWork
from xnai.evaluation.workspace import Workspace
from xnai.llm.ipc import RefusedError
from xnai.llm.worker.sequence import check_characters
from xnai.observability.health import PartDegraded
from xnai.resilience.breaker import Breaker
from xnai.resilience.shares import Shares
from xnai.retrieval.cross_encoder import reranker
from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.onnx import OnnxEmbedder
from xnai.retrieval.embedding.switching import Embedders
from xnai.retrieval.guarded import guarded
from xnai.retrieval.index.sqlite import connections
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.synced import SyncedFile, SyncSource
from xnai.runtime import Runtime
from xnai.settings import Settings, load_settings
from xnai.types import Document, PageTexts, Passage, Sampling, Scope
from xnai.ui.chainlit import address, errors
from xnai.ui.history.data_layer import SqliteHistory
from xnai.ui.history.protocol import ThreadQuery
from xnai.ui.history.sqlite.searching import ThreadSearch
from xnai.ui.server import tls

# Locks of SQLite are a process's own, so another one has to keep the file locked.
HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


async def settings(folder, patch):
    patch.chdir(folder)
    patch.setenv("XNAI_PORT", "many")
    await refused("setting_invalid", load_settings)
    patch.undo()
    file = folder / "file"
    file.touch()
    await refused("data_dir_unusable", lambda: Runtime(Settings(_env_file=None, data_dir=file)))
    (folder / "people" / ".accounts.lock").mkdir(parents=True)
    await refused("data_dir_unusable", lambda: People(folder / "people"))
    (folder / "people" / "accounts.json").write_text("{}")
    await refused("accounts_damaged", lambda: People(folder / "people"))
    (folder / "people" / "accounts.json").unlink()
    (folder / "people" / "accounts.json").mkdir()
    await refused("accounts_damaged", lambda: People(folder / "people"))
    (folder / "people" / "accounts.json").rmdir()
    marker.record(folder / "people", marker.PEOPLE)  # it was there
    await refused("accounts_damaged", lambda: People(folder / "people"))
    theirs = Settings(_env_file=None, data_dir=folder)  # which holds the file
    await refused("data_dir_foreign", lambda: Runtime(theirs))
    data = {"_env_file": None, "data_dir": folder / "data"}
    for half in ({"tls_cert": "c.pem"}, {"tls_cert": "c.pem", "tls_key": "k.pem"}):
        await refused("setting_invalid", lambda half=half: tls.options(Settings(**data, **half)))
    await refused("setting_invalid", lambda: Runtime(Settings(**data, redis_url="http://x")))
    await refused("model_folder_invalid", lambda: Runtime(Settings(**data, embedder=str(file))))
    patch.setenv("CHAINLIT_PORT", "x")
    await refused("setting_invalid", lambda: address.effective_address(Settings(**data)))
    patch.delenv("CHAINLIT_PORT")
    wide = Settings(**data, host="192.0.2.1")
    await refused("exposed_without_keys", lambda: address.effective_address(wide))
    patch.undo()


async def embedding(folder, patch):
    model = embedding_model(folder / "model")
    chosen = Settings(_env_file=None, data_dir=folder / "data", embedder=str(model))
    one = Embedders(chosen)
    await refused("search_down", one.embed_chunks(["x"]))
    await one.start()
    await one.ready()
    one._current._session = None  # as if the file had been unloadable half way
    await refused("search_down", one.embed_chunks(["x"]))
    await one.close()
    await refused("shutting_down", one.embed_chunks(["x"]))
    missing = weights.PackagedFile("no-such-package", "a", "0")
    await refused("embedding_model_missing", lambda: weights.locate(missing))
    gone = weights.PackagedFile(weights.MODEL.package, "no/such/file", "0")
    await refused("embedding_model_missing", lambda: weights.locate(gone))
    other = weights.PackagedFile(weights.TOKENIZER.package, weights.TOKENIZER.path, "0" * 64)
    await refused("embedding_model_missing", lambda: weights.verified(other, folder))
    closing = OnnxEmbedder(Settings(_env_file=None, data_dir=folder / "closing"))
    await closing.start()
    waiting = asyncio.create_task(closing.embed_chunks(["x"]))
    await asyncio.sleep(0)
    await closing.close()
    await refused("shutting_down", waiting)
    patch.undo()


async def originals(folder):
    source = folder / "source.txt"
    source.write_bytes(b"The lamp comes.")
    data = folder / "originals"
    embedder = GatedEmbedder(folder)
    async with library_opened(data, embedder) as (library, index):
        document = await library.add("o", "lamp.txt", source)
        await followed(library, document.id)
        library.original(document).unlink()
        await degraded("documents_missing", library.look())
        lost = await library.get(document.id)
        await refused("document_missing", lambda: require_original(lost))
        index.damage.note("chunks", 1)
        await degraded("index_partly_damaged", index.check())
        for way in ("words", "vectors"):
            index.damage.failed(way, "malformed")
        await refused("index_damaged", index.check())
        index.damage.works("words")
        (data / "index.sqlite3").rename(data / "moved")
        await refused("index_damaged", index.check())
        (data / "moved").rename(data / "index.sqlite3")
        (data / "documents").rename(folder / "elsewhere")
        await degraded("documents_missing", library.look())
        await refused("documents_away", library.add("o", "lamp.txt", source))
        again = await index.get(document.id)
        await refused("document_missing", library._upkeep.require_file(again))


def require_original(document):
    raise missing(document)


async def degraded(code, look):
    with pytest.raises(PartDegraded) as caught:
        await look
    assert caught.value.error.code == code


async def index(folder, patch):
    (folder / "damaged").write_bytes(b"no database" * 1000)
    await refused("index_damaged", SqliteIndex(folder / "damaged", 8).start())
    newer = sqlite3.connect(folder / "newer")
    newer.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at REAL)")
    newer.execute("INSERT INTO migrations VALUES ('m999', 0)")
    newer.commit()
    newer.close()
    await refused("search_down", SqliteIndex(folder / "newer", 8).start())
    (folder / "folder").mkdir()
    await refused("search_down", SqliteIndex(folder / "folder", 8).start())
    patch.setattr(connections, "BUSY_SECONDS", 0.2)
    holder = [sys.executable, "-c", HOLDER, str(folder / "busy")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*holder, **pipes)
    await process.stdout.readline()
    await refused("search_down", SqliteIndex(folder / "busy", 8).start())
    process.kill()
    await process.wait()
    patch.undo()
    full = SqliteIndex(folder / "full", 8)
    await full.start()
    await full._connections.write(lambda db: db.pragma("max_page_count", db.pragma("page_count")))
    record = Document("d" * 32, "o", "x" * 500_000, "text/plain", 1, "", 0.0)
    await refused("disk_full", full.put_document(record))
    await full._connections.write(lambda db: db.pragma("query_only", 1))
    await refused("data_read_only", full.put_document(record))
    assert await full.documents() == []  # what can be read still is
    await full.close()
    await refused("shutting_down", full.documents())


async def library(folder):
    embedder = GatedEmbedder(folder)
    async with library_opened(folder, embedder, documents_max=2) as (books, _):
        await refused("not_found", books.add("o", "a.txt", folder / "gone"))
        (folder / "empty").touch()
        await refused("file_empty", books.add("o", "a.txt", folder / "empty"))
        await refused("not_found", lambda: books.original(record("../x")))
        (folder / "a").write_text("bread on Tuesdays")
        one = await books.add("o", "a.txt", folder / "a")
        await refused("bad_request", books.page_image(one, 1, 0, 1))
        embedder.gate.clear()
        reading = asyncio.create_task(followed(books, one.id))
        await embedder.reached.wait()
        await books.delete(one.id)
        await refused("not_found", reading)
        embedder.gate.set()
        await refused("not_found", followed(books, "0" * 32))
        embedder.failure = RuntimeError(MARKER)
        (folder / "d").write_text("bread on Fridays")
        unlucky = await books.add("o", "d.txt", folder / "d")
        await refused("internal", followed(books, unlucky.id))
        embedder.failure = None
        await books.delete(unlucky.id)
        for name in ("b", "c"):
            (folder / name).write_text(name * 99)
            await books.add("o", f"{name}.txt", folder / name)
        await refused("too_many_files", books.add("o", "a.txt", folder / "a"))
    await refused("shutting_down", followed(books, one.id))
    unopened = type(books)(books._settings, books._index, embedder, books._lookups._search)
    await refused("search_down", unopened.documents("o"))
    await refused("documents_too_long", Thick(books).everything())
    long = Gatherer(TooLong(), TextWork())
    await refused("documents_too_long", long._central(Scope("o"), 99))
    search = ThreadSearch(folder / "history.sqlite3")
    await search.close()
    await refused("shutting_down", search.page(PROGRAM, ThreadQuery("o", 1)))


async def libraries(folder):
    person = Principal("o", "key")
    async with library_opened(folder, GatedEmbedder(folder)) as (books, index):
        shelves = Libraries(index.libraries, books)
        made = await shelves.create(person, "Lamps", expires_days=1)
        other = await shelves.create(person, "Beds")
        await refused("library_name_taken", shelves.create(person, "LAMPS"))
        await refused("library_name_taken", shelves.change(person, other.id, name="lamps"))
        await refused("not_found", shelves.get(Principal("p", "key"), made.id))
        await refused("not_found", shelves.keep(person, made.id, "0" * 32))
        over = "UPDATE libraries SET used_at = 0"
        await index._connections.write(lambda db: db.execute(over))
        await refused("library_expired", shelves.asked(person, [made.id]))
        names = map(str, range(MOST))
        rows = [(name, "o", name, name, 0.0, 0.0, None, "{}") for name in names]
        put = "INSERT INTO libraries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        await index._connections.write(lambda db: db.executemany(put, rows).fetchall())
        await refused("libraries_too_many", shelves.create(person, "Chairs"))


async def folders(folder, patch):
    """A folder that a library is in step with: away, emptied, too large, with rules of no use."""
    person = Principal("o", "key")
    async with library_opened(folder / "folders", GatedEmbedder(folder)) as (books, index):
        shelves = Libraries(index.libraries, books)
        synced = SyncedLibraries(index.synced, shelves, books)
        made = await synced.find_or_make(person, "Letters")
        keeper = LocalKeeper(synced, person, SyncSource(made.id, "x"))
        place = folder / "letters"

        def look():
            return bring_in_step(place, keeper, lambda *_: None, lambda _: False)

        await refused("sync_folder_unusable", look())
        (place / "sub").mkdir(parents=True)
        rules = place / IGNORE_FILE
        for content in (b"x" * 1_000_001, b"\xff", b"!\n"):
            rules.write_bytes(content)
            await refused("ignore_file_unreadable", lambda: ignore_rules(place))
        rules.unlink()
        rules.mkdir()
        await refused("ignore_file_unreadable", lambda: ignore_rules(place))
        rules.rmdir()
        (place / "sub").rmdir()
        (place / "a.txt").write_text("A letter.")
        patch.setattr(scan, "MOST_FILES", 0)
        await refused("sync_folder_unusable", look())
        patch.undo()
        await look()
        (place / "a.txt").unlink()
        await refused("sync_folder_unusable", look())
        away = FolderMirror(synced, person, [(folder / "none", "Letters")], deletes=False)
        await away._look(folder / "none")
        assert away.states[0].error.code == "sync_folder_unusable"
        file = SyncedFile("a.txt", "0" * 64, 1, 1, 1)

        async def while_it_is_deleted():
            yield b"The library of this letter goes."
            await shelves.delete(person, made.id, keeps_all=False)

        for content in (while_it_is_deleted(), rules):
            await refused("not_found", synced.send(person, keeper._source, file, content))
        assert await books.all_documents("o") == []
        many = Shelving(index.listing, shelves, books)
        mine = await shelves.create(person, "Mine")
        theirs = await shelves.create(Principal("p", "key"), "Theirs")
        await refused("not_found", many.move(PROGRAM, ["x"], theirs.id, mine.id))
        await refused("bad_request", lambda: checked_folder("/".join("a" * 11)))
        await refused("bad_request", lambda: checked_tag(" "))
        await refused("bad_request", lambda: document_ids_of([]))
        (place / "a.txt").write_text("Another letter.")
        other = await books.add("p", "b.txt", place / "a.txt")
        await refused("not_found", many.delete(person, [other.id]))


def record(name):
    return Document(name, "o", "a", "text/plain", 1, "", 0.0)


class TooLong:
    """A library whose documents are too long to be summarised."""

    async def pages(self, _scope, _most):
        return PageTexts(99_999_999, None)


class Thick:
    """A library whose index has more passages than are read at once."""

    def __init__(self, books):
        self.books = books
        books._index = self

    async def everything(self, *_):
        if _:
            return [None] * (_[1])
        return await self.books.everything(Scope("o"))

    async def count(self, _scope):
        return 99_999


async def jobs():
    started = asyncio.Event()

    async def run(_id, _tell):
        started.set()
        await asyncio.sleep(60)

    work = Jobs(run)

    async def follow():
        async with aclosing(work.follow("x")) as events:
            async for _ in events:
                pass

    following = asyncio.create_task(follow())
    await started.wait()
    await work.close()
    await refused("shutting_down", following)
    await refused("shutting_down", follow())
    barring = Jobs(run)
    async with barring.barred("x"):
        await refused("not_found", lambda: barring.background("x"))
    streams = Streams()
    await streams.close()
    with_stream = Stream("api", "o", "m")
    await refused("shutting_down", lambda: streams.run(with_stream).__enter__())
    assert with_stream.state is StreamState.QUEUED
    few = Streams(most=2)
    with few.run(Stream("api", "o", "m")):
        greedy = Stream("api", "o", "m")
        await refused("too_many_requests", lambda: few.run(greedy).__enter__())
    files = FileRoutes.__new__(FileRoutes)
    files._uploads = Shares(2)
    files._uploads.take("person o")
    await refused("too_many_requests", files._share_of_uploads(Request({"type": "http"}), "o"))
    long = "x" * 100_000
    await refused("question_too_long", lambda: limits.check_question(long, "", 100))
    with pytest.raises(RefusedError):
        check_characters([{"content": long}], 100)


async def history(folder):
    async def nobody(_):
        return None

    newer = sqlite3.connect(folder / "history.sqlite3")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    kept = SqliteHistory(folder, nobody)
    await refused("history_down", kept.get_user("ann"))
    await kept.close()
    await refused("shutting_down", kept.get_user("ann"))
    (folder / "good").mkdir()
    good = SqliteHistory(folder / "good", nobody)
    acting.set(Principal("ann", "key"))
    await good.create_user(User(identifier="ann"))
    await good.update_thread("t", name="Bread")
    acting.set(Principal("bob", "key"))
    await refused("not_found", good.get_thread("t"))
    acting.set(PROGRAM)
    await good.close()
    (folder / "bad" / "history.sqlite3").mkdir(parents=True)
    blocked = SqliteHistory(folder / "bad", nobody)
    error = await refused("history_down", blocked.get_user("ann"))
    assert blocked.problem == error.message
    await blocked.close()


# Commands: what is run, with which settings, and the beginning of what it says.
def commands(folder, port, *others):
    at = {"XNAI_PORT": str(port)}
    strange, of_others = ({"XNAI_PORT": str(other)} for other in others)
    (folder / "set.jsonl").write_text("{")
    (folder / "list.jsonl").write_text("[]\n")
    return (
        (("ask", "hello"), {"XNAI_PORT": "1"}, "No server answers at"),
        (("ask", "hello"), strange, "The program that answers at"),
        (("ask", "hello"), of_others, "The program that answers at"),
        (("ask", ""), at, "question_empty: "),
        (("breaker", "list"), strange, "The program that answers at"),
        (("ingest", "no-such-file"), at, "There is no file"),
        (("ingest", "--replace", "set.jsonl", "set.jsonl"), at, "Several of these files"),
        (("sync", "gone", "--library", "Letters"), at, "The folder gone cannot be kept in step"),
        (("models", "use", "none"), {}, "There is no model 'none'"),
        (("models",), {"XNAI_SLOTS": "-1"}, "XNAI_SLOTS="),
        (("serve",), at, f"127.0.0.1:{port} cannot be listened on"),
        (("serve",), {"XNAI_HOST": "no.such.host.invalid"}, "XNAI_HOST="),
        (("models", "get", "a/b"), {"XNAI_HUB": "off"}, "XNAI_HUB is off"),
        (("eval", "set.jsonl"), {}, "set.jsonl cannot be evaluated"),
        (("eval", "set.jsonl", "--part", "some"), {}, "--part="),
        (("eval", "x", "--compare", "list.jsonl"), {}, "list.jsonl cannot be evaluated"),
        (("eval", "x", "--compare", "gone.json"), {}, "gone.json cannot be evaluated"),
    )


def run(folder, book, words, environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    return subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", *words],
        cwd=folder,
        env={**inherited, **book.environment, "XNAI_DATA_DIR": str(folder / "data"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


class Strange(http.server.BaseHTTPRequestHandler):
    """A program that is no XNAi server."""

    status, body = 200, b"<html>SECRET-text-of-an-exception</html>"

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_):
        pass


class OfOthers(Strange):
    """A server of models, whose errors look like ours."""

    status, body = 404, b'{"error": {"code": 404, "message": "SECRET", "type": "not_found"}}'


async def command_line(folder, book, port):
    others = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), o) for o in (Strange, OfOthers)]
    for other in others:
        threading.Thread(target=other.serve_forever, daemon=True).start()
    gate = asyncio.Semaphore(2)

    async def one(words, environment, said):
        async with gate:
            done = await asyncio.to_thread(run, folder, book, words, environment)
        heard = done.stderr
        lines = [line for line in heard.splitlines() if line.startswith(("xnai: ", "XNAi cannot"))]
        assert len(lines) == 1, f"{words}: {heard[-500:]}"
        assert said in lines[0], f"{words}: {lines}"
        assert done.returncode == 2, f"{words}: {done.returncode} {heard}"
        assert "Traceback" not in heard
        assert "SECRET" not in heard + done.stdout
        return heard

    table = commands(folder, port, *(other.server_port for other in others))
    await asyncio.gather(*(one(*row) for row in table))
    await deletions(folder, book, one, {"XNAI_PORT": str(port)})
    for other in others:
        other.shutdown()
        other.server_close()


async def deletions(folder, book, fails, at):
    """A folder that has lost a file: nothing is deleted where nobody can be asked."""
    letters = folder / "letters"
    letters.mkdir()
    for name in ("kept.txt", "lost.txt"):
        (letters / name).write_text(f"A letter that is {name}.")
    words = ("sync", "letters", "--library", "Letters")
    done = await asyncio.to_thread(run, folder, book, words, at)
    assert done.stdout.startswith("2 added."), done.stdout + done.stderr
    (letters / "lost.txt").unlink()
    said = "1 file would be deleted from the library, and there is nobody to ask. Say --yes."
    heard = await fails((*words, "--delete"), at, said)
    assert "  lost.txt" in heard.splitlines()


async def small_parts(folder):
    """Parts that are reached by nothing else in so short a time."""
    program = api_program(folder)
    program.accepting = False
    await refused("shutting_down", lambda: require_accepting(program))
    for state in ("starting", "down"):
        program.search_state = SearchState(state, 1.0, "Closed")
        await refused("search_down", lambda: require_search(program))
    unwell = api_program(folder)
    unwell.health.add("index").become("down", "It is silent.")
    await refused("search_down", lambda: require_ready(unwell))
    await deleted_meanwhile(api_program(folder))
    await many_from_one_address(folder)
    scope = {"type": "http", "path": "/x", "method": "GET", "headers": [], "query_string": b""}
    request = Request({**scope, "server": ("127.0.0.1", 1), "scheme": "http"})
    for exc, code in ((HTTPException(418), "bad_request"), (HTTPException(500), "internal")):
        assert errors._catalogued(request, exc).code == code
    assert from_router(HTTPException(418), scope).code == "bad_request"
    await refused("file_unreadable", lambda: readable(folder).__enter__())

    def fill():
        with disk_errors(folder), Path("/dev/full").open("wb") as full:
            full.write(b"x" * 100_000)

    await refused("disk_full", fill)

    async def broken():
        raise RuntimeError(MARKER)

    await refused("search_down", guarded(Breaker("part"), "document index", broken))
    model = cross_encoder(folder / "reranker", "bread")
    (model / "model.onnx").write_bytes(b"no model")
    chosen = Settings(_env_file=None, data_dir=folder, reranker=str(model))
    passage = Passage(1, "d", "a.txt", None, 0, 1, "x", 0.5)
    await refused("search_down", reranker(chosen).rerank("x", [passage]))
    pipeline = Pipeline(SlowLibrary([passage]), QueueModel())
    await refused("question_empty", ask(pipeline, text=" "))
    await refused("answer_timeout", ask(pipeline, text="x", timeout=0.05))


async def deleted_meanwhile(program):
    """Two delete the same document at once."""

    async def never(_):
        return False

    owner = program.people.local.person_id
    program.library.records["x"] = Document("x", owner, "a", "text/plain", 1, "", 0.0)
    program.library.delete = never
    async with serving(program) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.delete("/v1/files/x")
    assert answer.json()["error"]["code"] == "not_found"
    assert program.library.records.keys() == {"x"}


async def many_from_one_address(folder):
    """An address that has all the requests under way that are there for it."""
    clients = Clients(None, Settings(_env_file=None, data_dir=folder))
    for _ in range(MOST_REQUESTS):
        clients._shares.take("192.0.2.1")
    said = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        said.append(message)

    scope = {"type": "http", "path": "/x", "headers": [], REQUEST_ID: "r"}
    await clients({**scope, "client": ("192.0.2.1", 1)}, receive, send)
    assert b"too_many_requests" in said[-1]["body"]


async def renewal(folder):
    """An index that fails in a way nobody foresaw while documents get other vectors."""
    state = SearchState()
    renewing = Renewal(Unready(), Embedders(Settings(_env_file=None, data_dir=folder)), None, state)
    renewing.begin(is_changing=False)
    await eventually(lambda: state.detail)
    assert "Something went wrong inside XNAi. (internal)" in state.detail
    assert MARKER not in state.detail
    await renewing.close()


class Unready:
    """An index that is none."""

    async def without_codes(self):
        raise RuntimeError(MARKER)


async def another_model(folder):
    """The index that an evaluation kept is of another embedding model."""
    (folder / "a").write_text("bread on Tuesdays")
    for seed in (1, 2):
        model = embedding_model(folder / f"model{seed}", seed=seed)
        given = {"data_dir": folder / "data", "llm_url": ("http://127.0.0.1:1",)}
        space = Workspace(Settings(_env_file=None, embedder=str(model), **given), folder / "kept")
        if seed == 1:
            await space.start()
            added = await space.library.add("eval", "a.txt", folder / "a")
            await followed(space.library, added.id)
        else:
            await refused("search_down", space.start())
        await space.library.close()
        await space.embedder.close()


class SlowLibrary(ShelfLibrary):
    """A library on which the question's time runs out."""

    async def find(self, question, scope, limit):
        await asyncio.sleep(5)


async def ask(pipeline, text, timeout=5.0):  # noqa: ASYNC109 - it is the question's
    given = {"request_id": "r", "user": "u", "history": (), "scope": Scope("o"), "passages": 3}
    question = Question(text=text, sampling=Sampling(), timeout=timeout, **given)
    async with aclosing(pipeline.answer(question)) as events:
        return [event async for event in events]


async def unforeseen(patch, capsys):
    """A fault of a command itself, and a file that cannot be written, in this process."""
    from xnai.cli import main  # noqa: PLC0415 - imports what the other cases do not need

    def broken():
        raise RuntimeError("SECRET")

    def locked():
        Path("/proc/no-such-file").write_text("x")

    def full():
        Path("/dev/full").write_text("x")

    told = (
        (broken, "(RuntimeError in "),
        (locked, "/proc/no-such-file cannot be used"),
        (full, "The disk is full: the place where this command writes has too little left."),
    )
    for fault, said in told:
        patch.setattr(main, "cli", fault)
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == 2
        heard = capsys.readouterr().err
        assert said in heard
        assert "SECRET" not in heard
    patch.undo()


async def all_cases(folder, patch, book, port, capsys):
    for case in (settings, embedding, index, folders):
        (folder / case.__name__).mkdir()
        await case(folder / case.__name__, patch)
    others = (library, libraries, originals, history, small_parts, renewal, another_model)
    for case in others:
        (folder / case.__name__).mkdir()
        await case(folder / case.__name__)
    await jobs()
    await unforeseen(patch, capsys)
    (folder / "commands").mkdir()
    await command_line(folder / "commands", book, port)
