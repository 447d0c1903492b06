"""Every setting of the program, in one table: name, type, default, meaning.

Each field is read from the environment variable ``XNAI_<NAME>`` or from ``.env``;
``docs/settings.md`` lists the same table and a test keeps the two equal.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from xnai.errors import SETTING_INVALID, XnaiError

PREFIX = "XNAI_"
_SECRET = re.compile(r"//\S*@|\?\S*")  # in an address: user and password, and the query


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
        "password), comma-separated; only the first may set circuit breakers by hand. Unset: no "
        "login, and only loopback is listened on.",
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
    slots: int = Field(
        0, ge=0, le=64, description="Answers generated at the same time. 0: by cores and memory."
    )
    threads: int = Field(0, ge=0, description="CPU threads for the model. 0: all usable cores.")
    drafting: bool = Field(
        default=True,
        description="Guess tokens that repeat prompt or answer, where that is measured to be "
        "faster. The text stays what it would be.",
    )
    idle_unload: float = Field(
        0.0,
        ge=0,
        description="Seconds without a question after which the model's memory is given back; the "
        "next question loads it again. 0: never.",
    )
    llm_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Base addresses of OpenAI-compatible servers (vLLM, llama-server, another "
        "XNAi) that generate the answers in place of the local engine, comma-separated, e.g. "
        "`http://10.0.0.5:8080`. Questions and passages are sent there.",
    )
    llm_api_key: SecretStr = Field(
        SecretStr(""), description="Key that is sent to every address of `XNAI_LLM_URL`."
    )
    llm_model: str = Field(
        "", description="Model to ask for at `XNAI_LLM_URL`. Unset: the default of each server."
    )
    llm_context: int = Field(
        0,
        ge=0,
        description="Context of the model at `XNAI_LLM_URL` in tokens. 0: what the server says, "
        "4096 if it says nothing (2048 for llama_cpp.server, as that is its default).",
    )
    llm_connect_timeout: float = Field(
        5.0, gt=0, description="Seconds to wait for a connection to a server of `XNAI_LLM_URL`."
    )
    llm_first_token_timeout: float = Field(
        120.0,
        gt=0,
        description="Seconds to wait for the first text from a server of `XNAI_LLM_URL`; anew "
        "whenever it tells the place in its line.",
    )
    llm_token_timeout: float = Field(
        60.0, gt=0, description="Seconds between two pieces of text from there."
    )
    llm_fallback: bool = Field(
        default=False,
        description="Answer with the local engine while no server of `XNAI_LLM_URL` can; the "
        "engine is compiled and its model loaded for that.",
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Where several replicas of this server share what they know of the servers of "
        "`XNAI_LLM_URL`: `redis://[user:password@]host[:port][/db]` (`rediss` for TLS, "
        "`unix:///path`, `redis+sentinel://host,…/service`, `redis+cluster://host,…`). "
        "Unset: each replica finds out for itself.",
    )
    breaker_failures: int = Field(
        5, ge=1, description="Failures in a row after which a part is not asked for a while."
    )
    breaker_failure_rate: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of failures, of at least 10 calls within 30 seconds, after which a part "
        "is not asked for a while.",
    )
    breaker_open_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="Seconds that it is not asked; doubled with each attempt that fails, up to "
        "two minutes.",
    )
    queue_limit: int = Field(
        64, ge=1, description="Questions that may wait for the model; more are refused with 429."
    )
    answer_timeout: float = Field(
        300.0, gt=0, description="Seconds an answer may take in all, waiting included."
    )
    disconnect_grace: float = Field(
        10.0, ge=0, description="Seconds an answer goes on after its reader's page went away."
    )
    drain_seconds: float = Field(
        15.0,
        ge=0,
        le=18,
        description="Seconds that answers may go on after the server was told to stop (SIGTERM).",
    )
    slow_client_seconds: float = Field(
        15.0,
        gt=0,
        description="Seconds a client may take nothing of what is sent to it; then it is cut off.",
    )
    session_timeout: float = Field(
        3600.0,
        gt=0,
        description="Seconds a page that went away can come back to the same session.",
    )
    temperature: float = Field(0.2, ge=0, le=2, description="Default sampling temperature.")
    max_tokens: int = Field(512, ge=1, description="Default longest answer, in tokens.")
    passages: int = Field(4, ge=1, le=20, description="Default number of passages per question.")
    embedder: str = Field(
        "",
        description="Folder of another embedding model (model.onnx, tokenizer.json, config.json). "
        "Documents are embedded anew in the background, and searched as before until then. Unset: "
        "the bundled all-MiniLM-L6-v2.",
    )
    reranker: str = Field(
        "",
        description="Folder of a cross-encoder (model.onnx, tokenizer.json, config.json) that "
        "ranks the best passages. Unset: late interaction with the embedding model.",
    )
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
    audit: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Note who asked, when, of which documents and how it ended, a JSON line each. "
        "`auto`: if `XNAI_API_KEYS` is set, since others ask then, or another audit setting.",
    )
    audit_log: str = Field(
        "", description="File of the audit log. Unset: `audit.jsonl` in the data folder."
    )
    audit_content: bool = Field(
        default=False,
        description="Keep questions, answers and the names of files in the audit log, too.",
    )
    audit_max_mb: int = Field(
        10, ge=1, description="Size in megabytes at which a new audit log is begun."
    )
    audit_files: int = Field(
        5, ge=0, le=1000, description="Earlier audit logs that are kept, as `audit.jsonl.1` and on."
    )
    log_format: Literal["console", "json"] = Field("console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important level that is logged."
    )

    @field_validator("allowed_hosts", "api_keys", "llm_url", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("llm_url")
    @classmethod
    def _endpoints(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_endpoint(url) for url in urls))

    @field_validator("llm_api_key")
    @classmethod
    def _sendable(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]*", key.get_secret_value()):
            raise ValueError("a key has ASCII letters, digits and signs, no spaces")
        return key

    @field_validator("data_dir", "models_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.host in {"127.0.0.1", "localhost", "::1"} or self.host.startswith("127.")


def _endpoint(url: str) -> str:
    """The address that ``/v1/...`` is put behind."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an address is like http://10.0.0.5:8080 or https://models.example.org")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("an address is without user, password, query and fragment")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("a port is a number from 0 to 65535") from None
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def load_settings(env_file: Path | None = Path(".env"), **given: Any) -> Settings:
    """Read the settings from the environment and ``.env``; those given come first.

    Raises:
        XnaiError: a value is not of its type or out of its range.

    """
    try:
        return Settings(_env_file=env_file, **given)
    except ValidationError as exc:
        first = exc.errors()[0]
        name = PREFIX + str(first["loc"][0]).removeprefix(PREFIX.lower()).upper()
        value = first.get("input")
        if "KEY" in name or name == f"{PREFIX}REDIS_URL":
            value = "***"
        elif isinstance(value, str):
            value = _SECRET.sub("***", value)
        raise XnaiError(SETTING_INVALID, name=name, value=value, problem=first["msg"]) from exc


def unknown_variables() -> list[str]:
    """Names of ``XNAI_*`` variables in the environment that no setting has."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
