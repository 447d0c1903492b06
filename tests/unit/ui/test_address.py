import sys
from types import SimpleNamespace
from typing import Any

import pytest
from chainlit.config import config

from xnai.errors import XnaiError
from xnai.settings import Settings
from xnai.ui.chainlit import address
from xnai.ui.chainlit.address import ListenAddress, effective_address


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHAINLIT_HOST", "CHAINLIT_PORT"):
        monkeypatch.delenv(name, raising=False)


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_the_settings_say_where_to_listen():
    assert ListenAddress("127.0.0.2", 9000) == effective_address(
        settings(host="127.0.0.2", port=9000)
    )


def test_chainlits_own_options_win(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAINLIT_HOST", "localhost")
    monkeypatch.setenv("CHAINLIT_PORT", "9001")
    assert ListenAddress("localhost", 9001) == effective_address(
        settings(host="127.0.0.2", port=9000)
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "chat.example"])
@pytest.mark.parametrize("given", ["XNAI_HOST", "CHAINLIT_HOST"])
def test_other_machines_are_let_in_with_a_key_only(
    monkeypatch: pytest.MonkeyPatch, host: str, given: str
):
    values: dict[str, Any] = {"host": host} if given == "XNAI_HOST" else {}
    if not values:
        monkeypatch.setenv(given, host)
    with pytest.raises(XnaiError) as refused:
        effective_address(settings(**values))
    assert refused.value.code == "exposed_without_keys"
    assert host == effective_address(settings(**values, api_keys="a-key-of-the-tests")).host


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "8000.0", "²"])
def test_a_port_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, port: str):
    monkeypatch.setenv("CHAINLIT_PORT", port)
    with pytest.raises(XnaiError, match="CHAINLIT_PORT"):
        effective_address(settings())


def test_chainlits_command_gets_the_address_and_the_printed_one_agrees(
    monkeypatch: pytest.MonkeyPatch,
):
    uvicorn = SimpleNamespace(Config=lambda app, **options: (app, options), Server="server")
    cli = SimpleNamespace(uvicorn=uvicorn)
    monkeypatch.setitem(sys.modules, "chainlit.cli", cli)
    monkeypatch.setattr(config.run, "host", "old")
    monkeypatch.setattr(config.run, "port", 1)
    for _ in range(2):
        address.install(settings(host="127.0.0.2", port=9000))
    made = cli.uvicorn.Config("app", host="old", port=1, ws="auto")
    assert made == ("app", {"host": "127.0.0.2", "port": 9000, "ws": "auto"})
    assert (
        cli.uvicorn.Server,
        config.run.host,
        config.run.port,
    ) == ("server", "127.0.0.2", 9000)
