"""The address of a server of somebody's own, as it is written for the next start."""

import stat
from pathlib import Path

import pytest

from xnai.errors import SETTING_INVALID, XnaiError
from xnai.models import endpoint_choice
from xnai.settings import load_settings

SECRET = "sk-1'\"$HOME#x\\n="


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (endpoint_choice.URL, endpoint_choice.KEY, endpoint_choice.MODEL):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_next_start_reads_what_was_kept_and_only_the_owner_does(folder: Path):
    env = folder / ".env"
    env.write_text("XNAI_PORT=8123\n")
    env.chmod(0o644)
    endpoint_choice.keep(" http://10.0.0.5:11434/v1/ ", SECRET, "llama3.2")
    settings = load_settings()
    assert settings.llm_url == ("http://10.0.0.5:11434",)
    assert settings.llm_api_key.get_secret_value() == SECRET
    assert (settings.llm_model, settings.port) == ("llama3.2", 8123)
    assert mode(env) == 0o600
    assert endpoint_choice.kept() == "http://10.0.0.5:11434"

    endpoint_choice.keep("https://models.example.org", "", "")
    assert load_settings().llm_api_key.get_secret_value() == ""
    assert load_settings().llm_model == ""
    endpoint_choice.forget()
    assert (load_settings().llm_url, load_settings().port) == ((), 8123)
    assert SECRET not in env.read_text()


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("file:///etc/passwd", ""),
        ("http://user:word@10.0.0.5", ""),
        ("http://10.0.0.5\nXNAI_PORT=1", ""),
        ("http://10.0.0.5", "one\nXNAI_PORT=1"),
        ("http://10.0.0.5", "two words"),
        ("http://10.0.0.5", "${HOME}"),
        ("", ""),
    ],
)
def test_what_is_no_address_or_more_than_a_line_is_refused(folder: Path, url: str, key: str):
    with pytest.raises(XnaiError) as refused:
        endpoint_choice.keep(url, key, "")
    assert refused.value.kind is SETTING_INVALID
    assert not key or key not in str(refused.value)
    assert not (folder / ".env").exists()


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch):
    endpoint_choice.keep("http://10.0.0.5", "", "")
    monkeypatch.setenv(endpoint_choice.URL, "http://10.0.0.9")
    assert endpoint_choice.is_overridden()
    assert load_settings().llm_url == ("http://10.0.0.9",)
