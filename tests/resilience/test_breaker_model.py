# ruff: noqa: E501 - a mutant is one line
"""The real script against the reference, and mutants of it that must not get by."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis
from script_machine import ScriptError, machine

from rig.redis_server import RedisServer, binaries
from xnai.resilience.redis.store import SCRIPT

# What a mutant changes, and into what. Each is a mistake that somebody could make.
MUTANTS = {
    "no growth": ("args.growth ^ math.min(c.opens - 1, 64)", "1"),
    "growth without end": ("math.min(grown, args.longest)", "grown"),
    "no jitter": ("args.longest) * args.jitter", "args.longest)"),
    "opens are not counted": ("c.opens = c.opens + 1", ""),
    "opens are never forgotten": ("  c.opens, c.due = 0, 0\nend", "end"),
    "an epoch for two transitions": ("reason, c.epoch + 1, 0, now", "reason, c.epoch, 0, now"),
    "tickets outlive their round": ("redis.call('DEL', tickets)\nend", "end"),
    "leases do not expire": ("redis.call('ZREMRANGEBYSCORE', tickets, '-inf', now)", ""),
    "leases of a clock set back": (
        "redis.call('ZREMRANGEBYSCORE', tickets, now + 2 * args.lease, '+inf')",
        "",
    ),
    "open time of a clock set back": ("not_after('due', now + c.length)", ""),
    "the longest open time of a clock set back": ("not_after('due', now + c.length)", "not_after('due', now + args.longest)"),
    "a round of a clock set back": ("not_after('since', now)", ""),
    "a command of a clock set back": ("not_after('commanded', now)", ""),
    "answers of a clock set back": ("if age < 0 or age > 10", "if age > 10"),
    "one probe too many": ("c.need - c.ok - redis.call('ZCARD', tickets)) do", "c.need - c.ok - redis.call('ZCARD', tickets) + 1) do"),
    "successes give their place back": ("c.need - c.ok - redis.call('ZCARD', tickets)) do", "c.need - redis.call('ZCARD', tickets)) do"),
    "as many probes as there are": ("math.min(args.want or 1, c.need", "math.min(99, c.need"),
    "each replica has a number of its own": ("c.need = of_epoch('round') or args.probes", "c.need = args.probes"),
    "a round without end": ("now - c.since >= args.half_open", "false"),
    "an older command comes last": ("op == 'set' and commanded <= now - (args.age or 0)", "op == 'set'"),
    "a command is always of now": ("c.opens, c.due, c.commanded = 0, 0, now - (args.age or 0)", "c.opens, c.due, c.commanded = 0, 0, now"),
    "who was cut off overrules an operator": ("if c.commanded > heard then", "if false then"),
    "answers do not decide": ("(c.question and silent == 0)", "false"),
    "the first answer decides": ("(c.question and silent == 0)", "c.question"),
    "a question is never too old": ("if c.question and (c.question > now or now - c.question > ASKED) then c.question = nil end", ""),
    "probes before the time": ("now >= c.due then", "true then"),
    "the time is never over": ("now >= c.due then", "now > c.due then"),
    "tickets given twice": ("whole(c.fence) .. '-' .. args.nonce", "whole(c.fence)"),
    "a void ticket counts": ("redis.call('ZREM', tickets, args.ticket) == 1", "true"),
    "a void ticket is renewed": ("reply.held = redis.call('ZSCORE', tickets, args.ticket) and true or false", "reply.held = true"),
    "renewing changes nothing": ("if reply.held then redis.call('ZADD'", "if false then redis.call('ZADD'"),
    "one success closes": ("if c.ok >= c.need then close(args.reason) end", "close(args.reason)"),
    "successes are not counted": ("c.ok = c.ok + 1", ""),
    "a failed probe closes": ("if args.result == 'failed' then\n      open(args.reason)", "if args.result == 'failed' then\n      become('closed', args.reason)"),
    "a returned probe is a success": ("elseif args.result == 'succeeded' then", "else"),
    "lost tickets are kept": ("for _, nonce in ipairs(args.lost or {}) do take_back(nonce) end", ""),
    "a lost ticket takes all others with it": ("redis.call('ZREM', tickets, ticket)\n", "redis.call('DEL', tickets)\n"),
    "an older epoch seeds": ("if seed.epoch <= c.epoch then return end", "if seed.epoch < c.epoch then return end"),
    "nothing seeds": ("if args.seed then reseed(args.seed) end", ""),
    "a seed forgets the open time": ("c.due, c.since, c.ok = now + seed.wait", "c.due, c.since, c.ok = now"),
    "a seeded round keeps its state": ("if c.state == 'half_open' then become('open', c.reason) end", ""),
    "seeding keeps tickets": ("  redis.call('DEL', tickets)\n  if c.state == 'half_open'", "  if c.state == 'half_open'"),
    "a seed has no revision": ("seed.epoch, seed.revision, seed.state", "seed.epoch, 0, seed.state"),
    "rows of an old epoch count": ("if other.epoch == c.epoch and is_sick(other) then", "if is_sick(other) then"),
    "posts of an old epoch are judged": ("c.state == 'closed' and args.row.epoch == c.epoch", "c.state == 'closed'"),
    "posts are judged in every state": ("c.state == 'closed' and args.row.epoch == c.epoch", "args.row.epoch == c.epoch"),
    "half is a quorum": ("sick > active * args.quorum", "sick >= active * args.quorum"),
    "one is a quorum": ("sick > active * args.quorum", "sick > 0"),
    "long calls have no say": ("other.calls > 0 or other.running > 0 or", "other.calls > 0 or"),
    "idle replicas have a say": ("if calling and (heard or age <= BUSY) then", "if heard or age <= BUSY then"),
    "the dead have a say": ("(heard or age <= BUSY)", "true"),
    "nobody is asked": ("if row.edge and unheard > 0 and not row.final then", "if false then"),
    "all are asked for ever": ("unheard > 0 and not row.final", "unheard > 0"),
    "old news is an answer": ("other.epoch == c.epoch and age <= HEARD", "other.epoch == c.epoch"),
    "the lone one gets its way": ("(sick > 1 and calls", "(sick > 0 and calls"),
    "few calls suffice": ("calls >= args.min_calls))", "calls > 0))"),
    "votes are not sick": ("if row.vote == 1 then return true end", ""),
    "slowness is no sickness": ("or row.slow / row.calls >= args.slow_rate", ""),
    "failures are no sickness": ("row.failures / row.calls >= args.failure_rate", "false"),
    "a reset keeps the rows": ("if args.clear then redis.call('DEL', rows) end", ""),
    "a command keeps the growth": ("c.opens, c.due, c.commanded = 0, 0, now", "c.commanded = now"),
    "an empty store says nothing": ("reply.empty = true", ""),
}  # fmt: skip
# Not among them, since no sequence of events tells them apart: a row that is older than ten times
# `active` but not deleted (it is not counted either); PEXPIRE of the rows (the same); a snapshot
# published twice.

EXAMPLES, STEPS = 150, 20


@pytest.fixture(scope="module", params=sorted(binaries()))
def client(request, tmp_path_factory):
    server = RedisServer(binaries()[request.param], tmp_path_factory.mktemp("model")).start()
    with Redis(unix_socket_path=server.socket) as connected:
        yield connected
    server.stop()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    server = RedisServer(binaries()["valkey"], tmp_path_factory.mktemp("mutants")).start()
    with Redis(unix_socket_path=server.socket) as connected:
        yield connected
    server.stop()


def plan(examples, steps):
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )


def test_the_script_does_what_the_reference_does(client):
    run_state_machine_as_test(machine(SCRIPT, client), settings=plan(EXAMPLES, STEPS))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_out(valkey, name):
    old, new = MUTANTS[name]
    assert SCRIPT.count(old) == 1, "the script has changed: write the mutant anew"

    with pytest.raises(ScriptError):
        run_state_machine_as_test(
            machine(SCRIPT.replace(old, new), valkey), settings=plan(4 * EXAMPLES, STEPS)
        )
