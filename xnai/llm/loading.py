"""From a model's file to a worker that has it loaded."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from xnai.errors import XnaiError
from xnai.llm.config import WorkerConfig
from xnai.llm.files import CheckedModel, ModelFile, ModelFiles
from xnai.llm.frames import Frame
from xnai.llm.gguf import NotGgufError, TruncatedError, read_header
from xnai.llm.launch import WorkerOptions, requantise
from xnai.llm.machine import usable_cores
from xnai.llm.process import WorkerProcess
from xnai.llm.request import Request
from xnai.settings import Settings

SPARE_MEMORY = 1_000_000_000  # bytes a worker may allocate beyond twice its estimate


class EngineBuild(Protocol):
    """Makes sure that the engine is installed (``xnai.llm.build``)."""

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

    async def run(self) -> None:
        """Build; raises ENGINE_BUILD_FAILED."""
        ...


class Loader:
    """Checks files and starts workers.

    Args:
        settings: threads, slots, drafting.
        files: what checks a file, and where the requantised copy is kept.
        options: how workers are started and watched.

    """

    def __init__(self, settings: Settings, files: ModelFiles, options: WorkerOptions) -> None:
        self._settings = settings
        self._files = files
        self._options = options

    async def load(
        self,
        file: ModelFile,
        on_progress: Callable[[float], None],
        on_figures: Callable[[Request, Frame], None],
    ) -> WorkerProcess:
        """Check the file, start a worker and wait until it has loaded.

        Raises:
            XnaiError: the file is missing, no model, or does not fit.
            WorkerDiedError: the worker ended.
            OSError: no process can be started.

        """
        checked = await asyncio.to_thread(self._files.check, file)
        worker = await WorkerProcess.spawn(
            await self._configure(checked),
            self._options,
            on_progress=on_progress,
            on_figures=on_figures,
        )
        try:
            await worker.wait_ready(file.name)
        except BaseException:
            await worker.stop("it was stopped while it loaded")
            raise
        return worker

    async def _configure(self, checked: CheckedModel) -> WorkerConfig:
        """How the worker is to run; the bundled model as its requantised copy."""
        config = WorkerConfig(
            parent=os.getpid(),
            model=str(checked.file.path),
            context=checked.context,
            threads=self._settings.threads or usable_cores(),
            memory_limit=2 * checked.needed_bytes + SPARE_MEMORY,
            slots=checked.capacity.slots,
            store_bytes=checked.capacity.store_bytes,
            drafting=self._settings.drafting,
        )
        if not checked.file.bundled:
            return config
        target = self._files.requantised_path(checked.file)
        wanted = replace(config, requantise_to=str(target))
        if await asyncio.to_thread(is_whole, target) or await requantise(
            wanted, self._options.command
        ):
            return replace(config, model=str(target))
        return config


def is_whole(path: Path) -> bool:
    """Whether a GGUF is there and complete; blocks."""
    try:
        read_header(path)
    except (OSError, NotGgufError, TruncatedError):
        return False
    return True
