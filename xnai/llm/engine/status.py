"""What the supervisor says of the model: ready, loading, idle, or down until when.

    preparing    -> loading      the engine works
                 -> down         no build of it does, until the next start
    loading      -> ready        the model is loaded
                 -> down         its file is no good: looked at again with the next question
                 -> loading      the worker died, for the first time in a row
                 -> down         it died again: a pause, then loading; after many, when asked
    ready        -> ready, idle  nobody asks, and it is unloaded
                 -> loading      another model is chosen; or the worker died, as above
                 -> preparing    builds that crash early are tested once more
    ready, idle  -> loading      with the next question

A row of deaths ends with an answer, or with a long life (backoff.py).
"""

import asyncio
import time
from dataclasses import dataclass, replace

from xnai.errors import XnaiError
from xnai.llm.engine.backoff import Restart
from xnai.llm.engine.loading import BuildSource
from xnai.llm.gguf.catalogue import ModelFile
from xnai.llm.ipc import Ready
from xnai.llm.protocol import ModelState, ModelStatus


class EngineState:
    """The state of one model; ``error`` and ``retry_in`` belong to ``down``."""

    def __init__(self, name: ModelState) -> None:
        self.name: ModelState = name
        self.error: XnaiError | None = None
        self.last_error = ""
        self.last_error_at = 0.0
        self.idle = False
        self._since = time.time()
        self._progress: float | None = None
        self._retry_at: float | None = None
        self._automatic = False

    def become(
        self,
        name: ModelState,
        error: XnaiError | None = None,
        *,
        idle: bool = False,
        retry: Restart | None = None,
    ) -> None:
        """Change; what is not named is over."""
        self.name, self.error, self.idle = name, error, idle
        self._since = time.time()
        self._progress = None
        self._retry_at = None if retry is None else time.monotonic() + retry.delay
        self._automatic = retry is not None and retry.automatic
        if error is not None:
            self.note(error)

    def note(self, error: XnaiError) -> None:
        """Remember an error, whether or not it is the reason for the state."""
        self.last_error, self.last_error_at = error.code, time.time()

    def progressed(self, share: float) -> None:
        """Note how much of the model was read, 0 to 1."""
        self._progress = share

    @property
    def retry_in(self) -> float | None:
        """Seconds to the next attempt."""
        return None if self._retry_at is None else max(0.0, self._retry_at - time.monotonic())

    @property
    def comes_back(self) -> bool:
        """Whether waiting is all that is needed."""
        return self.name == "loading" or (self.name == "down" and self._automatic)

    @property
    def waits_for_a_question(self) -> bool:
        """Whether nothing happens until somebody asks, and somebody may."""
        down = self.name == "down" and not self._automatic and not self.retry_in
        return self.idle or down

    def status(self, model: str, build: BuildSource) -> ModelStatus:
        """The state for the rest of the program."""
        eta, progress = None, self._progress
        detail = self.error.message if self.error else ""
        if self.name == "preparing":
            eta, detail, progress = build.eta_seconds, build.detail, build.progress
        elif self.name == "loading":
            detail = f"{model} is being loaded."
        elif self.idle:
            detail = f"{model} is idle; it is loaded with the next question."
        return ModelStatus(
            state=self.name,
            name=model,
            since=self._since,
            detail=detail,
            progress=progress,
            eta_seconds=eta,
            retry_in=self.retry_in,
            error_code=self.error.code if self.error else "",
            idle=self.idle,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            engine=build.status,
        )


def with_gpu(status: ModelStatus, about: Ready) -> ModelStatus:
    """A status that says how much of the model a GPU computes, where there is one."""
    if not about.gpu_layers or status.engine is None:
        return status
    words = f"a GPU computes {about.gpu_layers} of {about.layers} layers"
    if about.gpu_layers < about.layers:
        words += ", for more it has no memory or XNAI_GPU_LAYERS allows none"
    return replace(status, engine=replace(status.engine, detail=f"{status.engine.detail}; {words}"))


@dataclass(frozen=True, slots=True)
class Switch:
    """The wish for another model, and where the outcome goes."""

    file: ModelFile
    done: asyncio.Future[None]
