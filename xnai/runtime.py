"""Builds, starts and stops everything below the page, in order, once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from xnai.accounts import People
from xnai.accounts.attempts import Attempts
from xnai.accounts.carry_over import carry_over, owner_now
from xnai.accounts.sqlite.conversations import SqliteConversations
from xnai.aio import cancel_and_wait, install_asyncgen_hooks
from xnai.answering.pipeline import Pipeline
from xnai.answering.reading.prereading import Prereader
from xnai.answering.streams import Streams
from xnai.breakers import (
    EMBEDDER,
    INDEX,
    MODEL,
    endpoint,
    figures,
    heals,
    make_breakers,
    own,
    retry_after,
    words,
)
from xnai.data_folder.ownership import free_gigabytes, prepare_folder
from xnai.data_folder.restoring import finish
from xnai.data_folder.rights import keep_private
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.mirror import FolderMirror
from xnai.documents.libraries import Libraries
from xnai.documents.library import Library
from xnai.documents.reembed import Renewal
from xnai.documents.shelving import Shelving
from xnai.errors import INTERNAL, XnaiError
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.engine.prefix_files import PrefixFiles
from xnai.llm.fallback import FallbackModel
from xnai.llm.guarded import GuardedModel
from xnai.llm.hardware import available_memory
from xnai.llm.protocol import LanguageModel
from xnai.llm.remote.router import Router
from xnai.models.setup import ModelSetup
from xnai.observability import metrics
from xnai.observability.audit import AuditLog
from xnai.observability.export import Export
from xnai.observability.health import Health, disk_look
from xnai.observability.loop_lag import LoopWatchdog
from xnai.observability.processes import Machine
from xnai.resilience.registry import Breakers
from xnai.resilience.retry import Retry, RetryConfig
from xnai.retrieval.cross_encoder import reranker
from xnai.retrieval.embedding.switching import Embedders
from xnai.retrieval.guarded import GuardedEmbedder, GuardedSearch
from xnai.retrieval.index.sqlite.checking import scrubber
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.search import HybridSearch
from xnai.retrieval.state import SearchState
from xnai.retrieval.text_ranker import TextRanker
from xnai.settings import Settings
from xnai.sqlite import reserve

log = structlog.get_logger(__name__)

_EMBED_EVERY = 30.0  # seconds between two looks at the embedder; each takes it a few milliseconds
_FILES_EVERY, _FILES_LIMIT = 15.0, 60.0  # seconds: looks at the originals
_BUSY_SECONDS = 10.0  # that a look may wait for the turn where others work


class Runtime:
    """All parts of one server process; ``accepting`` is False once it is stopping.

    Raises:
        XnaiError: the data folder cannot be written.

    """

    def __init__(self, settings: Settings) -> None:
        prepare_folder(settings.data_dir)
        reserve.lend_to_start(settings.data_dir)
        finish(settings.data_dir)
        free = free_gigabytes(settings.data_dir)
        log.info("data folder", path=str(settings.data_dir), free_gb=free)
        self.settings = settings
        self.people = People.of(settings)
        self._conversations = SqliteConversations(settings.data_dir)
        self.started_at = time.time()
        self.accepting = True
        self.audit = AuditLog(settings)
        self.attempts = Attempts(self._wrong_key)
        self.streams = Streams(self.audit)
        self.search_state = SearchState()
        self.health = Health()
        self.breakers = make_breakers(settings)
        self.embedder = Embedders(settings)
        path = settings.data_dir / "index.sqlite3"
        self._index = SqliteIndex(path, self.embedder.dimensions)
        self._scrubber = scrubber(path, self._index.damage)
        tended = partial(reserve.tend, settings.data_dir)
        self.health.add("disk", disk_look(settings.data_dir, tended))
        parser = self.health.add("parser")
        prefixes = PrefixFiles(settings.data_dir, settings.prefix_cache_mb)
        embedder = GuardedEmbedder(self.embedder, own(self.breakers, EMBEDDER, settings))
        self.library = Library(
            settings,
            self._index,
            self.embedder,
            self._search(embedder),
            parser=parser,
            audit=self.audit,
            available_memory=available_memory,
            whose=partial(owner_now, self.people, self._conversations),
            conversations=self._conversations,
            caches=(prefixes,),
        )
        self.libraries = Libraries(self._index.libraries, self.library, self.audit)
        self.synced = SyncedLibraries(self._index.synced, self.libraries, self.library)
        self.shelving = Shelving(self._index.listing, self.libraries, self.library)
        folders, deletes = settings.sync_folders, settings.sync_delete
        self.mirror = FolderMirror(self.synced, self.people.operator, folders, deletes=deletes)
        self._renewal = Renewal(
            self._index, self.embedder, self.library.reading_paused, self.search_state
        )
        self.model, engine = self._make_model()
        self.models = ModelSetup(settings, engine, on_embedder=self._renewal.model_has_come)
        self.prereader = Prereader(self.library, self.model, prefixes)
        self.library.on_processed(self.prereader.processed)
        ranker = TextRanker(embedder)
        self.pipeline = Pipeline(self.library, self.model, self.prereader.asked, ranker)
        self._watchdog = LoopWatchdog(self.health.loop_lag)
        self._machine = Machine(metrics, settings.data_dir)
        self._export = Export(metrics, lambda: metrics.show_breakers(figures(self.breakers)))
        self._opening: asyncio.Task[None] | None = None
        self._running = AsyncExitStack()

    def _wrong_key(self, address: str, pause: float) -> None:
        """Note that a key was wrong, or that the address is not listened to for a while."""
        if pause:
            log.warning("too many wrong keys", address=address, pause_seconds=round(pause))
        else:
            log.warning("a wrong key was given", address=address)
        outcome = "paused" if pause else "refused"
        self.audit.record("sign_in", who="nobody", outcome=outcome, address=address)

    def _search(self, embedder: GuardedEmbedder) -> HybridSearch:
        index = GuardedSearch(self._index, own(self.breakers, INDEX, self.settings))
        return HybridSearch(index, embedder, reranker(self.settings))

    def _make_model(self) -> tuple[LanguageModel, LanguageModel | None]:
        """The model that answers, and the local engine that it is or has."""
        settings = self.settings
        if not settings.llm_url:
            engine = _engine(settings, self.breakers)
            return engine, engine
        endpoints = _endpoints(settings, self.breakers)
        if not settings.llm_fallback:
            return endpoints, None
        engine = _engine(settings, self.breakers, endpoints)
        return FallbackModel(endpoints, engine), engine

    async def start(self) -> None:
        """Begin opening index and model in the background, so that the page is up at once."""
        install_asyncgen_hooks()
        loop = asyncio.get_running_loop()
        metrics.tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
        metrics.model_ready.set_function(lambda: self.model.status.state == "ready")
        metrics.search_ready.set_function(lambda: self.search_state.state == "ready")
        begin = self._begin  # what is begun last is ended first
        await begin(self.audit.start, self.audit.close)
        await begin(self._export.start, self._export.stop)
        await begin(self._machine.start, self._machine.stop)
        await begin(self.health.loop_lag.start, self.health.loop_lag.stop)
        await begin(self._watchdog.start, self._watchdog.stop)
        self._running.push_async_callback(self.embedder.close)
        self._running.push_async_callback(self.library.close)
        await begin(self.breakers.start, self.breakers.close)
        self._running.push_async_callback(self.model.close)
        await begin(self.models.start, self.models.close)
        await begin(self.prereader.start, self.prereader.close)
        await begin(self.health.start, self.health.stop)
        await begin(self._begin_opening, self._end_tasks)
        self._running.push_async_callback(self.streams.close)

    async def _begin(
        self, start: Callable[[], Awaitable[None] | None], end: Callable[[], Awaitable[None]]
    ) -> None:
        self._running.push_async_callback(end)
        if (beginning := start()) is not None:
            await beginning

    def _begin_opening(self) -> None:
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        try:
            await asyncio.to_thread(keep_private, self.settings.data_dir)
            await self.embedder.start()
            is_changing = await self._renewal.settle()
            await carry_over(self._index, self.people, self._conversations)
            await self.library.start()
            await self.libraries.start()
        except XnaiError as exc:
            log.error("documents cannot be searched", code=exc.code, reason=exc.message)
            self.search_state.become("down", str(exc), exc.code)
        except Exception:
            log.exception("documents cannot be searched")
            self.search_state.become("down", INTERNAL.message, INTERNAL.code)
        else:
            self.search_state.become("ready")
            self._renewal.begin(is_changing=is_changing)
            self._scrubber.start()
            self.mirror.start()
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
            await self.embedder.embed_question("Are you there?")
            return ""

        self.health.add("index", read)
        if self.search_state.state == "ready":
            self.health.add("documents", self.library.look, _FILES_EVERY, _FILES_LIMIT)
        self.health.add("index_writes", write, limit=_BUSY_SECONDS)
        self.health.add("embedder", embed, every=_EMBED_EVERY, limit=_BUSY_SECONDS)

    async def drain(self) -> None:
        """Refuse new questions; let the answers that run finish for a while, then end them."""
        self.accepting = False
        await self.streams.close(self.settings.drain_seconds)
        await self.audit.flush()

    async def stop(self) -> None:
        """Refuse new questions, end what runs, close everything in the reverse order.

        What fails to close does not keep the rest open; its error is raised in the end.
        """
        self.accepting = False
        await self._running.aclose()

    async def _end_tasks(self) -> None:
        # The first starts the others.
        await cancel_and_wait(self._opening)
        await self.mirror.stop()
        await self._renewal.close()
        await self._scrubber.stop()


def _endpoints(settings: Settings, breakers: Breakers) -> Router:
    retrying = RetryConfig(heals, retry_after, words, attempts=2)
    retry = Retry("endpoints", retrying, listeners=breakers.listeners)
    router = Router(settings, lambda name: endpoint(breakers, name, settings), retry)
    metrics.queue_depth.set_function(lambda: router.waiting)
    metrics.requests_running.set_function(lambda: router.status.running)
    return router


def _engine(settings: Settings, breakers: Breakers, beside: Router | None = None) -> LanguageModel:
    engine = LocalEngine(settings, EngineBuild(settings))
    engine.on_load(metrics.model_loads.inc)
    metrics.queue_depth.set_function(lambda: engine.waiting + (beside.waiting if beside else 0))
    metrics.requests_running.set_function(
        lambda: engine.running + (beside.status.running if beside else 0)
    )
    return GuardedModel(engine, own(breakers, MODEL, settings))
