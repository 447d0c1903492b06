"""A real HTTP server around small real stand-ins for library, model and pipeline."""

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import structlog
import uvicorn
from fastapi import FastAPI, Request, UploadFile
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from xnai.accounts import PROGRAM, People
from xnai.accounts.attempts import Attempts
from xnai.answering.events import Done, Event, Question, Token
from xnai.answering.streams import Streams
from xnai.answering.verification.verdict import Verdict
from xnai.api import install
from xnai.api.auth import PagePerson
from xnai.api.routes import no_page_person
from xnai.documents.drawn_pages import PageLayer, RecognisedWord
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.mirror import FolderMirror
from xnai.documents.libraries import Libraries
from xnai.documents.page_content import PageContent
from xnai.documents.protocol import IngestProgress
from xnai.documents.shelving import Shelving
from xnai.errors import FILE_EMPTY, FILE_TOO_LARGE, MODEL_NOT_FOUND, XnaiError
from xnai.llm.protocol import EndpointStatus, ModelInfo, ModelStatus
from xnai.observability.audit import AuditLog
from xnai.observability.health import Health
from xnai.resilience.registry import Breakers
from xnai.retrieval.document_lists import DocumentQuery, Listed
from xnai.retrieval.index.sqlite.document_lists import SqliteListing
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.settings import Settings
from xnai.types import Citation, Document, Passage, Scope, Usage

MEGABYTE = 1024 * 1024
CITATION = Citation(1, "d" * 32, "tower.pdf", 3, 10, 24, "330 metres tall", 0.9)
DONE = Done("stop", Usage(12, 2), (CITATION,), 0.1)


@dataclass
class FolderLibrary:
    """Keeps files in a folder and reads them as one page of text when told to."""

    folder: Path
    limit: int = MEGABYTE
    records: dict[str, Document] = field(default_factory=dict)
    ingested: list[str] = field(default_factory=list)
    received: int = 0  # bytes, of uploads that failed too
    missing: int = 0

    async def add(
        self,
        owner: str,
        file_name: str,
        source: AsyncIterator[bytes],
        _former: Sequence[Document] = (),
        *,
        own_name: bool = False,
    ) -> Document:
        assert not own_name
        document_id = uuid4().hex
        data = bytearray()
        async for chunk in source:
            self.received += len(chunk)
            data += chunk
            if len(data) > self.limit:
                raise XnaiError(FILE_TOO_LARGE, name=file_name, limit_mb=self.limit // MEGABYTE)
        if not data:
            raise XnaiError(FILE_EMPTY, name=file_name)
        (self.folder / document_id).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        document = Document(
            document_id, owner, file_name, "text/plain", len(data), digest, time.time()
        )
        self.records[document_id] = document
        return document

    def ingest_in_background(self, document_id: str) -> None:
        self.ingested.append(document_id)

    def become(self, document_id: str, **changes: object) -> None:
        self.records[document_id] = replace(self.records[document_id], **changes)

    def progress(self, document_id: str) -> IngestProgress | None:
        return None

    async def get(self, document_id: str) -> Document | None:
        return self.records.get(document_id)

    async def documents(self, owner: str, collection: str = "") -> Sequence[Document]:
        wanted = (owner, collection)
        return [one for one in self.records.values() if (one.owner, one.collection) == wanted]

    async def all_documents(self, owner: str) -> Sequence[Document]:
        return [one for one in self.records.values() if one.owner == owner]

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        return [
            Passage(one.id, one.file_name, 1, 0, len(question), f"{question} is here", 1.0)
            for one in await self.all_documents(scope.owner)
        ][:limit]

    async def page_layer(self, document: Document, page: int, start: int, end: int) -> PageLayer:
        word = RecognisedWord(f"{page}-{start}-{end}", (0, 0, 5000, 10_000))
        return PageLayer(((100, 200, 300, 400),), (word,))

    async def delete(self, document_id: str) -> bool:
        (self.folder / document_id).unlink(missing_ok=True)
        return self.records.pop(document_id, None) is not None

    def original(self, document: Document) -> Path:
        return self.folder / document.id

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        text = (self.folder / document_id).read_text(errors="replace")
        return text if page in (None, 1) else None

    async def page_content(self, document: Document, page: int | None) -> PageContent | None:
        text = await self.page_text(document.id, page)
        return None if text is None else PageContent(text, ())

    async def page_image(
        self, document: Document, page: int, start: int, end: int, width: int = 1000
    ) -> bytes:
        return f"PNG {page} {start}-{end} {width}".encode()


class FolderListing:
    """Lists what is in a ``FolderLibrary``, newest first; the rest is the index's."""

    def __init__(self, listing: SqliteListing, library: FolderLibrary) -> None:
        self._listing = listing
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listing, name)

    async def page(self, wanted: DocumentQuery, offset: int, limit: int) -> Listed:
        if wanted.library_id:
            return await self._listing.page(wanted, offset, limit)
        records = [one for one in self._library.records.values() if one.owner == wanted.person_id]
        if wanted.collection is not None:
            records = [one for one in records if one.collection == wanted.collection]
        words = wanted.words.casefold()
        named = [one for one in records if words in one.file_name.casefold()][::-1]
        return Listed(named[offset : offset + limit], len(named), len(records))


