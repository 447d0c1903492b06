"""Every setting of the program, in one table: name, type, default, meaning.

Each field is read from the environment variable ``XNAI_<NAME>`` or from ``.env``;
``docs/settings.md`` lists the same table and a test keeps the two equal.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from xnai.errors import SETTING_INVALID, XnaiError

PREFIX = "XNAI_"


class Settings(BaseSettings):
    """The settings, frozen after start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Further `Host` names to answer to, comma-separated, without the port."
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Keys that open the HTTP API (`Authorization: Bearer`) and the page (as the "
        "password), comma-separated. Unset: no login, and only loopback is listened on.",
    )
    data_dir: Path = Field(Path("data"), description="Folder for everything the program writes.")
    models_dir: Path = Field(Path("models"), description="Folder of GGUF files to choose from.")
    model: str = Field(
        "",
        description="Path of a GGUF file, or the name of one in the models folder. "
        "Unset: the bundled SmolLM2-135M-Instruct.",
    )
    context: int = Field(
        0, ge=0, description="Context size in tokens. 0: the model's own, at most 8192."
    )
    threads: int = Field(0, ge=0, description="CPU threads for the model. 0: all usable cores.")
    queue_limit: int = Field(
        64, ge=1, description="Questions that may wait for the model; more are refused with 429."
    )
    answer_timeout: float = Field(
        300.0, gt=0, description="Seconds an answer may take in all, waiting included."
    )
    disconnect_grace: float = Field(
        10.0, ge=0, description="Seconds an answer goes on after its reader's page went away."
    )
    temperature: float = Field(0.2, ge=0, le=2, description="Default sampling temperature.")
    max_tokens: int = Field(512, ge=1, description="Default longest answer, in tokens.")
    passages: int = Field(4, ge=1, le=20, description="Default number of passages per question.")
    upload_max_mb: int = Field(100, ge=1, description="Largest file accepted, in megabytes.")
    upload_max_files: int = Field(20, ge=1, description="Most files accepted with one message.")
    documents_max: int = Field(500, ge=1, description="Most documents one owner may keep.")
    document_max_characters: int = Field(
        10_000_000, ge=1, description="Longest text taken from one document, in characters."
    )
    parse_timeout: float = Field(
        300.0, gt=0, description="Seconds a parser may work on one document."
    )
    parse_memory_mb: int = Field(
        2048, ge=512, description="Memory a parser may use for one document, in megabytes."
    )
    log_format: Literal["console", "json"] = Field("console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important level that is logged."
    )

    @field_validator("allowed_hosts", "api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", "models_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.host in {"127.0.0.1", "localhost", "::1"} or self.host.startswith("127.")


def load_settings() -> Settings:
    """Read the settings from the environment and ``.env``.

    Raises:
        XnaiError: a value is not of its type or out of its range.

    """
    try:
        return Settings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = PREFIX + str(first["loc"][0]).removeprefix(PREFIX.lower()).upper()
        raise XnaiError(
            SETTING_INVALID, name=name, value=first.get("input"), problem=first["msg"]
        ) from exc


def unknown_variables() -> list[str]:
    """Names of ``XNAI_*`` variables in the environment that no setting has."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
