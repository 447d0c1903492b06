"""Drives the real script on a real server beside the reference, in any order of events."""

import json

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from redis import Redis
from redis.exceptions import ResponseError
from reference import RULES, Reference

from xnai.resilience.redis_store import channel, keys

REPLICAS = ("a", "b", "c", "d")
COUNTS = st.sampled_from([0, 0, 1, 2, 3, 4, 5, 8])
NAME = "dep"


class ScriptError(AssertionError):
    """The script and the reference are of different minds."""


def machine(script, client: Redis):  # noqa: C901 - its parts are the machine's rules
    """The class of a state machine for one script and server."""
    run = client.register_script(script)

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self):
            client.flushall()
            self.reference = Reference()
            self.now = 1_000_000
            self.known = {
                who: {
                    "state": "closed", "epoch": 0, "revision": 0, "opens": 0, "wait": 0,
                    "age": 0, "reason": "", "at": self.now,
                }
                for who in REPLICAS
            }  # fmt: skip
            self.tickets = ["0-0"]
            self.revision = (0, 0)
            self.live = {}

        def ask(self, who, operation, act, **arguments):
            known = dict(self.known[who])
            passed = max(0, self.now - known.pop("at"))
            seed = known | {"wait": max(0, known["wait"] - passed), "age": known["age"] + passed}
            told = {**RULES, "clock": self.now, "replica": who, "seed": seed, **arguments}
            try:
                found = json.loads(run(keys(NAME), [operation, channel(NAME), json.dumps(told)]))
            except ResponseError as exc:
                raise ScriptError(str(exc)) from exc
            before = self.reference.epoch
            self.reference.tidy(self.now)
            self.reference.seed(self.now, seed)
            expected = act()
            self.compare(found, expected)
            if found["epoch"] < before:
                raise ScriptError("the epoch went back")
            self.known[who] = {key: found[key] for key in seed} | {"at": self.now}
            return found

        def compare(self, found, expected):
            wanted = self.reference.snapshot(self.now) | expected
            for key in ("ticket", "held", "empty", "asked"):
                wanted.setdefault(key, None)
            seen = {key: found.get(key) or None for key in wanted}
            if seen != {key: value or None for key, value in wanted.items()}:
                raise ScriptError(f"{seen} instead of {wanted}")
            if len(self.reference.tickets) > RULES["probes"]:
                raise ScriptError("more live tickets than probes are permitted")
            order = (found["epoch"], found["revision"])
            if order < self.revision:
                raise ScriptError("the revision went back")
            self.revision = order

        @rule(
            who=st.sampled_from(REPLICAS), calls=COUNTS, failures=COUNTS, slow=COUNTS,
            vote=st.booleans(), edge=st.booleans(), final=st.booleans(), late=st.booleans(),
        )  # fmt: skip
        def post(self, who, calls, failures, slow, vote, edge, final, late):  # noqa: PLR0913, PLR0917
            row = {
                "epoch": max(0, self.known[who]["epoch"] - late),
                "calls": calls,
                "failures": min(calls, failures),
                "slow": min(calls, slow),
                "vote": int(vote),
                "edge": edge and vote,
                "final": final,
                "reason": f"{who} says so",
            }
            self.ask(who, "post", lambda: self.reference.post(self.now, who, row), row=row)

        @rule(replicas=st.lists(st.sampled_from(REPLICAS), min_size=2, unique=True))
        def outage(self, replicas):
            """Several replicas see the dependency die at about the same time."""
            for who in replicas:
                self.post(who, 5, 5, 0, vote=True, edge=True, final=True, late=False)

        @rule(who=st.sampled_from(REPLICAS))
        def acquire(self, who):
            found = self.ask(who, "acquire", lambda: self.reference.acquire(self.now))
            if "ticket" in found:
                if found["ticket"] in self.tickets:
                    raise ScriptError("a ticket was given twice")
                self.tickets.append(found["ticket"])

        @rule(who=st.sampled_from(REPLICAS), data=st.data())
        def renew(self, who, data):
            ticket = data.draw(st.sampled_from(self.tickets[-3:]))
            self.ask(who, "renew", lambda: self.reference.renew(self.now, ticket), ticket=ticket)

        @rule(
            who=st.sampled_from(REPLICAS), data=st.data(),
            result=st.sampled_from(["succeeded", "succeeded", "failed", "returned"]),
        )  # fmt: skip
        def release(self, who, data, result):
            ticket = data.draw(st.sampled_from(self.tickets[-3:]))
            self.ask(
                who, "release", lambda: self.reference.release(self.now, ticket, result),
                ticket=ticket, result=result, reason="it failed",
            )  # fmt: skip

        @rule(
            who=st.sampled_from(REPLICAS), clear=st.booleans(),
            state=st.sampled_from(["closed", "forced_open", "disabled", "metrics_only"]),
        )  # fmt: skip
        def operate(self, who, state, clear):
            self.ask(
                who, "set", lambda: self.reference.set_state(state, clear),
                state=state, reason="by hand", clear=clear,
            )  # fmt: skip

        @rule(milliseconds=st.sampled_from([1, 99, 150, 399, 400, 900, 2100, 3100, 6000, 31_000]))
        def wait(self, milliseconds):
            self.now += milliseconds

        @rule()
        def until_due(self):
            self.now = max(self.now, self.reference.due)

        @rule()
        def clock_set_back(self):
            self.now -= 600_000

        @rule()
        def lose_all(self):
            client.flushall()
            self.reference = Reference()
            self.revision = (0, 0)

    return Machine
