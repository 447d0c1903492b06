import os
import stat
from pathlib import Path

import chainlit.auth as chainlit_auth
import pytest
from chainlit.config import config
from chainlit.user import User
from fastapi import HTTPException
from starlette.requests import Request

from xnai.accounts import People, Principal, acting
from xnai.accounts.sqlite.sessions import FILE, MOST
from xnai.settings import Settings
from xnai.ui import auth
from xnai.ui.auth import load_secret, page_person

FIRST, SECOND = "first-key-of-the-tests", "second-key-of-the-tests"


@pytest.fixture(autouse=True)
def chainlit_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(auth.SECRET_VARIABLE, "s" * 64)
    for owner, name in (
        (chainlit_auth, "decode_jwt"),
        (chainlit_auth, "authenticate_user"),
        (config.code, "password_auth_callback"),
        (config.code, "header_auth_callback"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))


def install(folder: Path, keys: str = "") -> People:
    settings = Settings(_env_file=None, api_keys=keys, data_dir=folder)
    people = People.of(settings)
    auth.install_auth(settings, people)
    return people


def token_of(person: Principal, seconds: float = 60) -> str:
    session_id = auth.sessions().create(person.person_id, seconds)
    return auth.token_of(auth.user_of(person), session_id, seconds)


def request(token: str = "") -> Request:
    headers = [(b"cookie", f"access_token={token}".encode())] if token else []
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("keys", ["", FIRST])
def test_the_page_asks_for_a_form_where_there_are_keys(tmp_path: Path, keys: str):
    people = install(tmp_path, keys)
    form, none = config.code.password_auth_callback, config.code.header_auth_callback
    assert (bool(form), bool(none), people.have_keys) == (bool(keys), not keys, bool(keys))


def test_a_valid_cookie_is_the_pages_user(tmp_path: Path):
    people = install(tmp_path)
    token = token_of(people.local)
    assert page_person(request(token)) == people.local


def test_a_cookie_of_a_key_that_was_taken_back_is_refused(tmp_path: Path):
    first = install(tmp_path, FIRST).of_key(FIRST)
    token = token_of(first)
    before = page_person(request(token))
    install(tmp_path, SECOND)
    assert (before, page_person(request(token))) == (first, None)


async def test_chainlit_itself_refuses_a_cookie_of_a_key_that_was_taken_back(tmp_path: Path):
    first = install(tmp_path, FIRST).of_key(FIRST)
    token = token_of(first)
    install(tmp_path, SECOND)
    with pytest.raises(HTTPException) as refused:
        await chainlit_auth.get_current_user(token)
    assert refused.value.status_code == 401


async def test_who_is_served_is_known_to_the_history(tmp_path: Path):
    local = install(tmp_path).local
    token = token_of(local)
    await chainlit_auth.get_current_user(token)
    assert acting.get() == local


def test_a_cookie_whose_session_ended_or_is_over_or_never_was_is_refused(tmp_path: Path):
    local = install(tmp_path).local
    user = auth.user_of(local)
    ended, over, never = token_of(local), token_of(local, -1), auth.token_of(user, "x", 60)
    without = chainlit_auth.create_jwt(User(identifier=local.person_id))
    again = request(ended)
    assert page_person(again) == local
    auth.sessions().revoke(auth.session_of(ended) or "")
    assert [page_person(request(t)) for t in (ended, over, never, without)] == [None] * 4


def test_the_session_of_one_person_is_not_anothers(tmp_path: Path):
    people = install(tmp_path, f"{FIRST},{SECOND}")
    first, second = map(people.of_key, (FIRST, SECOND))
    session_id = auth.sessions().create(first.person_id, 60)
    assert page_person(request(auth.token_of(auth.user_of(second), session_id, 60))) is None


def test_sessions_outlive_a_restart_and_a_damaged_file_signs_everybody_out(tmp_path: Path):
    local = install(tmp_path).local
    token = token_of(local)
    install(tmp_path)
    kept = page_person(request(token))
    auth.sessions().close()
    (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
    install(tmp_path)
    assert (kept, page_person(request(token))) == (local, None)
    assert page_person(request(token_of(local))) == local


@pytest.mark.slow
def test_a_person_has_so_many_sessions_and_the_oldest_ends_first(tmp_path: Path):
    local = install(tmp_path).local
    tokens = [token_of(local, 60 + number) for number in range(MOST + 2)]
    kept = [page_person(request(token)) is not None for token in tokens]
    assert kept == [False] * 2 + [True] * MOST


def test_a_session_that_cannot_be_written_lasts_while_the_process_does(tmp_path: Path):
    local = install(tmp_path).local
    kept = token_of(local)
    auth.sessions()._writer.execute("PRAGMA query_only = ON")
    token = token_of(local)
    assert page_person(request(token)) == local
    for one in (token, kept):
        auth.sessions().revoke(auth.session_of(one) or "")
        assert page_person(request(one)) is None


def test_a_cookie_signed_with_another_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    local = install(tmp_path).local
    token = token_of(local)
    monkeypatch.setenv(auth.SECRET_VARIABLE, "t" * 64)
    assert not page_person(request(token))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30."])
def test_no_cookie_and_nonsense_are_nobody(tmp_path: Path, token: str):
    install(tmp_path)
    assert not page_person(request(token))


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path):
    first, second = load_secret(tmp_path), load_secret(tmp_path)
    mode = stat.S_IMODE((tmp_path / auth.SECRET_FILE).stat().st_mode)
    assert (first, 0o600) == (second, mode)
    assert len(first) >= 64
    assert [path.name for path in tmp_path.iterdir()] == [auth.SECRET_FILE]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe" * 50, "ä".encode() * 50])
def test_a_damaged_secret_is_replaced(tmp_path: Path, content: bytes):
    (tmp_path / auth.SECRET_FILE).write_bytes(content)
    assert len(load_secret(tmp_path)) >= 64


def test_a_secret_from_the_environment_wins(tmp_path: Path):
    install(tmp_path)
    assert os.environ[auth.SECRET_VARIABLE] == "s" * 64
    assert not (tmp_path / auth.SECRET_FILE).exists()
