import pytest

from xnai.settings import Settings
from xnai.ui.chainlit.origins import same_origin


def allowed(origin: str | None, host: str | None, **settings: object) -> bool:
    check = same_origin(Settings(_env_file=None, **settings))
    return check(origin, {} if host is None else {"HTTP_HOST": host})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://192.168.1.5:8000", "192.168.1.5:8000"),
        ("http://localhost", "localhost:80"),
        ("https://localhost", "localhost"),
    ],
)
def test_the_servers_own_page_may_connect(origin: str, host: str):
    assert allowed(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "127.0.0.1:8000"),
        ("http://evil.example:8000", "evil.example:8000"),  # a name pointed at this machine
        ("http://127.0.0.1:9000", "127.0.0.1:8000"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000.evil.example", "127.0.0.1:8000"),
        ("http://localhost:8000@evil.example", "localhost:8000"),
        ("http://localhost:99999", "localhost:8000"),
        ("file://localhost:8000", "localhost:8000"),
        ("null", "localhost:8000"),
        ("", "localhost:8000"),
        (None, "localhost:8000"),
        ("http://localhost:8000", None),
        ("http://localhost:8000", "localhost:port"),
        ("http://[::1", "localhost:8000"),
    ],
)
def test_any_other_page_may_not(origin: str | None, host: str | None):
    assert not allowed(origin, host)


def test_a_name_from_the_settings_may_connect():
    assert allowed("https://chat.example", "chat.example", allowed_hosts="chat.example")


def test_a_page_of_a_further_host_may_connect_to_an_address():
    assert allowed("https://chat.example", "10.0.0.1:8000", allowed_hosts="chat.example")


def test_a_further_host_does_not_open_the_door_to_unknown_host_names():
    assert not allowed("https://chat.example", "evil.example", allowed_hosts="chat.example")
