"""One breaker's store in Redis: a script for each operation."""

import json
import random
import secrets
import time
from pathlib import Path
from typing import Protocol

from xnai.resilience.config import Config
from xnai.resilience.redis import wire
from xnai.resilience.redis.scripts import Lane
from xnai.resilience.states import Snapshot, State
from xnai.resilience.store import Result, StoreAwayError, StoredBreaker, StoreReply

SCRIPT = Path(__file__).with_name("breaker.lua").read_text(encoding="utf-8")

_LOST = 15  # requests without a reply that are remembered


def keys(name: str) -> tuple[str, str, str]:
    """State, rows and tickets; the braces put them into one slot of a cluster."""
    return f"cb:{{{name}}}", f"cb:{{{name}}}:r", f"cb:{{{name}}}:p"


def channel(name: str) -> str:
    """Where transitions are published."""
    return f"cb:{{{name}}}:ev"


class Runner(Protocol):
    """Runs the script, within its time."""

    @property
    def away(self) -> bool:
        """Whether it cannot be run at the moment."""
        ...

    async def run(
        self, keys: tuple[str, ...], arguments: tuple[str, ...], lane: Lane = "calls"
    ) -> StoreReply:
        """The script's reply; ``lane``: whether a call waits for it.

        Raises:
            StoreAwayError: there is none.

        """
        ...


class RedisStore:
    """``Store`` of one breaker."""

    def __init__(self, runner: Runner, replica: str, name: str, config: Config) -> None:
        self._runner = runner
        self._replica = replica
        self._keys = keys(name)
        self._channel = channel(name)
        self._config = config
        self._lost: list[str] = []  # what this replica would know tickets by that never reached it

    @property
    def away(self) -> bool:
        """Whether it cannot be asked at the moment."""
        return self._runner.away

    async def post(self, known: Snapshot, row: StoredBreaker) -> StoreReply:
        """See ``Store.post``."""
        told = {
            "epoch": row.epoch,
            "calls": row.calls,
            "failures": row.failures,
            "slow": row.slow,
            "running": row.running,
            "vote": int(row.vote),
            "edge": row.edge,
            "final": row.final,
            "reason": wire.printable(row.reason),
        }
        return await self._run("post", known, "reports", row=told)

    async def acquire(self, known: Snapshot, want: int) -> StoreReply:
        """See ``Store.acquire``."""
        nonce = secrets.token_hex(6)
        try:
            return await self._run("acquire", known, nonce=nonce, want=want)
        except StoreAwayError:
            # Its reply may be lost though tickets are given: the next operation returns them.
            self._lost = [*self._lost[-_LOST:], nonce]
            raise

    async def renew(self, known: Snapshot, ticket: str) -> StoreReply:
        """See ``Store.renew``."""
        return await self._run("renew", known, ticket=ticket)

    async def release(
        self, known: Snapshot, ticket: str, result: Result, reason: str
    ) -> StoreReply:
        """See ``Store.release``."""
        why = wire.printable(reason)
        return await self._run("release", known, ticket=ticket, result=result, reason=why)

    async def set_state(
        self, known: Snapshot, state: State, reason: str, *, clear: bool = False, age: float = 0.0
    ) -> StoreReply:
        """See ``Store.set_state``."""
        told = {"state": state.value, "reason": wire.printable(reason), "clear": clear}
        return await self._run("set", known, "calls", age=int(age * 1000), **told)

    async def _run(
        self, operation: str, known: Snapshot, lane: Lane = "calls", **arguments: object
    ) -> StoreReply:
        chance = random.random()  # noqa: S311 - jitter, no secret
        lost = self._lost
        told = {
            **wire.rules(self._config, chance),
            "replica": self._replica,
            "seed": wire.seed(known, time.monotonic()),
            "lost": lost,
            **arguments,
        }
        body = json.dumps(told, ensure_ascii=False)
        reply = await self._runner.run(self._keys, (operation, self._channel, body), lane)
        self._lost = [nonce for nonce in self._lost if nonce not in lost]
        return reply
