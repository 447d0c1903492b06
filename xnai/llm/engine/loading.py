"""From a model's file to a worker that has it loaded."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from xnai.errors import XnaiError
from xnai.llm.build.record import read_installed
from xnai.llm.calibration.choice import (
    ORIGINAL,
    Speed,
    Tuning,
    copy_path,
    key,
    known_findings,
)
from xnai.llm.engine.launch import NATIVE_ENVIRONMENT, SPIN_COUNT, WorkerOptions
from xnai.llm.engine.prefix_files import PrefixFiles, Room
from xnai.llm.engine.process import WorkerProcess
from xnai.llm.engine.request import Request
from xnai.llm.gguf.catalogue import CheckedModel, ModelFile, ModelFiles
from xnai.llm.gguf.header import NotGgufError, TruncatedError, read_header
from xnai.llm.hardware import usable_cores
from xnai.llm.ipc import CHUNK, Figures, WorkerConfig
from xnai.llm.protocol import EngineStatus
from xnai.settings import Settings

SPARE_MEMORY = 1_000_000_000  # bytes a worker may allocate beyond twice its estimate


class BuildSource(Protocol):
    """Makes sure that the engine is installed (``xnai.llm.build.engine_build``)."""

    @property
    def installed(self) -> bool:
        """Whether llama_cpp can be imported."""
        ...

    @property
    def detail(self) -> str:
        """What is going on, for people."""
        ...

    @property
    def progress(self) -> float | None:
        """How much is done, 0 to 1."""
        ...

    @property
    def eta_seconds(self) -> float | None:
        """How long it still takes."""
        ...

    @property
    def error(self) -> XnaiError | None:
        """Why it failed."""
        ...

    @property
    def status(self) -> EngineStatus:
        """Which build there is, and how its self-test went."""
        ...

    async def run(self) -> None:
        """Build; raises ENGINE_BUILD_FAILED."""
        ...

    async def replace(self, *, certain: bool) -> bool:
        """Test the build whose worker crashed, and have the next if it fails; whether it did."""
        ...


class Loader:
    """Checks files and starts workers.

    Args:
        settings: threads, slots, drafting.
        files: what checks a file, and where its measured copies are kept.
        options: how workers are started and watched.
        prefixes: where workers keep on disk what they have read; None: they do not.

    """

    def __init__(
        self,
        settings: Settings,
        files: ModelFiles,
        options: WorkerOptions,
        prefixes: PrefixFiles | None = None,
    ) -> None:
        self._settings = settings
        self._files = files
        self._options = options
        self._prefixes = prefixes
        self.speed: Speed | None = None  # of the copy that was loaded last
        self.run: tuple[str, ...] = ()  # labels of ``metrics.model_run`` for it
        self._gpu_layers = gpu_layers(settings.gpu_layers)

    async def load(
        self,
        file: ModelFile,
        on_progress: Callable[[float], None],
        on_figures: Callable[[Request, Figures], None],
    ) -> WorkerProcess:
        """Check the file, start a worker and wait until it has loaded.

        Raises:
            XnaiError: the file is missing, no model, or does not fit.
            WorkerDiedError: the worker ended.
            OSError: no process can be started.

        """
        checked = await asyncio.to_thread(self._files.check, file)
        path, self.speed, tuning = await asyncio.to_thread(self._best_copy, checked.file)
        room = await asyncio.to_thread(self._kept_room, path)
        config = self._configure(checked, path, tuning, room)
        copy = "original" if path == checked.file.path else path.suffixes[-2].removeprefix(".")
        spin = str(tuning.spin or NATIVE_ENVIRONMENT[SPIN_COUNT])
        self.run = (copy, str(config.threads), str(config.chunk), spin)
        worker = await WorkerProcess.spawn(
            config,
            self._options,
            spin=tuning.spin,
            on_progress=on_progress,
            on_figures=on_figures,
        )
        try:
            await worker.wait_ready(file.name)
        except BaseException:
            await worker.stop("it was stopped while it loaded")
            raise
        return worker

    def lessen_gpu_layers(self, used: int) -> int:
        """Have half as many layers computed by a GPU from now on, since a worker died there."""
        self._gpu_layers = used // 2
        return self._gpu_layers

    def _configure(
        self, checked: CheckedModel, path: Path, tuning: Tuning, room: Room | None
    ) -> WorkerConfig:
        """How the worker is to run, as measurements have shown it to be best."""
        return WorkerConfig(
            parent=os.getpid(),
            model=str(path),
            context=checked.context,
            threads=self._settings.threads or tuning.threads or usable_cores(),
            memory_limit=2 * checked.needed_bytes + SPARE_MEMORY,
            slots=checked.capacity.slots,
            store_bytes=checked.capacity.store_bytes,
            kept=(str(room.folder), room.most_bytes) if room else ("", 0),
            drafting=self._settings.drafting,
            chunk=tuning.chunk or CHUNK,
            gpu_layers=self._gpu_layers,
        )

    def _kept_room(self, path: Path) -> Room | None:
        """Where what is read with this file and this engine is kept on disk; blocks."""
        known = read_installed()
        if self._prefixes is None or known is None:
            return None
        try:
            return self._prefixes.room(key(path, known))
        except OSError:
            return None

    def _best_copy(self, file: ModelFile) -> tuple[Path, Speed | None, Tuning]:
        """The copy of a model to load, how fast it was measured to be, and run how; blocks."""
        known = read_installed()
        if known is None:
            return file.path, None, Tuning()
        findings = known_findings(self._files, file.path)
        path = copy_path(self._files, key(file.path, known), findings.copy)
        if findings.copy == ORIGINAL:
            return file.path, findings.speed(ORIGINAL), findings.tuning
        if is_whole(path):
            return path, findings.speed(findings.copy), findings.tuning
        return file.path, findings.speed(ORIGINAL), Tuning()


def gpu_layers(wanted: str) -> int:
    """The number that ``XNAI_GPU_LAYERS`` names; -1 for ``auto``."""
    return -1 if wanted == "auto" else int(wanted)


def is_whole(path: Path) -> bool:
    """Whether a GGUF is there and complete; blocks."""
    try:
        read_header(path)
    except (OSError, NotGgufError, TruncatedError):
        return False
    return True
