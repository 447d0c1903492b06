"""Makes a server of somebody's own the place that answers come from, from the next start on.

The choice goes into ``.env``, as that of a model does (see ``choice.py``), which only its owner may
read from then on: a key stands in it. What the environment says comes before it.
"""

import os
from pathlib import Path

from dotenv import dotenv_values, set_key, unset_key

from xnai.errors import SETTING_INVALID, XnaiError
from xnai.models.choice import ENV_FILE
from xnai.settings import PREFIX, load_settings
from xnai.settings.words import endpoint

URL, KEY, MODEL = (f"{PREFIX}{name}" for name in ("LLM_URL", "LLM_API_KEY", "LLM_MODEL"))
_LONGEST = 2000  # characters of a value
_OWNER_ONLY = 0o600


def address_of(url: str) -> str:
    """Return the address of a server as the settings have it.

    Raises:
        XnaiError: SETTING_INVALID, it is none.

    """
    try:
        return endpoint(_one_line(URL, url))
    except ValueError as exc:
        raise XnaiError(SETTING_INVALID, name=URL, value=url[:100], problem=str(exc)) from exc


def is_overridden() -> bool:
    """Whether the environment names an address, which comes before what is written."""
    return bool(os.environ.get(URL))


def kept() -> str:
    """Return the address that is written for the next start; empty if there is none."""
    return dotenv_values(ENV_FILE).get(URL) or ""


def keep(url: str, key: str, model: str) -> None:
    """Have the next starts ask the server at an address.

    Raises:
        XnaiError: a value cannot be kept, or .env cannot be written.

    """
    values = {URL: address_of(url), KEY: _one_line(KEY, key), MODEL: _one_line(MODEL, model)}
    # What the next start could not read would keep the server from starting.
    load_settings(None, llm_url=(values[URL],), llm_api_key=values[KEY], llm_model=values[MODEL])
    try:
        ENV_FILE.touch(mode=_OWNER_ONLY)
        _close(ENV_FILE)
        for name, value in values.items():
            if value:
                set_key(ENV_FILE, name, value, quote_mode="always", follow_symlinks=True)
            else:
                _unset(name)
        _close(ENV_FILE)
    except OSError as exc:
        raise _unwritten(URL, exc) from exc


def forget() -> None:
    """Have the next starts answer with their own model.

    Raises:
        XnaiError: .env cannot be written.

    """
    try:
        for name in (URL, KEY, MODEL):
            _unset(name)
    except OSError as exc:
        raise _unwritten(URL, exc) from exc


def _unset(name: str) -> None:
    if name in dotenv_values(ENV_FILE):
        unset_key(ENV_FILE, name, follow_symlinks=True)


def _close(path: Path) -> None:
    """Let nobody but its owner read a file; what it is a link to is meant."""
    path.chmod(_OWNER_ONLY)


def _one_line(name: str, value: str) -> str:
    words = value.strip()
    # "${" would be replaced by what a variable says.
    if len(words) > _LONGEST or not words.isprintable() or "${" in words:
        shown = "***" if name == KEY else words[:100]
        problem = f"it is one line of at most {_LONGEST:,} characters, without ${{"
        raise XnaiError(SETTING_INVALID, name=name, value=shown, problem=problem)
    return words


def _unwritten(name: str, exc: OSError) -> XnaiError:
    problem = f"{ENV_FILE.absolute()} cannot be changed ({type(exc).__name__})"
    return XnaiError(SETTING_INVALID, name=name, value="", problem=problem)