@dataclass
class NamedModel:
    """A model that is only asked how it is doing."""

    status: ModelStatus = field(default_factory=lambda: ModelStatus("ready", "small", 1.0, "Ready"))
    endpoints: tuple[EndpointStatus, ...] = ()
    used: list[str] = field(default_factory=list)
    context_tokens: int = 2048

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("small", "/models/small.gguf", 7, 2048), ModelInfo("large", "/l", 9)]

    async def use(self, name: str) -> None:
        if name not in {"small", "large"}:
            raise XnaiError(MODEL_NOT_FOUND, name=name, folder="models", available="small, large")
        self.used.append(name)


@dataclass
class ScriptedAnswers:
    """Yields what is queued: an event, an exception to raise, or seconds to wait."""

    script: list[Event | Exception | float] = field(
        default_factory=lambda: [Token("Hello"), Token(" there"), DONE]
    )
    asked: list[Question] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    closed_at: asyncio.Queue[float] = field(default_factory=asyncio.Queue)

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        self.asked.append(question)
        self.started.set()
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, (int, float)):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.closed_at.put_nowait(time.monotonic())

    async def verify(self, question: Question) -> Verdict:
        self.asked.append(question)
        self.started.set()
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, (int, float)):
                    await asyncio.sleep(step)
            return Verdict(question.text, "supports", CITATION, 1.0, 3)
        finally:
            self.closed_at.put_nowait(time.monotonic())


@dataclass
class Search:
    state: str = "ready"
    since: float = 1.0
    detail: str = ""
    error_code: str = ""


class Fetches:
    """Downloads of models that are told to begin; what is told of them is what a test says."""

    def __init__(self) -> None:
        self.begun = ""
        self.told: dict[str, object] = {"recommended": None, "state": "idle", "name": ""}

    def report(self) -> dict[str, object]:
        return self.told

    def begin(self, name: str) -> None:
        self.begun = name

    async def stop(self) -> None:
        self.begun = ""


class LengthEmbedder:
    """Embeds a text as its length and kind; whoever asks too often is kept until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.begun = 0

    async def name(self) -> str:
        return "lengths"

    async def embed_texts(self, texts: Sequence[str], *, asking: bool) -> tuple[Any, int]:
        self.begun += 1
        await self.go.wait()
        rows = [[len(text), float(asking)] for text in texts]
        return np.array(rows, np.float32), sum(map(len, texts))


@dataclass
class Program:
    """What the interface sees of the running program."""

    settings: Settings
    library: FolderLibrary
    model: NamedModel = field(default_factory=NamedModel)
    embedder: LengthEmbedder = field(default_factory=LengthEmbedder)
    models: Fetches = field(default_factory=Fetches)
    pipeline: ScriptedAnswers = field(default_factory=ScriptedAnswers)
    search_state: Search = field(default_factory=Search)
    started_at: float = 1000.0
    accepting: bool = True
    streams: Streams = field(default_factory=Streams)
    breakers: Breakers = field(default_factory=Breakers)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.audit = AuditLog(self.settings)
        self.index = index = SqliteIndex(self.settings.data_dir / "index.sqlite3", 8)
        self.libraries = Libraries(index.libraries, self.library)
        self.synced = SyncedLibraries(index.synced, self.libraries, self.library)
        listing = FolderListing(index.listing, self.library)
        self.shelving = Shelving(listing, self.libraries, self.library)
        self.mirror = FolderMirror(self.synced, PROGRAM, (), deletes=False)
        self.people = People.of(self.settings)
        self.attempts = Attempts()


def program(folder: Path, **settings: object) -> Program:
    given = {"data_dir": folder, "upload_max_mb": 1, **settings}
    return Program(Settings(_env_file=None, **given), FolderLibrary(folder))


def page(uploads: dict[str, tuple[bytes, str]] | None = None) -> FastAPI:
    """An application that behaves as Chainlit's does where the guard matters."""
    app = FastAPI()
    kept = uploads if uploads is not None else {}

    @app.get("/project/file/{name}")
    async def shown(name: str) -> Response:
        content, media_type = kept[name]
        return Response(content, media_type=media_type)

    @app.post("/project/file")
    async def taken(file: UploadFile) -> dict[str, int]:
        return {"size": len(await file.read())}

    @app.post("/project/action")
    async def action(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    @app.get("/public/{name:path}")
    async def public(name: str) -> Response:
        return PlainTextResponse(f"public {name}")

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    @app.get("/health")
    async def health() -> str:
        return "chainlit's"

    @app.get("/{full_path:path}")
    async def catch_all(full_path: str) -> Response:
        return HTMLResponse(f"<p>page {full_path}")

    return app


def client(url: str, **options: object) -> httpx.AsyncClient:
    """A client that saves the time to load certificates it has no use for."""
    return httpx.AsyncClient(base_url=url, timeout=10, verify=False, **options)


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """The address of a server on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
        proxy_headers=False,  # as ours
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Server.shutdown does the same in steps of 100 ms.
        for server_socket in server.servers:
            server_socket.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)


@asynccontextmanager
async def serving(
    runtime: Program,
    app: FastAPI | None = None,
    page_person: PagePerson = no_page_person,
) -> AsyncIterator[str]:
    """The address of a server with the interface installed beside a page."""
    app = page() if app is None else app
    install(app, runtime, page_person)
    with structlog.testing.capture_logs():
        async with listening(app) as url:
            yield url
