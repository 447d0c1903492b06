"""Circuit breakers that share their state through Redis, behind one interface for the bench.

The peers are no dependencies of the project: install those you want to see by hand, e.g.
`pip install --no-deps --target /tmp/peers pybreaker purgatory aiobreaker interlock-cb`, and set
PYTHONPATH. All have the same settings: open after 5 failures in a row (interlock-cb, which knows
rates only: half of 10 calls), for 1 s, then one probe.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec

FAILURES, OPEN_SECONDS, PROBES = 5, 1.0, 1
Call = Callable[[], Awaitable[object]]
Guard = Callable[[Call], Awaitable[object]]
Made = tuple[Guard, Callable[[], Awaitable[None]]]
MODULES = {
    "pybreaker": "pybreaker",
    "purgatory": "purgatory",
    "aiobreaker": "aiobreaker",
    "interlock-cb": "interlock",
}


class RefusedError(Exception):
    """The breaker did not make the call."""


def available() -> list[str]:
    """Ours and the peers that are installed."""
    found = [name for name, module in MODULES.items() if find_spec(module)]
    return ["xnai", *found]


async def make(name: str, socket: str, shared: str = "dep") -> Made:
    """A guard with its state at that server, and what ends it."""
    maker = {
        "xnai": _xnai,
        "pybreaker": _pybreaker,
        "purgatory": _purgatory,
        "aiobreaker": _aiobreaker,
        "interlock-cb": _interlock,
    }[name]
    return await maker(socket, shared)


async def _xnai(socket: str, shared: str) -> Made:
    from xnai.resilience import CircuitOpenError  # noqa: PLC0415
    from xnai.resilience.config import Config  # noqa: PLC0415
    from xnai.resilience.registry import Breakers  # noqa: PLC0415

    registry = Breakers(f"unix://{socket}")
    config = Config(streak=FAILURES, open_time=OPEN_SECONDS, open_jitter=0.0, probes=PROBES)
    breaker = registry.make(shared, config)
    await registry.start()
    await breaker.ready()
    guard = breaker.call
    guard_errors[guard] = CircuitOpenError
    return guard, registry.close


async def _interlock(socket: str, shared: str) -> Made:
    from redis.asyncio import Redis  # noqa: PLC0415

    interlock = import_module("interlock")
    storage = import_module("interlock.integrations.redis").AsyncRedisStorage
    config = interlock.Config(
        failure_rate_threshold=0.5,
        minimum_number_of_calls=2 * FAILURES,
        permitted_calls_in_half_open=PROBES,
        wait_duration_in_open=OPEN_SECONDS,
    )
    client = Redis(unix_socket_path=socket)
    breaker = interlock.CircuitBreaker(name=shared, config=config, storage=storage(client))

    async def close() -> None:
        await breaker.aclose()
        await client.aclose()

    guard_errors[breaker.call] = interlock.CircuitOpenError
    return breaker.call, close


async def _purgatory(socket: str, shared: str) -> Made:
    purgatory = import_module("purgatory")
    opened = import_module("purgatory.domain.model").OpenedState
    unit = import_module("purgatory.service._async.unit_of_work").AsyncRedisUnitOfWork
    factory = purgatory.AsyncCircuitBreakerFactory(
        default_threshold=FAILURES, default_ttl=OPEN_SECONDS, uow=unit(f"unix://{socket}")
    )
    await factory.initialize()

    async def guard(call: Call) -> object:
        async with await factory.get_breaker(shared):
            return await call()

    guard_errors[guard] = opened
    return guard, _nothing


async def _aiobreaker(socket: str, shared: str) -> Made:
    from redis import Redis  # noqa: PLC0415

    lib = import_module("aiobreaker")
    states = import_module("aiobreaker.state").CircuitBreakerState
    storage = import_module("aiobreaker.storage.redis").CircuitRedisStorage
    breaker = lib.CircuitBreaker(
        fail_max=FAILURES,
        timeout_duration=timedelta(seconds=OPEN_SECONDS),
        state_storage=storage(states.CLOSED, Redis(unix_socket_path=socket), namespace=shared),
    )
    guard_errors[breaker.call_async] = lib.CircuitBreakerError
    return breaker.call_async, _nothing


async def _pybreaker(socket: str, shared: str) -> Made:
    """It has no asyncio of its own (only Tornado's), so its three steps are made by hand."""
    from redis import Redis  # noqa: PLC0415

    lib = import_module("pybreaker")
    storage = lib.CircuitRedisStorage(
        lib.STATE_CLOSED, Redis(unix_socket_path=socket), namespace=shared
    )
    breaker = lib.CircuitBreaker(
        fail_max=FAILURES, reset_timeout=OPEN_SECONDS, state_storage=storage
    )

    def raise_(exc: BaseException) -> None:
        raise exc

    async def guard(call: Call) -> object:
        state = breaker.state  # what breaker.calling() and call() begin with
        if state.name == lib.STATE_OPEN:
            # It lets a call through after its time, which it can only do synchronously.
            opened = breaker._state_storage.opened_at  # noqa: SLF001
            if opened and lib.datetime.now(lib.UTC) < opened + timedelta(seconds=OPEN_SECONDS):
                raise lib.CircuitBreakerError("open")
            breaker.half_open()
            state = breaker.state
        try:
            result = await call()
        except Exception as exc:
            state._handle_error(exc, reraise=False)  # noqa: SLF001
            raise
        state._handle_success()  # noqa: SLF001
        return result

    guard_errors[guard] = lib.CircuitBreakerError
    return guard, _nothing


guard_errors: dict[Guard, type[Exception]] = {}


async def _nothing() -> None:
    await asyncio.sleep(0)
