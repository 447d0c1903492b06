"""Addresses of Redis, and what comes from there."""

import json

import pytest

from xnai.resilience.redis import wire
from xnai.resilience.redis.address import parse_address


@pytest.mark.parametrize(
    ("url", "kind", "nodes", "options"),
    [
        ("redis://cache", "single", (("cache", 6379),), {}),
        (
            "redis://u:p%40ss@10.0.0.5:7000/3",
            "single",
            (("10.0.0.5", 7000),),
            {"username": "u", "password": "p@ss", "db": 3},
        ),
        ("redis://:secret@[::1]:6380", "single", (("::1", 6380),), {"password": "secret"}),
        (
            "rediss://cache?ssl_ca_certs=/etc/ca.pem",
            "single",
            (("cache", 6379),),
            {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"},
        ),
        ("redis+cluster://a:7000,b:7001", "cluster", (("a", 7000), ("b", 7001)), {}),
        ("redis+sentinel://a,b:26380/main/2", "sentinel", (("a", 26379), ("b", 26380)), {"db": 2}),
        ("unix:///run/redis.sock?db=1", "unix", (), {"db": 1}),
    ],
)
def test_an_address_is_read(url, kind, nodes, options):
    address = parse_address(url)

    assert (kind, nodes, options) == (address.kind, address.nodes, dict(address.options))
    assert "p@ss" not in address.shown
    assert "secret" not in address.shown


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://cache", "begins with one of"),
        ("redis://:secret@", "names a host"),
        ("redis://a,b", "several hosts"),
        ("redis://a:x", "port"),
        ("redis://a:99999", "port"),
        ("redis://a/x", "database"),
        ("redis+sentinel://a", "master's name"),
        ("redis://a?ssl_ca_certs=x", "rediss"),
        ("redis://a?color=red", "'color'"),
        ("unix://:secret@", "socket"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        parse_address(url)
    assert url not in str(caught.value)
    assert "secret" not in str(caught.value)


GOOD = {
    "state": "open",
    "epoch": 3,
    "revision": 7,
    "opens": 1,
    "free": 0,
    "wait": 1500,
    "lease": 0,
    "age": 20,
    "reason": "x",
}


def test_a_snapshot_is_put_into_the_times_of_this_process():
    found = wire.snapshot(GOOD, 100.0)

    assert (101.5, 99.98, (3, 7)) == (found.until, found.since, found.order)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"state": 5},
        {"epoch": -1},
        {"epoch": True},
        {"epoch": 1.5},
        {"epoch": 1e300},
        {"wait": "soon"},
        {"wait": float("nan")},
        {"lease": None},
    ],
)
def test_a_snapshot_that_is_none_is_refused(spoilt):
    with pytest.raises(wire.GarbledReplyError):
        wire.snapshot(GOOD | spoilt, 0.0)


def test_what_a_hostile_server_says_is_bounded():
    found = wire.snapshot(GOOD | {"wait": 1e18, "reason": "\x1b[31m" + "x" * 10_000}, 0.0)

    assert found.until == 86_400
    assert len(found.reason) <= 200
    assert found.reason.isprintable()


def test_a_state_that_a_newer_version_invented_lets_each_replica_protect_itself():
    assert wire.snapshot(GOOD | {"state": "quarantined"}, 0.0).state.value == "closed"


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "[" * 100_000])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(wire.GarbledReplyError):
        wire.parse(text)


def test_a_reply_is_read_whole_from_its_text():
    text = json.dumps(GOOD | {"tickets": ["3-1-n"], "held": True, "asked": 1})

    found = wire.reply(text, 100.0)

    assert found.snapshot == wire.snapshot(GOOD, 100.0)
    assert (found.tickets, found.held, found.empty, found.asked) == (("3-1-n",), True, False, False)


@pytest.mark.parametrize("tickets", ["3-1-n", [1], {"a": "b"}])
def test_tickets_that_are_none_are_not_taken(tickets):
    assert wire.reply(json.dumps(GOOD | {"tickets": tickets}), 0.0).tickets == ()


def test_a_message_is_a_state_or_a_question():
    assert wire.message(json.dumps({"hello": "me"}), 0.0) == wire.StoreQuestion("me")
    assert wire.message(json.dumps(GOOD), 1.0) == wire.snapshot(GOOD, 1.0)
