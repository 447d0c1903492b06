"""The addresses and the key of model endpoints."""

import pytest

from xnai.errors import XnaiError
from xnai.llm.fallback import FallbackModel
from xnai.llm.guarded import GuardedModel
from xnai.llm.remote.router import Router
from xnai.runtime import Runtime
from xnai.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)


def test_addresses_are_brought_into_one_form_and_named_once(monkeypatch):
    monkeypatch.setenv("XNAI_LLM_URL", "http://a:1/v1/, https://b.example/x/v1 ,http://a:1")
    assert load_settings().llm_url == ("http://a:1", "https://b.example/x")


@pytest.mark.parametrize(
    "address",
    [
        *("http://u:hush@a:1", "http://a:1?key=hush", "http://u:hu/sh@a", "a:1", "ftp://a"),
        *("http://", "http://a:99999", "http://a#hush", "http://ok:1,http://u:hush@a"),
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_its_secrets(monkeypatch, address):
    monkeypatch.setenv("XNAI_LLM_URL", address)
    with pytest.raises(XnaiError, match="XNAI_LLM_URL") as caught:
        load_settings()
    assert "hush@" not in str(caught.value)
    assert "=hush" not in str(caught.value)
    assert "hu/sh" not in str(caught.value)


@pytest.mark.parametrize("key", ["a b", "ключ", "a\nb"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(monkeypatch, key):
    monkeypatch.setenv("XNAI_LLM_API_KEY", key)
    with pytest.raises(XnaiError, match="XNAI_LLM_API_KEY") as caught:
        load_settings()
    assert key not in str(caught.value)


def test_addresses_take_the_place_of_the_local_engine(tmp_path):
    remote = Runtime(Settings(_env_file=None, data_dir=tmp_path, llm_url=("http://127.0.0.1:9",)))
    local = Runtime(Settings(_env_file=None, data_dir=tmp_path))
    behind = [[breaker.name for breaker in one.breakers] for one in (remote, local)]
    assert behind == [["embedder", "index", "endpoint:127.0.0.1:9"], ["embedder", "index", "model"]]
    assert (type(remote.model), type(local.model)) == (Router, GuardedModel)


def test_the_local_engine_can_stand_in_for_the_addresses(tmp_path):
    urls = ("http://127.0.0.1:9",)
    settings = Settings(_env_file=None, data_dir=tmp_path, llm_url=urls, llm_fallback=True)
    runtime = Runtime(settings)
    assert isinstance(runtime.model, FallbackModel)
    assert runtime.breakers.get("model") is not None


@pytest.mark.parametrize("url", ["http://:secret@cache", "redis://:secret@a,b"])
def test_a_redis_that_is_none_is_refused_without_showing_it(tmp_path, url):
    with pytest.raises(XnaiError, match="XNAI_REDIS_URL") as caught:
        Runtime(Settings(_env_file=None, data_dir=tmp_path, redis_url=url))
    assert "secret" not in str(caught.value)
