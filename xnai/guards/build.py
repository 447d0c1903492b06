"""The breakers of one server process."""

from xnai.errors import SETTING_INVALID, XnaiError
from xnai.guards.faults import is_fault, words
from xnai.guards.listener import BreakerMetrics
from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.events import TransitionLog
from xnai.resilience.registry import Breakers
from xnai.settings import Settings

MODEL, EMBEDDER, INDEX = "model", "embedder", "index"
ENDPOINT = "endpoint:"  # before host and port


def make_breakers(settings: Settings) -> Breakers:
    """None are in it yet.

    Raises:
        XnaiError: XNAI_REDIS_URL is no address of Redis.

    """
    try:
        return Breakers(settings.redis_url.get_secret_value(), [TransitionLog(), BreakerMetrics()])
    except ValueError as exc:
        raise XnaiError(
            SETTING_INVALID, name="XNAI_REDIS_URL", value="***", problem=str(exc)
        ) from exc


def config(settings: Settings, *, between_items: float | None = None) -> Config:
    """What the settings say, and which errors count."""
    return Config(
        failure_rate=settings.breaker_failure_rate,
        streak=settings.breaker_failures,
        open_time=settings.breaker_open_seconds,
        open_longest=max(120.0, settings.breaker_open_seconds),
        ignore=lambda exc: not is_fault(exc),
        describe=words,
        between_items=between_items,
    )


def own(breakers: Breakers, name: str, settings: Settings) -> Breaker:
    """A breaker of a part that each replica has for itself: it is not shared."""
    return breakers.make(name, config(settings), shared=False)


def endpoint(breakers: Breakers, name: str, settings: Settings) -> Breaker:
    """The breaker of a model endpoint, which all replicas ask."""
    return breakers.make(f"{ENDPOINT}{name}", config(settings), shared=True)
