"""Sees to it that there is an engine, and one that does not crash."""

import structlog

from xnai.errors import MODEL_PREPARING, XnaiError
from xnai.llm.engine.backoff import Restarts
from xnai.llm.engine.early_crashes import EarlyCrashes
from xnai.llm.engine.loading import BuildSource
from xnai.llm.engine.single_flight import SingleFlight
from xnai.llm.engine.status import EngineState

_log = structlog.get_logger(__name__)


class Preparation:
    """Has the engine built before the first load, and another one once its workers crash early.

    Args:
        build: makes sure that the engine is there.
        state: told while it is being prepared, and if there is none.
        flight: those who wait for a worker.
        restarts: forgiven where the crashes were another build's.

    """

    def __init__(
        self, build: BuildSource, state: EngineState, flight: SingleFlight, restarts: Restarts
    ) -> None:
        self.early = EarlyCrashes()
        self._build = build
        self._state = state
        self._flight = flight
        self._restarts = restarts

    async def first(self) -> bool:
        """Have the engine built if need be; False if that failed until the next start."""
        if self._build.installed:
            return True
        try:
            await self._build.run()
        except XnaiError as exc:
            return self._without_engine(exc)
        return True

    async def again(self, *, certain: bool) -> bool:
        """Have a build that crashes tested, and the next one made; False if none works.

        Args:
            certain: whether the model's file cannot be the reason.

        """
        if not self.early.suspicious:
            return True
        self.early.forget()
        self._state.become("preparing")
        self._flight.failed(XnaiError(MODEL_PREPARING, detail=self._build.detail))
        try:
            replaced = await self._build.replace(certain=certain)
        except XnaiError as exc:
            return self._without_engine(exc)
        if replaced:
            self._restarts.answered()
        return True

    def _without_engine(self, error: XnaiError) -> bool:
        _log.warning("engine_build_failed", code=error.code, reason=error.message)
        self._state.become("down", error)
        self._flight.failed(error)
        return False
