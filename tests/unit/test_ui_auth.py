import os
import stat
from pathlib import Path

import chainlit.auth as chainlit_auth
import pytest
from chainlit.config import config
from chainlit.user import User
from fastapi import HTTPException
from starlette.requests import Request

from xnai.settings import Settings
from xnai.ui import auth
from xnai.ui.auth import LoginLimiter, key_identifier, load_secret, page_identifier, page_user


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


def install(folder: Path, keys: str = "") -> None:
    auth.install_auth(Settings(_env_file=None, api_keys=keys), folder)


def request(token: str = "") -> Request:
    headers = [(b"cookie", f"access_token={token}".encode())] if token else []
    return Request({"type": "http", "headers": headers})


async def test_without_keys_everybody_is_the_local_user(tmp_path: Path):
    install(tmp_path)
    user = await config.code.header_auth_callback({})
    assert (user.identifier, config.code.password_auth_callback) == ("local", None)


async def test_with_keys_each_key_is_a_user_of_its_own_and_its_text_is_no_name(tmp_path: Path):
    install(tmp_path, "first,second")
    users = [await config.code.password_auth_callback("x", key) for key in ("first", "second")]
    expected = [key_identifier("first"), key_identifier("second")]
    assert expected == [user.identifier for user in users]
    assert len(set(expected)) == 2
    assert config.code.header_auth_callback is None


@pytest.mark.parametrize("password", ["", "firs", "first ", "first,second", "fïrst"])
async def test_a_wrong_key_is_nobody(tmp_path: Path, password: str):
    install(tmp_path, "first,second")
    assert await config.code.password_auth_callback("first", password) is None


def test_a_valid_cookie_is_the_pages_user(tmp_path: Path):
    install(tmp_path)
    token = chainlit_auth.create_jwt(User(identifier="local"))
    assert page_identifier(request(token)) == "local"


def test_a_cookie_of_a_key_that_was_taken_back_is_refused(tmp_path: Path):
    install(tmp_path, "first")
    token = chainlit_auth.create_jwt(User(identifier=key_identifier("first")))
    before = page_user(request(token))
    install(tmp_path, "second")
    assert (before, page_user(request(token))) == (True, False)


async def test_chainlit_itself_refuses_a_cookie_of_a_key_that_was_taken_back(tmp_path: Path):
    token = chainlit_auth.create_jwt(User(identifier=key_identifier("first")))
    install(tmp_path, "second")
    with pytest.raises(HTTPException) as refused:
        await chainlit_auth.get_current_user(token)
    assert refused.value.status_code == 401


async def test_who_is_served_is_known_to_the_history(tmp_path: Path):
    install(tmp_path)
    await chainlit_auth.get_current_user(chainlit_auth.create_jwt(User(identifier="local")))
    assert auth.acting_user.get() == "local"


def test_a_cookie_signed_with_another_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install(tmp_path)
    token = chainlit_auth.create_jwt(User(identifier="local"))
    monkeypatch.setenv(auth.SECRET_VARIABLE, "t" * 64)
    assert not page_user(request(token))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30."])
def test_no_cookie_and_nonsense_are_nobody(tmp_path: Path, token: str):
    install(tmp_path)
    assert not page_user(request(token))


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path):
    first, second = load_secret(tmp_path), load_secret(tmp_path)
    mode = stat.S_IMODE((tmp_path / auth.SECRET_FILE).stat().st_mode)
    assert (first, 0o600) == (second, mode)
    assert len(first) >= 64
    assert [path.name for path in tmp_path.iterdir()] == [auth.SECRET_FILE]


def test_a_damaged_secret_is_replaced(tmp_path: Path):
    (tmp_path / auth.SECRET_FILE).write_text("short")
    assert len(load_secret(tmp_path)) >= 64


def test_a_secret_from_the_environment_wins(tmp_path: Path):
    install(tmp_path)
    assert (os.environ[auth.SECRET_VARIABLE], []) == ("s" * 64, list(tmp_path.iterdir()))


def test_failed_sign_ins_lock_their_address_for_a_while_and_no_other():
    now = [0.0]
    limiter = LoginLimiter(failures=3, seconds=60, clock=lambda: now[0])
    waits = []
    for _ in range(3):
        waits.append(limiter.wait("a"))
        limiter.failed("a")
        now[0] += 10
    waits += [limiter.wait("a"), limiter.wait("b")]
    now[0] = 60
    waits.append(limiter.wait("a"))
    assert waits == [0.0, 0.0, 0.0, 30.0, 0.0, 0.0]


def test_a_success_forgets_the_failures():
    limiter = LoginLimiter(failures=1)
    limiter.failed("a")
    limiter.succeeded("a")
    assert limiter.wait("a") == 0.0


def test_the_limiter_forgets_the_oldest_of_too_many_addresses():
    limiter = LoginLimiter(failures=1, addresses=2)
    for address in ("a", "b", "c"):
        limiter.failed(address)
    assert [limiter.wait(a) > 0 for a in ("a", "b", "c")] == [False, True, True]
