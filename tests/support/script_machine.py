"""Drives the real script on a real server beside the reference, in any order of events."""

import json

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from redis import Redis
from redis.exceptions import ResponseError
from reference import RULES, Reference

from xnai.resilience.redis.store import channel, keys

REPLICAS = ("a", "b", "c", "d")
COUNTS = st.sampled_from([0, 0, 1, 2, 3, 4, 5, 8])
PAUSES = st.sampled_from([150, 390, 410, -600_000])
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
            self.now = 10**12
            self.known = {
                who: {
                    "state": "closed", "epoch": 0, "revision": 0, "opens": 0, "wait": 0,
                    "age": 0, "reason": "", "commanded": -1, "at": self.now,
                }
                for who in REPLICAS
            }  # fmt: skip
            self.tickets = ["0-0"]
            self.lost = {who: [] for who in REPLICAS}  # nonces whose reply did not arrive
            self.revision = (0, 0)
            self.asked = 0

        def ask(self, who, operation, act, **arguments):
            known = dict(self.known[who])
            passed = max(0, self.now - known.pop("at"))
            seed = known | {"wait": max(0, known["wait"] - passed), "age": known["age"] + passed}
            if seed["commanded"] >= 0:
                seed["commanded"] += passed
            lost, self.lost[who] = self.lost[who], []
            told = {
                **RULES, "clock": self.now, "replica": who, "seed": seed, "lost": lost, **arguments
            }  # fmt: skip
            try:
                found = json.loads(run(keys(NAME), [operation, channel(NAME), json.dumps(told)]))
            except ResponseError as exc:
                raise ScriptError(str(exc)) from exc
            before = self.reference.epoch
            if seed["epoch"] > before and found["revision"] <= seed["revision"]:
                raise ScriptError("the seed's revision is lost")
            self.reference.tidy(self.now)
            self.commanded = self.reference.commanded
            self.reference.seed(self.now, seed)
            self.reference.take_back(lost)
            expected = act()
            self.compare(found, expected)
            if found["epoch"] < before:
                raise ScriptError("the epoch went back")
            self.known[who] = {key: found[key] for key in seed} | {"at": self.now}
            return found

        def compare(self, found, expected):
            wanted = self.reference.snapshot(self.now) | expected
            for key in ("tickets", "held", "empty", "asked"):
                wanted.setdefault(key, None)
            seen = {key: found.get(key) or None for key in wanted}
            if seen != {key: value or None for key, value in wanted.items()}:
                raise ScriptError(f"{seen} instead of {wanted}")
            if len(self.reference.tickets) > self.reference.need:
                raise ScriptError("more live tickets than probes are permitted")
            there = client.zrange(keys(NAME)[2], 0, -1)
            if {ticket.decode() for ticket in there} != set(self.reference.tickets):
                raise ScriptError(f"{there} are out instead of {self.reference.tickets}")
            rows = {who.decode() for who in client.hkeys(keys(NAME)[1])}
            if rows != set(self.reference.rows):
                raise ScriptError(f"rows of {rows} instead of {set(self.reference.rows)}")
            order = (found["epoch"], found["revision"])
            if order < self.revision:
                raise ScriptError("the revision went back")
            self.revision = order

        @rule(
            who=st.sampled_from(REPLICAS), calls=COUNTS, failures=COUNTS, slow=COUNTS,
            vote=st.booleans(), edge=st.booleans(), final=st.booleans(), late=st.booleans(),
        )  # fmt: skip
        def post(self, who, calls, failures, slow, vote, edge, final, late, running=0):  # noqa: PLR0913, PLR0917
            row = {
                "epoch": max(0, self.known[who]["epoch"] - late),
                "calls": calls,
                "failures": min(calls, failures),
                "slow": min(calls, slow),
                "running": running,
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

        @rule(
            who=st.sampled_from(REPLICAS), want=st.sampled_from([1, 1, 2, 4]),
            probes=st.sampled_from([2, 2, 1, 3]),
        )  # fmt: skip
        def acquire(self, who, want=1, probes=RULES["probes"]):
            """Replicas may be configured differently, as while their settings are changed."""
            self.asked += 1
            nonce = f"n{self.asked}"
            found = self.ask(
                who, "acquire", lambda: self.reference.acquire(self.now, nonce, want, probes),
                nonce=nonce, want=want, probes=probes,
            )  # fmt: skip
            for ticket in found.get("tickets", ()):
                if ticket in self.tickets:
                    raise ScriptError("a ticket was given twice")
                self.tickets.append(ticket)

        @rule(who=st.sampled_from(REPLICAS), other=st.sampled_from(REPLICAS))
        def lose(self, who, other):
            """A probe is given, but the reply is lost; another replica then wants one."""
            self.make("half_open")
            known = self.known[who]
            self.acquire(who)
            self.known[who] = known
            self.lost[who] = [f"n{self.asked}"]
            self.acquire(other)

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
            self.give_back(who, ticket, result)

        @rule(
            who=st.sampled_from(REPLICAS), clear=st.booleans(),
            state=st.sampled_from(["closed", "closed", "forced_open", "disabled", "metrics_only"]),
            age=st.sampled_from([0, 0, 100, 1000, 4000]),
        )  # fmt: skip
        def operate(self, who, state, clear, age=0):
            """``age``: a replica was cut off when it was told, and tells it now."""

            def act():
                return self.reference.set_state(self.now, state, clear, age, self.commanded)

            self.ask(who, "set", act, state=state, reason="by hand", clear=clear, age=age)

        @rule(
            who=st.sampled_from(REPLICAS), other=st.sampled_from(REPLICAS),
            late=st.sampled_from([1, 500]), age=st.sampled_from([0, 100, 1000]),
        )  # fmt: skip
        def operate_cut_off(self, who, other, late, age):
            """A replica goes on by itself while an operator speaks at another."""
            known = dict(self.known[who])
            self.now += late
            self.operate(other, "disabled", clear=False)
            self.now += 100
            self.known[who] = known | {
                "epoch": known["epoch"] + 3, "revision": known["revision"] + 3, "at": self.now,
                "state": "forced_open", "commanded": age,
            }  # fmt: skip
            self.operate(who, "forced_open", clear=False, age=age)

        @rule(who=st.sampled_from(REPLICAS), late=st.sampled_from([0, 100]), back=st.booleans())
        def forgotten_round(self, who, late, back):
            """Nothing comes of a round for as long as one may last."""
            self.make("half_open")
            self.now -= 600_000 * back
            self.renew_last(who)
            self.now += RULES["half_open"] - late
            self.acquire(who)

        def renew_last(self, who):
            ticket = self.tickets[-1]
            self.ask(who, "renew", lambda: self.reference.renew(self.now, ticket), ticket=ticket)

        @rule(
            who=st.sampled_from(REPLICAS), others=st.permutations(REPLICAS),
            pause=st.sampled_from([2, 2, 99, 101]),
        )  # fmt: skip
        def answers(self, who, others, pause):
            """One asks the others, who have nothing to do; the last answer decides."""
            self.make("closed")
            for other in others:
                self.post(other, 0, 0, 0, False, False, False, False)  # noqa: FBT003
            self.now += 150
            self.post(who, 8, 8, 0, vote=True, edge=True, final=False, late=False)
            for other in others:
                if other != who:
                    self.now += pause
                    self.post(other, 0, 0, 0, False, False, False, False)  # noqa: FBT003

        def make(self, state):
            """Bring the breaker into a state, from whatever it is in."""
            if self.reference.state != "closed":
                self.operate("a", "closed", clear=False)
            if state != "closed":
                self.outage(list(REPLICAS))
            if state == "half_open":
                self.until_due()
                self.acquire("a")

        @rule(
            who=st.sampled_from(REPLICAS), silence=st.sampled_from([50, 150, 1500, 2100, 3100]),
            others=st.lists(st.sampled_from(REPLICAS), max_size=3, unique=True),
            calls=st.sampled_from([0, 4]),
            running=st.sampled_from([0, 0, 2]), bad=st.sampled_from([0, 0, 4]), slow=st.booleans(),
            edge=st.booleans(), final=st.booleans(), late=st.booleans(),
            mine=st.sampled_from([(8, 8), (1, 1), (8, 0)]),
        )  # fmt: skip
        def vote_after(  # noqa: PLR0913, PLR0917 - what a story is made of
            self, who, silence, others, calls, bad, slow, edge, final, late, mine, running
        ):
            """One replica votes some time after others have told what they see."""
            self.make("closed")
            for other in others:
                seen = (0, bad) if slow else (bad, 0)
                self.post(other, calls, *seen, False, False, False, False, running)  # noqa: FBT003
            self.now += silence
            self.post(who, *mine, 0, vote=True, edge=edge, final=final, late=late)

        @rule(
            who=st.sampled_from(REPLICAS),
            results=st.lists(st.sampled_from(["failed", "succeeded", "returned"]), max_size=6),
        )
        def rounds(self, who, results):
            """Probes one after the other, each as soon as there may be one."""
            self.make("open")
            for result in results:
                self.until_due()
                self.acquire(who)
                self.give_back(who, self.tickets[-1], result)

        @rule(result=st.sampled_from(["failed", "succeeded", "returned"]))
        def crowd(self, result):
            """All want a probe, one gives its own back, all want one again."""
            self.make("half_open")
            first = self.tickets[-1]
            for who in REPLICAS:
                self.acquire(who)
            self.give_back("a", first, result)
            for who in REPLICAS:
                self.acquire(who)

        def give_back(self, who, ticket, result):
            self.ask(
                who, "release", lambda: self.reference.release(self.now, ticket, result),
                ticket=ticket, result=result, reason="it failed",
            )  # fmt: skip

        @rule(who=st.sampled_from(REPLICAS), pauses=st.lists(PAUSES, max_size=4))
        def hold(self, who, pauses):
            """A probe that takes long."""
            self.make("half_open")
            ticket = self.tickets[-1]
            for pause in pauses:
                self.now += pause
                self.ask(
                    who, "renew", lambda: self.reference.renew(self.now, ticket), ticket=ticket
                )

        @rule(
            who=st.sampled_from(REPLICAS), busy=st.booleans(),
            state=st.sampled_from(["closed", "open", "half_open"]),
        )  # fmt: skip
        def claim(self, who, busy, state):
            """What a replica found out while the store was away."""
            if busy:
                self.make("half_open")
                who = "a"
            known = self.known[who]
            known |= {
                "epoch": known["epoch"] + 2, "revision": known["revision"] + 1, "state": state,
                "wait": 700, "opens": 1, "at": self.now,
            }  # fmt: skip
            self.acquire(who)

        @rule(milliseconds=st.sampled_from([1, 99, 150, 399, 400, 900, 2100, 3100, 31_000]))
        def wait(self, milliseconds):
            self.now += milliseconds

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
