"""Builds, starts and stops everything below the page, in order, once."""

import asyncio
import shutil
import time
from dataclasses import dataclass, field

import structlog

from xnai.audit import AuditLog
from xnai.documents.library import Library
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.reembed import complete, reembed, settle
from xnai.errors import DATA_DIR_UNUSABLE, INTERNAL, XnaiError
from xnai.guards.build import EMBEDDER, INDEX, MODEL, endpoint, make_breakers, own
from xnai.guards.fallback import FallbackModel
from xnai.guards.faults import heals, retry_after, words
from xnai.guards.listener import figures
from xnai.guards.model import GuardedModel, PatientModel
from xnai.guards.search import GuardedEmbedder, GuardedSearch
from xnai.health import Health, disk_look
from xnai.llm.build import EngineBuild
from xnai.llm.engine import LocalEngine
from xnai.llm.fleet import Fleet
from xnai.llm.protocol import LanguageModel
from xnai.pipeline import Pipeline
from xnai.resilience.registry import Breakers
from xnai.resilience.retry import Retry, RetryConfig
from xnai.retrieval.cross_encoder import reranker
from xnai.retrieval.embedders import Embedders
from xnai.retrieval.search import HybridSearch
from xnai.retrieval.sqlite_index import SqliteIndex
from xnai.settings import Settings
from xnai.streams import Streams
from xnai.telemetry import metrics
from xnai.telemetry.export import Export
from xnai.telemetry.machine import Machine
from xnai.watchdog import LoopWatchdog

log = structlog.get_logger(__name__)

_EMBED_EVERY = 15.0  # seconds between two looks at the embedder; each takes it a few milliseconds
_BUSY_SECONDS = 10.0  # that a look may wait for the turn where others work


@dataclass
class SearchState:
    """Whether documents can be searched; ``since`` is seconds since the epoch."""

    state: str = "starting"  # starting, ready, down
    since: float = field(default_factory=time.time)
    detail: str = "Opening the index"
    error_code: str = ""

    def become(self, state: str, detail: str = "", error_code: str = "") -> None:
        """Note a change of state."""
        self.state, self.detail, self.error_code = state, detail, error_code
        self.since = time.time()


