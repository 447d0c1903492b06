"""People, their ids and their rights."""

import hashlib
import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from xnai.accounts import PROGRAM, SERVER, People, Principal, may
from xnai.accounts.attempts import Attempts
from xnai.accounts.people import FILE
from xnai.accounts.rights import Owned
from xnai.errors import XnaiError
from xnai.types import Document

ANN, BOB = "key-of-ann-0123456789", "key-of-bob-0123456789"


def document(owner: str) -> Document:
    return Document("d" * 32, owner, "a.txt", "text/plain", 1, "", 1.0)


def test_ids_are_random_and_stay_and_no_key_is_in_the_file(tmp_path: Path):
    first, second = People(tmp_path, [ANN, BOB]), People(tmp_path, [BOB, ANN])
    other = People(tmp_path / "other", [ANN, BOB])
    file = tmp_path / FILE
    ids = {first.of_key(ANN).person_id, first.of_key(BOB).person_id, first.local.person_id}
    assert len(ids) == 3
    assert ids == {who.person_id for who in (*map(second.of_key, (ANN, BOB)), second.local)}
    assert not ids & {other.of_key(ANN).person_id, other.local.person_id}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [key for key in (ANN, BOB) if key in file.read_text()]


def test_only_the_first_key_operates_and_without_keys_the_local_person_does(tmp_path: Path):
    people = People(tmp_path, [ANN, BOB])
    alone = People(tmp_path)
    who = [people.of_key(ANN), people.of_key(BOB), people.local, alone.local]
    assert [may(p, "operate", SERVER) for p in who] == [True, False, False, True]
    assert [may(p, "use", SERVER) for p in who] == [True, True, False, True]


@pytest.mark.parametrize("key", ["", "key", ANN[:-1], f"{ANN} ", f"{ANN},{BOB}", "\ud800"])
def test_a_wrong_key_is_nobodys(tmp_path: Path, key: str):
    assert People(tmp_path, [ANN, BOB]).of_key(key) is None


def test_who_may_not_come_in_any_more_keeps_an_id_and_no_rights(
    tmp_path: Path,
):
    before = People(tmp_path, [ANN]).of_key(ANN)
    now = People(tmp_path, [BOB])
    gone = now.of_id(before.person_id)
    assert (now.knows(before.person_id), gone.scopes) == (True, frozenset())
    assert not may(gone, "use", SERVER)
    assert People(tmp_path, [BOB, ANN]).of_key(ANN).person_id == before.person_id


def test_names_of_earlier_versions_lead_to_the_people_of_now(tmp_path: Path):
    once = "key:" + hashlib.sha256(ANN.encode()).hexdigest()[:16]
    waiting = People(tmp_path)
    before = waiting.id_of_former_name(once)
    ann = People(tmp_path, [ANN])
    assert ann.of_key(ANN).person_id == before == ann.id_of_former_name(once)
    assert ann.id_of_former_name("local") == ann.id_of_former_name("api") == waiting.local.person_id
    assert ann.id_of_former_name(before) == before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 9, "people": []}', "\0", "null"])
def test_a_damaged_file_is_never_replaced(tmp_path: Path, content: str):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(XnaiError, match=r"accounts\.json"):
        People(tmp_path, [ANN])
    assert (tmp_path / FILE).read_text() == content


def _introduce(folder: Path, key: str) -> str:
    return People(folder, [key]).of_key(key).person_id


def test_processes_that_start_at_once_agree(tmp_path: Path):
    keys = [ANN, BOB] * 4
    with multiprocessing.get_context("fork").Pool(4) as pool:
        ids = pool.starmap(_introduce, [(tmp_path, key) for key in keys])
    rows = json.loads((tmp_path / FILE).read_text())["people"]
    assert (len(set(ids)), len(rows)) == (2, 3)


@pytest.mark.parametrize("action", ["see", "change"])
def test_what_is_somebodys_is_theirs_alone_and_what_is_nobodys_is_not_there(action):
    ann, bob, nobody = (Principal(name, "key") for name in ("ann", "bob", ""))
    mine: Owned = document("ann")
    assert [may(who, action, mine) for who in (ann, bob, nobody, PROGRAM)] == [1, 0, 0, 1]
    assert [may(who, action, document("")) for who in (ann, nobody)] == [False, False]


def test_wrong_keys_pause_their_address_for_a_while_and_no_other():
    now, told = [0.0], []
    attempts = Attempts(lambda *of: told.append(of), failures=3, seconds=60, clock=lambda: now[0])
    waits = []
    for _ in range(3):
        waits.append(attempts.record_failure("192.0.2.1"))
        now[0] += 10
    waits += [attempts.record_failure(a) for a in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
    now[0] = 61
    waits.append(attempts.record_failure("192.0.2.1"))
    assert waits == [0.0, 0.0, 0.0, 30.0, 30.0, 0.0, 0.0]
    first = [("192.0.2.1", 0.0)] * 3
    assert told[:5] == [*first, ("192.0.2.1", 40.0), ("192.0.2.2", 0.0)]


def test_one_subscribers_addresses_are_paused_together():
    attempts = Attempts(failures=1)
    attempts.record_failure("2001:db8::1")
    assert attempts.record_failure("2001:db8::2") > 0
    assert attempts.record_failure("2001:db8:0:1::1") == 0.0


def test_the_oldest_of_too_many_addresses_are_forgotten():
    attempts = Attempts(failures=1, addresses=2)
    waits = [attempts.record_failure(f"192.0.2.{n}") > 0 for n in (1, 2, 3, 3, 1, 2)]
    assert waits == [False, False, False, True, False, False]
