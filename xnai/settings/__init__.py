"""Every setting of the program: name, type, default, meaning, in one flat object.

The groups stand in modules of their own. Each field is read from the environment variable
``XNAI_<NAME>`` or from ``.env``; ``docs/settings.md`` has a table of each group, and a test keeps
the two equal.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from xnai.errors import SETTING_INVALID, XnaiError
from xnai.settings import words
from xnai.settings.accounts import AccountSettings
from xnai.settings.answers import AnswerSettings
from xnai.settings.breakers import BreakerSettings
from xnai.settings.documents import DocumentSettings
from xnai.settings.endpoints import EndpointSettings
from xnai.settings.model import ModelSettings
from xnai.settings.observability import ObservabilitySettings
from xnai.settings.retrieval import RetrievalSettings
from xnai.settings.server import ServerSettings

PREFIX = "XNAI_"

# In the order in which docs/settings.md has them.
GROUPS: tuple[type[BaseModel], ...] = (
    ServerSettings,
    ModelSettings,
    EndpointSettings,
    BreakerSettings,
    AnswerSettings,
    DocumentSettings,
    RetrievalSettings,
    AccountSettings,
    ObservabilitySettings,
)


class Settings(
    ServerSettings,
    ModelSettings,
    EndpointSettings,
    BreakerSettings,
    AnswerSettings,
    DocumentSettings,
    RetrievalSettings,
    AccountSettings,
    ObservabilitySettings,
    BaseSettings,
):
    """The settings, frozen after start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    @property
    def sends_keys_in_clear(self) -> bool:
        """Whether keys go over a network with neither TLS nor a proxy that has it."""
        is_private = self.is_loopback or self.tls_cert or self.trusted_proxies
        return bool(self.api_keys) and not is_private

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.host in {"127.0.0.1", "localhost", "::1"} or self.host.startswith("127.")


def load_settings(env_file: Path | None = Path(".env"), **given: Any) -> Settings:
    """Read the settings from the environment and ``.env``; those given come first.

    Raises:
        XnaiError: a value is not of its type or out of its range.

    """
    try:
        return Settings(_env_file=env_file, **given)
    except ValidationError as exc:
        first = exc.errors()[0]
        field = str(first["loc"][0]).lower().removeprefix(PREFIX.lower())
        name = PREFIX + field.upper()
        problem = words.expected(Settings.model_fields.get(field), first["msg"])
        value = words.shown(name, first.get("input"))
        raise XnaiError(SETTING_INVALID, name=name, value=value, problem=problem) from exc


def unknown_variables() -> list[str]:
    """Names of ``XNAI_*`` variables in the environment that no setting has."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