class Runtime:
    """All parts of one server process; ``accepting`` is False once it is stopping.

    Raises:
        XnaiError: the data folder cannot be written.

    """

    def __init__(self, settings: Settings) -> None:
        _check_data_dir(settings)
        self.settings = settings
        self.started_at = time.time()
        self.accepting = True
        self.audit = AuditLog(settings)
        self.streams = Streams(self.audit)
        self.search_state = SearchState()
        self.health = Health()
        self.breakers = make_breakers(settings)
        self._embedder = Embedders(settings)
        self._index = SqliteIndex(settings.data_dir / "index.sqlite3", self._embedder.dimensions)
        self.health.add("disk", disk_look(settings.data_dir))
        parser = self.health.add("parser")
        library = Library(
            settings, self._index, self._embedder, self._search(), parser=parser, audit=self.audit
        )
        self.library: DocumentLibrary = library
        self._turn = library.turn
        self._reembedding: asyncio.Task[None] | None = None
        self.model: LanguageModel = self._make_model()
        self.pipeline = Pipeline(self.library, self.model, tells_apart=not settings.reranker)
        self._watchdog = LoopWatchdog()
        self._machine = Machine(metrics, settings.data_dir)
        self._export = Export(metrics, lambda: metrics.show_breakers(figures(self.breakers)))
        self._opening: asyncio.Task[None] | None = None

    def _search(self) -> HybridSearch:
        embedder = GuardedEmbedder(self._embedder, own(self.breakers, EMBEDDER, self.settings))
        index = GuardedSearch(self._index, own(self.breakers, INDEX, self.settings))
        return HybridSearch(index, embedder, reranker(self.settings))

    def _make_model(self) -> LanguageModel:
        settings = self.settings
        if not settings.llm_url:
            return _engine(settings, self.breakers)
        retrying = RetryConfig(heals, retry_after, words, attempts=2)
        retry = Retry("endpoints", retrying, listeners=self.breakers.listeners)
        endpoints = _fleet(settings, self.breakers)
        fleet = PatientModel(endpoints, retry)
        if not settings.llm_fallback:
            return fleet
        return FallbackModel(fleet, _engine(settings, self.breakers, endpoints))

    async def start(self) -> None:
        """Begin opening index and model in the background, so that the page is up at once."""
        self.health.loop_lag.start()
        self.audit.start()
        self._watchdog.start()
        self._machine.start()
        self._export.start()
        self.health.start()
        loop = asyncio.get_running_loop()
        metrics.tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
        metrics.model_ready.set_function(lambda: self.model.status.state == "ready")
        metrics.search_ready.set_function(lambda: self.search_state.state == "ready")
        await self.breakers.start()
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        try:
            await self._embedder.start()
            is_changing = await settle(self._index, self._embedder)
            await self.library.start()
        except XnaiError as exc:
            log.error("documents cannot be searched", code=exc.code, reason=exc.message)
            self.search_state.become("down", str(exc), exc.code)
        except Exception:
            log.exception("documents cannot be searched")
            self.search_state.become("down", INTERNAL.message, INTERNAL.code)
        else:
            self.search_state.become("ready")
            self._reembedding = asyncio.create_task(self._renew(is_changing), name="reembed")
            self._reembedding.add_done_callback(self._reembedded)
        self._look_at_search()
        # The engine's build wants all cores: searching comes first.
        await self.model.start()

    def _look_at_search(self) -> None:
        async def read() -> str:
            await self._index.check()
            return ""

        async def write() -> str:
            await self._index.check(writing=True)
            return ""

        async def embed() -> str:
            await self._embedder.embed_question("Are you there?")
            return ""

        self.health.add("index", read)
        self.health.add("index_writes", write, limit=_BUSY_SECONDS)
        self.health.add("embedder", embed, every=_EMBED_EVERY, limit=_BUSY_SECONDS)

    async def _renew(self, is_changing: bool) -> None:
        """Give documents the vectors of another model, and codes where they have none yet."""
        if is_changing:
            await reembed(self._index, self._embedder, self._turn, self._tell_reembedding)
        await complete(self._index, self._embedder)

    def _tell_reembedding(self, done: int, total: int) -> None:
        self.search_state.detail = f"Embedding the documents anew: {done} of {total}"

    def _reembedded(self, task: asyncio.Task[None]) -> None:
        self.search_state.detail = ""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("documents could not be embedded anew", exc_info=error)
            told = error if isinstance(error, XnaiError) else INTERNAL
            self.search_state.detail = (
                f"The documents could not be embedded anew: {told.message} ({told.code})"
            )

    async def drain(self) -> None:
        """Refuse new questions; let the answers that run finish for a while, then end them."""
        self.accepting = False
        await self.streams.close(self.settings.drain_seconds)
        await self.audit.flush()

    async def stop(self) -> None:
        """Refuse new questions, end what runs, close everything in the reverse order."""
        self.accepting = False
        await self.streams.close()
        for task in (self._opening, self._reembedding):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.health.stop()
        await self.model.close()
        await self.breakers.close()
        await self.library.close()
        await self._embedder.close()
        await self.health.loop_lag.stop()
        await self._watchdog.stop()
        await self._machine.stop()
        await self._export.stop()
        await self.audit.close()


def _fleet(settings: Settings, breakers: Breakers) -> Fleet:
    fleet = Fleet(settings, lambda name: endpoint(breakers, name, settings))
    metrics.queue_depth.set_function(lambda: fleet.waiting)
    metrics.requests_running.set_function(lambda: fleet.status.running)
    return fleet


def _engine(settings: Settings, breakers: Breakers, beside: Fleet | None = None) -> LanguageModel:
    engine = LocalEngine(settings, EngineBuild(settings))
    engine.on_load(metrics.model_loads.inc)
    metrics.queue_depth.set_function(lambda: engine.waiting + (beside.waiting if beside else 0))
    metrics.requests_running.set_function(
        lambda: engine.running + (beside.status.running if beside else 0)
    )
    return GuardedModel(engine, own(breakers, MODEL, settings))


def _check_data_dir(settings: Settings) -> None:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # documents are private to the user who runs the server
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        reason = exc.strerror or "unknown error"
        raise XnaiError(DATA_DIR_UNUSABLE, folder=folder, reason=reason) from exc
    free = shutil.disk_usage(folder).free
    log.info("data folder", path=str(folder), free_gb=round(free / 1e9, 1))
