"""What the script has to do, written down a second time, as plainly as it can be."""

from dataclasses import dataclass, field

HEARD, BUSY, ASKED = 100, 2000, 300
RULES = {
    "open": 1000,
    "growth": 2.0,
    "longest": 5000,
    "jitter": 0.9,
    "probes": 2,
    "lease": 400,
    "half_open": 2500,
    "active": 3000,
    "quorum": 0.5,
    "failure_rate": 0.5,
    "slow_rate": 0.8,
    "min_calls": 6,
}


@dataclass
class Reference:
    """One breaker as the store should keep it; times are milliseconds."""

    state: str = "closed"
    epoch: int = 0
    opens: int = 0
    due: int = 0
    length: int = RULES["longest"]
    since: int = 0
    commanded: int = 0
    question: int | None = None
    need: int = RULES["probes"]
    ok: int = 0
    fence: int = 0
    known: bool = False
    reason: str = ""
    why: str | None = None
    tickets: dict = field(default_factory=dict)  # ticket: when its lease ends
    rows: dict = field(default_factory=dict)  # replica: (row, seen)

    def tidy(self, now):
        self.due = min(self.due, now + self.length)
        self.since = min(self.since, now) if self.known else now
        self.commanded = min(self.commanded, now)
        if self.question is not None and not 0 <= now - self.question <= ASKED:
            self.question = None
        self.tickets = {
            t: end for t, end in self.tickets.items() if now < end < now + 2 * RULES["lease"]
        }

    def become(self, now, state, reason):
        self.state, self.reason, self.ok = state, reason, 0
        self.epoch += 1
        self.since, self.question = now, None
        self.known = True
        self.tickets = {}

    def open(self, now, reason):
        self.opens += 1
        self.become(now, "open", reason)
        length = min(RULES["open"] * RULES["growth"] ** (self.opens - 1), RULES["longest"])
        self.length = int(length * RULES["jitter"])
        self.due = now + self.length

    def close(self, now, reason):
        self.become(now, "closed", reason)
        self.opens = self.due = 0

    def seed(self, now, seed):
        if seed["epoch"] <= self.epoch:
            return
        told = now - seed["commanded"] if seed["commanded"] >= 0 else 0
        self.known, self.question = True, None
        if self.commanded > told:
            self.epoch = seed["epoch"] + 1
            return
        self.epoch, self.state, self.opens = seed["epoch"], seed["state"], seed["opens"]
        self.reason, self.due, self.ok = seed["reason"], now + seed["wait"], 0
        self.since, self.length, self.commanded = now - seed["age"], seed["wait"], told
        self.tickets = {}
        if self.state == "half_open":
            self.become(now, "open", self.reason)

    def post(self, now, replica, row):
        empty, self.known = not self.known and self.epoch == 0, True
        self.rows[replica] = (row, now)
        if row["vote"]:
            self.why = row["reason"]
        asked = False
        if self.state == "closed" and row["epoch"] == self.epoch:
            asked = self.judge(now, row)
        return {"empty": empty, "asked": asked}

    def judge(self, now, row):
        self.rows = {
            who: (other, seen)
            for who, (other, seen) in self.rows.items()
            if 0 <= now - seen <= 10 * RULES["active"]
        }
        unanswered = [
            who
            for who, (_, seen) in self.rows.items()
            if now - seen <= RULES["active"] and self.question is not None and seen < self.question
        ]
        live = [(o, now - seen) for o, seen in self.rows.values() if now - seen <= RULES["active"]]

        def is_calling(other):
            return other["calls"] > 0 or other["running"] > 0 or other["vote"]

        def is_heard(other, age):
            return other["epoch"] == self.epoch and age <= HEARD

        active = [o for o, age in live if is_calling(o) and (is_heard(o, age) or age <= BUSY)]
        sick = [o for o in active if o["epoch"] == self.epoch and self.is_sick(o)]
        silent = [o for o, age in live if not (is_heard(o, age) and is_calling(o))]
        if row["edge"] and silent and not row["final"]:
            self.question = now
            return True
        answered = self.question is not None and not unanswered
        together = len(sick) > 1 and sum(o["calls"] for o in sick) >= RULES["min_calls"]
        if len(sick) > len(active) * RULES["quorum"] and (row["edge"] or answered or together):
            why = self.why or "their calls fail"
            self.open(now, f"{len(sick)} of {len(active)} replicas: {why}")
        return False

    def is_sick(self, row):
        if row["vote"]:
            return True
        failures = row["failures"] >= RULES["failure_rate"] * row["calls"]
        slow = row["slow"] >= RULES["slow_rate"] * row["calls"]
        return row["calls"] > 0 and (failures or slow)

    def acquire(self, now, nonce, want, probes):
        if self.state == "open" and now >= self.due:
            self.become(now, "half_open", "the open time is over")
            self.need = probes
        elif self.state == "half_open" and now - self.since >= RULES["half_open"]:
            self.become(now, "half_open", "nothing came of the last probes")
            self.need = probes
        given = []
        if self.state == "half_open":
            for _ in range(min(want, self.need - self.ok - len(self.tickets))):
                self.fence += 1
                given.append(f"{self.epoch}-{self.fence}-{nonce}")
                self.tickets[given[-1]] = now + RULES["lease"]
        return {"tickets": given} if given else {}

    def take_back(self, nonces):
        self.tickets = {
            ticket: end
            for ticket, end in self.tickets.items()
            if ticket.rpartition("-")[2] not in nonces
        }

    def renew(self, now, ticket):
        held = ticket in self.tickets
        if held:
            self.tickets[ticket] = now + RULES["lease"]
        return {"held": held}

    def release(self, now, ticket, result):
        held = self.tickets.pop(ticket, None) is not None
        if held and result == "failed":
            self.open(now, "it failed")
        elif held and result == "succeeded":
            self.ok += 1
            if self.ok >= self.need:
                self.close(now, "it failed")
        return {"held": held}

    def set_state(self, now, state, clear, age, commanded):
        """``commanded``: when an operator had spoken before the caller's seed was read."""
        if commanded > now - age:
            return {}
        self.become(now, state, "by hand")
        self.opens = self.due = 0
        self.commanded = now - age
        if clear:
            self.rows = {}
        return {}

    def snapshot(self, now):
        half = self.state == "half_open"
        first = min(self.tickets.values(), default=now) - now if half else 0
        return {
            "state": self.state,
            "epoch": self.epoch,
            "opens": self.opens,
            "reason": self.reason,
            "wait": max(0, self.due - now),
            "age": max(0, now - self.since),
            "free": max(0, self.need - self.ok - len(self.tickets)) if half else 0,
            "commanded": now - self.commanded if self.commanded else -1,
            "lease": first,
        }
