"""The predicates of a config, none of which can harm a call."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from xnai.resilience.config import Config, predicate

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class BreakerRules:
    """Asks the predicates; one that raises is logged once and decides nothing."""

    def __init__(self, name: str, config: Config) -> None:
        self._name = name
        self._config = config
        self._record = predicate(config.record)
        self._ignore = predicate(config.ignore)
        self._broken: set[str] = set()

    def is_ignored(self, exc: BaseException) -> bool:
        """Whether an exception says nothing about the dependency."""
        recorded = self._ask("record", lambda: bool(self._record(exc)), otherwise=True)
        return not recorded or self._ask("ignore", lambda: bool(self._ignore(exc)), otherwise=False)

    def is_bad(self, result: object) -> bool:
        """Whether a result is a failure."""
        failed = self._config.failed
        if failed is None:
            return False
        return self._ask("failed", lambda: bool(failed(result)), otherwise=False)

    def describe(self, exc: BaseException) -> str:
        """Why a call failed, in words."""
        kind = type(exc).__name__
        return self._ask("describe", lambda: str(self._config.describe(exc)), otherwise=kind)

    def _ask(self, which: str, ask: Callable[[], T], otherwise: T) -> T:
        try:
            return ask()
        except Exception:  # noqa: BLE001 - it is somebody else's code
            if which not in self._broken:
                self._broken.add(which)
                _log.exception("breaker_predicate_failed", breaker=self._name, predicate=which)
            return otherwise
