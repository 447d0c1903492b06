import os
import re

import pytest
from paths import ROOT

from xnai.cli import settings_reference
from xnai.errors import XnaiError
from xnai.settings import GROUPS, PREFIX, Settings, load_settings, unknown_variables

DOCS = ROOT / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder without .env and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    return tmp_path


def documented():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {cell[0].strip("`"): tuple(cell[1:]) for cell in cells}


def test_the_page_lists_exactly_the_settings_there_are():
    assert set(documented()) == {PREFIX + name.upper() for name in Settings.model_fields}


def test_every_setting_stands_in_one_group():
    names = [name for group in GROUPS for name in group.model_fields]
    assert sorted(Settings.model_fields) == sorted(names)


def test_type_default_and_meaning_of_the_page_are_those_of_the_code():
    assert documented() == {name: (kind, d, m) for name, kind, d, m in settings_reference.rows()}


def test_the_page_is_what_the_script_writes():
    assert DOCS.read_text(encoding="utf-8") == settings_reference.page(), (
        "python -m xnai.cli.settings_reference > docs/settings.md"
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_means(name):
    description = Settings.model_fields[name].description
    assert description is not None
    assert description.endswith(".")


def test_a_value_comes_from_the_environment_before_the_env_file(nowhere, monkeypatch):
    (nowhere / ".env").write_text("XNAI_PORT=9001\nXNAI_HOST=localhost\nOTHER=1\n")
    monkeypatch.setenv("XNAI_PORT", "9002")
    assert (load_settings().port, load_settings().host) == (9002, "localhost")


def test_an_empty_value_counts_as_unset(monkeypatch):
    monkeypatch.setenv("XNAI_PORT", "")
    assert load_settings().port == 8000


def test_lists_are_split_at_commas(monkeypatch):
    monkeypatch.setenv("XNAI_ALLOWED_HOSTS", " a.lan ,b.lan,, ")
    assert load_settings().allowed_hosts == ("a.lan", "b.lan")


BAD_VALUES = [
    ("XNAI_PORT", "eighty", "a whole number from 1 to 65,535"),
    ("XNAI_PORT", "70000", "a whole number from 1 to 65,535"),
    ("XNAI_TEMPERATURE", "-1", "a number from 0 to 2."),
    ("XNAI_LOG_FORMAT", "xml", "it has to be 'console' or 'json'."),
    ("XNAI_ANSWER_TIMEOUT", "0", "a number above 0 and at most 86,400."),
    ("XNAI_HOST", "http://x/", "a host is a name or an IP address, like"),
    ("XNAI_ALLOWED_HOSTS", "http://x/", "a host is a name or an IP address, like"),
    ("XNAI_DATA_DIR", "http://x/", "a file or folder of this machine is expected"),
    ("XNAI_MODELS_DIR", "s3://x/", "a file or folder of this machine is expected"),
    ("XNAI_MODEL", "http://x/", "a file or folder of this machine is expected"),
    ("XNAI_EMBEDDER", "http://x/", "a file or folder of this machine is expected"),
    ("XNAI_AUDIT_LOG", "http://x/", "a file or folder of this machine is expected"),
    ("XNAI_ENGINE_BUILD", "fastest", "it has to be '', 'native', 'native-no-amx', 'avx2'"),
    ("XNAI_GPU_LAYERS", "all", "it has to be auto or a whole number from 0 to 9,999."),
    ("XNAI_GPU_LAYERS", "-1", "it has to be auto or a whole number from 0 to 9,999."),
    ("XNAI_GPU_LAYERS", "10000", "it has to be auto or a whole number from 0 to 9,999."),
    ("XNAI_GPU_LAYERS", "\u0663", "it has to be auto or a whole number from 0 to 9,999."),
]


def refusal():
    with pytest.raises(XnaiError) as caught:
        load_settings()
    assert caught.value.code == "setting_invalid"
    return caught.value.message


@pytest.mark.parametrize(("name", "value", "expected"), BAD_VALUES)
def test_a_bad_value_names_variable_value_and_expectation(monkeypatch, name, value, expected):
    monkeypatch.setenv(name, value)
    message = refusal()
    assert f"{name}={value!r}" in message
    assert expected in message


@pytest.mark.parametrize(("name", "value", "expected"), BAD_VALUES)
def test_a_bad_value_in_the_env_file_is_named_in_the_same_way(nowhere, name, value, expected):
    (nowhere / ".env").write_text(f"{name}={value}\n")
    message = refusal()
    assert f"{name}={value!r}" in message
    assert expected in message


NUMBERS = [
    name for name, field in Settings.model_fields.items() if field.annotation in {int, float}
]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e20", str(10**20), "-1e9", "many"])
@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_is_endless_and_the_refusal_says_which_are_taken(monkeypatch, name, value):
    monkeypatch.setenv(f"XNAI_{name.upper()}", value)
    message = refusal()
    assert f"XNAI_{name.upper()}={value!r} is not valid: it has to be a" in message
    assert re.search(r"(from [\d,.]+ to|above 0 and at most) [\d,.]+\.$", message)


def test_a_long_value_is_shortened(monkeypatch):
    monkeypatch.setenv("XNAI_PORT", "x" * 5000)
    assert len(refusal()) < 200


def test_api_keys_are_not_shown_when_settings_are_printed(monkeypatch):
    monkeypatch.setenv("XNAI_API_KEYS", "open-sesame-of-tests")
    settings = load_settings()
    assert "open-sesame-of-tests" not in repr(settings)
    assert [key.get_secret_value() for key in settings.api_keys] == ["open-sesame-of-tests"]


def test_variables_that_no_setting_has_are_found(monkeypatch):
    monkeypatch.setenv("XNAI_PROT", "8000")
    assert unknown_variables() == ["XNAI_PROT"]
