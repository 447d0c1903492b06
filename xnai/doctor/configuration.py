"""Check of the settings: whether they are valid, and names that no setting has."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from dotenv import dotenv_values

from xnai.doctor.finding import CheckSubject, Finding, ok, problem, warning
from xnai.errors import XnaiError
from xnai.settings import PREFIX, Settings, load_settings, unknown_variables

AREA = "settings"
ENV_FILE = Path(".env")
_KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}
_SHARED = 0o077  # rights of anybody but the owner


def examine() -> tuple[Settings, tuple[Finding, ...]]:
    """Return the settings, invalid ones replaced by their defaults, and the findings about them."""
    errors: list[Finding] = []
    overrides: dict[str, object] = {}
    env_file: Path | None = ENV_FILE
    while True:
        try:
            settings = load_settings(env_file, **overrides)
        except XnaiError as exc:
            name = str(exc.values["name"])
            errors.append(problem(AREA, exc.message, _correct(name)))
            field = name.removeprefix(PREFIX).lower()
            if field not in Settings.model_fields or field in overrides:
                return Settings.model_construct(), tuple(errors)
            overrides[field] = Settings.model_fields[field].default
        except (OSError, ValueError) as exc:
            text = f"{ENV_FILE.absolute()} cannot be read: {type(exc).__name__}."
            errors.append(problem(AREA, text, f"mv {ENV_FILE} {ENV_FILE}.broken"))
            if env_file is None:
                return Settings.model_construct(), tuple(errors)
            env_file = None
        else:
            return settings, tuple(errors)


def check(subject: CheckSubject) -> Iterator[Finding]:
    """Report what is wrong with the settings, unknown names, and who may read the keys."""
    yield from subject.setting_errors
    in_file = _in_file()
    for name in unknown_variables():
        yield _unknown(name, f"unset {name}")
    for name in sorted(name for name in in_file if name.startswith(PREFIX) and name not in _KNOWN):
        yield _unknown(name, f"sed -i.bak '/^{name}=/d' {ENV_FILE}")
    keys = [name for name in in_file if in_file[name] and "KEY" in name]
    if keys and ENV_FILE.stat().st_mode & _SHARED:
        text = f"{ENV_FILE} holds {', '.join(keys)}, and others on this machine may read it."
        yield warning(AREA, text, f"chmod 600 {ENV_FILE}")
    if not subject.setting_errors:
        count = sum(name in os.environ or name in in_file for name in _KNOWN)
        yield ok(AREA, f"valid; {count} are set, the others have their defaults")


def _in_file() -> dict[str, str | None]:
    try:
        return dict(dotenv_values(ENV_FILE)) if ENV_FILE.is_file() else {}
    except (OSError, ValueError):
        return {}


def _unknown(name: str, command: str) -> Finding:
    close = difflib.get_close_matches(name, _KNOWN, 1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return warning(AREA, f"{name} is set, but there is no such setting.{meant}", command)


def _correct(name: str) -> str:
    return f"unset {name}" if name in os.environ else f"nano {ENV_FILE}"
