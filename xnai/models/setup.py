"""Fetches a model for a running server, tries it, and has it take the bundled one's place.

    idle ──begin──► fetching ──► waiting for the engine ──► testing ──► ready (in use)
      ▲                │ ▲                                     │
      │ why not        │ └── begin again: goes on where it was │
      └── skipped   stopped, failed ◄──────────────────────────┘

The download runs in a process of its own (``python -m xnai.models``), so that it can be ended at
any moment; the model that is in use answers meanwhile, and what it has begun it answers to the end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import structlog

from xnai.errors import INTERNAL, XnaiError
from xnai.llm.gguf.catalogue import BUNDLED_NAME, ModelFile, ModelFiles
from xnai.llm.hardware import available_memory, cpu_flags, usable_cores
from xnai.llm.protocol import LanguageModel
from xnai.models.catalogue import SHIPPED, Catalogue, CatalogueEntry, read
from xnai.models.download import DownloadError, download
from xnai.models.fetching import Task
from xnai.models.recommend import SPARE_MEMORY, no_room, recommend, why_not
from xnai.models.self_test import self_test
from xnai.settings import Settings

State = Literal["idle", "skipped", "fetching", "waiting", "testing", "ready", "stopped", "failed"]

LOOK_SECONDS = 1.0  # between two looks whether the engine is there

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SetupStatus:
    """Where the set-up of the model is; bytes and seconds are of the download.

    ``name`` is the catalogue's, ``detail`` a sentence for people, ``error_code`` names the
    catalogued error behind ``failed``.
    """

    state: State = "idle"
    name: str = ""
    detail: str = ""
    error_code: str = ""
    source: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta_seconds: float | None = None


class ModelSetup:
    """One download at a time, with one task that owns it.

    Args:
        settings: models_dir, data_dir, hub, fetch_model, and what speaks against it.
        engine: the local engine; None where there is none.
        catalogue: file of the models that can be fetched.
        on_embedder: called when an embedding model has come.

    """

    def __init__(
        self,
        settings: Settings,
        engine: LanguageModel | None,
        catalogue: Path = SHIPPED,
        on_embedder: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._path = catalogue
        self._on_embedder = on_embedder
        self._catalogue = Catalogue(models=())
        self._task: asyncio.Task[None] | None = None
        self.recommended = ""
        self.status = SetupStatus()

    async def start(self) -> None:
        """Look which model fits; begin to fetch it only if the set-up of `make run` asks."""
        self._catalogue = await asyncio.to_thread(read, self._path)
        entry = await asyncio.to_thread(self._recommend)
        self.recommended = entry.name if entry else ""
        if not self._settings.fetch_model:
            return
        embedders = await asyncio.to_thread(self._embedders, entry)
        reason = await asyncio.to_thread(self._why_not, entry)
        if entry is None or reason:
            status = SetupStatus("skipped", self.recommended, f"No model is fetched: {reason}")
            _log.info("model_not_fetched", reason=reason)
            self._begin(*embedders, status=status)
            return
        self._begin(*embedders, entry, *self._also())

    def begin(self, name: str) -> None:
        """Fetch a model of the catalogue because a person asks; one under way goes on.

        Raises:
            XnaiError: MODEL_UNKNOWN.

        """
        entry = self._catalogue.get(name)
        if self._task is None or self._task.done():
            self._begin(entry)

    async def stop(self) -> None:
        """Stop the download; what has arrived is kept."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def close(self) -> None:
        """End what runs."""
        await self.stop()

    def report(self) -> dict[str, object]:
        """The state for ``/health/ready`` and the page, from memory alone."""
        return {"recommended": self.recommended or None, **asdict(self.status)}

    def _begin(self, *entries: CatalogueEntry, status: SetupStatus | None = None) -> None:
        self.status = status or SetupStatus()
        self._task = asyncio.create_task(self._run(entries), name="model-setup")

    def _recommend(self) -> CatalogueEntry | None:
        return recommend(self._catalogue, available_memory(), usable_cores(), cpu_flags())

    def _also(self) -> list[CatalogueEntry]:
        """What makes the search better, fetched after the model."""
        return [one for one in self._catalogue.models if one.kind == "reranker" and one.recommended]

    def _embedders(self, beside: CatalogueEntry | None) -> list[CatalogueEntry]:
        """What documents are embedded with from then on; small, and so fetched before the model."""
        folder = self._settings.models_dir
        memory = available_memory() - SPARE_MEMORY - (beside.memory if beside else 0)
        return [
            one
            for one in self._catalogue.models
            if one.kind == "embedder" and one.recommended and not self._settings.embedder
            if one.memory <= memory and not one.is_there(folder) and not no_room(one, folder)
        ]

    def _why_not(self, entry: CatalogueEntry | None) -> str:
        reason = why_not(self._settings)
        if reason or entry is None:
            return reason or "None of the catalogue fits into this machine's memory."
        folder = self._settings.models_dir
        return "" if entry.is_there(folder) else no_room(entry, folder)

    async def _run(self, entries: tuple[CatalogueEntry, ...]) -> None:
        try:
            for entry in entries:
                if entry.kind == "chat":
                    if self._tested() != self._file(entry):
                        await self._provide(entry)
                    await self._take_over(entry)
                elif not entry.is_there(self._settings.models_dir):
                    is_alone = len(entries) == 1 and self.status.state == "idle"
                    await self._provide_beside(entry, is_alone=is_alone)
        except asyncio.CancelledError:
            if self.status.state != "ready":
                self._become("stopped", "Stopped; what has arrived is kept.")
            raise
        except DownloadError as exc:
            self._fail(exc.code, str(exc))
        except XnaiError as exc:
            self._fail(exc.code, str(exc))
        except Exception:  # noqa: BLE001 - the model in use answers as before
            _log.exception("model_setup_failed")
            self._fail(INTERNAL.code, INTERNAL.message)

    def _fail(self, code: str, words: str) -> None:
        _log.warning("model_not_fetched", code=code, reason=words)
        self._become("failed", words, code)

    def _become(self, state: State, detail: str, error_code: str = "") -> None:
        self.status = replace(self.status, state=state, detail=detail, error_code=error_code)

    def _tell(self, said: dict[str, Any]) -> None:
        self.status = replace(self.status, **said)

    async def _provide(self, entry: CatalogueEntry) -> None:
        """Have all files of a model in the models folder, compared with their hashes.

        Raises:
            XnaiError: it cannot be had.

        """
        detail = f"{entry.title} is being fetched."
        self.status = SetupStatus("fetching", entry.name, detail, total=entry.size)
        task = Task(
            str(self._path),
            entry.name,
            str(self._settings.models_dir),
            hub=self._settings.hub == "on",
        )
        fresh = await download(task, self._tell)
        _log.info("model_fetched", model=entry.name, fresh=fresh)

    async def _provide_beside(self, entry: CatalogueEntry, *, is_alone: bool) -> None:
        """Have a model that is no language model; the state before is told again then.

        Nobody waits for it unless it ``is_alone``.
        """
        former = self.status
        try:
            await self._provide(entry)
        except (DownloadError, XnaiError) as exc:
            _log.warning("model_not_fetched", model=entry.name, code=exc.code, reason=str(exc))
            if is_alone:
                raise
        else:
            if entry.kind == "embedder":
                self._on_embedder()
        finally:
            if not is_alone:
                self.status = former
        if is_alone:
            self._become("ready", f"{entry.title} is there.")

    async def _take_over(self, entry: CatalogueEntry) -> None:
        """Try a model, and use it unless somebody has chosen another one meanwhile."""
        file = self._file(entry)
        self.status = replace(self.status, name=entry.name)
        if not await self._engine_is_there():
            self._become("waiting", "It is there, and tested once there is an engine.")
            return
        if self._tested() != file:
            self._become("testing", f"{entry.title} is being tested.")
            await self_test(self._settings, file)
            await asyncio.to_thread(ModelFiles(self._settings).note_tested, file)
            _log.info("model_self_test_passed", model=entry.name)
        await self._use(entry, file)

    def _file(self, entry: CatalogueEntry) -> ModelFile:
        path = entry.path(self._settings.models_dir)
        return ModelFile(path.name.removesuffix(".gguf"), path)

    def _tested(self) -> ModelFile | None:
        return ModelFiles(self._settings).tested()

    async def _use(self, entry: CatalogueEntry, file: ModelFile) -> None:
        if self._engine is None:
            return
        current = self._engine.status.name
        if current == BUNDLED_NAME and not self._settings.model:
            await self._engine.use(file.name)
            current = file.name
        in_use = "in use" if current == file.name else f"there; {current} was chosen and stays"
        self._become("ready", f"{entry.title} is {in_use}.")

    async def _engine_is_there(self) -> bool:
        """Wait until the engine is compiled and has loaded its model; False if it cannot be.

        Before that nobody knows which model it has, and a switch would load the same one twice.
        """
        if self._engine is None:
            return False
        while self._engine.status.state in {"preparing", "loading"}:
            self._become("waiting", "It is there, and waits for the engine.")
            await asyncio.sleep(LOOK_SECONDS)
        engine = self._engine.status.engine
        return engine is None or engine.self_test != "failed"
