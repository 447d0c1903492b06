"""The server: where it listens, what it writes to, and how long it waits for its clients."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from xnai.net import Network, network
from xnai.settings.words import DAY, MONTH, parts, place


class ServerSettings(BaseModel):
    """The server: where it listens, what it writes to, and how long it waits for its clients."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Further `Host` names to answer to, comma-separated, without the port."
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Addresses or ranges (`10.0.0.2`, `10.0.0.0/24`) of the proxies in front of "
        "this server, comma-separated: what they say in `X-Forwarded-For` and "
        "`X-Forwarded-Proto` counts as the client's. Unset: nobody's word is taken.",
    )
    tls_cert: str = Field(
        "",
        description="File of the certificate and its chain (PEM) to serve https with; needs "
        "`XNAI_TLS_KEY`. Unset: http.",
    )
    tls_key: str = Field("", description="File of the certificate's private key (PEM).")
    data_dir: Path = Field(Path("data"), description="Folder for everything the program writes.")
    drain_seconds: float = Field(
        15.0,
        ge=0,
        le=18,
        description="Seconds that answers may go on after the server was told to stop (SIGTERM).",
    )
    slow_client_seconds: float = Field(
        15.0,
        gt=0,
        le=DAY,
        description="Seconds a client may take nothing of what is sent to it; then it is cut off.",
    )
    disconnect_grace: float = Field(
        10.0,
        ge=0,
        le=DAY,
        description="Seconds an answer goes on after its reader's page went away.",
    )
    session_timeout: float = Field(
        3600.0,
        gt=0,
        le=MONTH,
        description="Seconds a page that went away can come back to the same session.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        return parts(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(network(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("host", "allowed_hosts")
    @classmethod
    def _names(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (value,) if isinstance(value, str) else value:
            if not re.fullmatch(r"[^\s/?#@]{1,255}", name):
                raise ValueError("a host is a name or an IP address, like xnai.lan or 192.168.1.20")
        return value

    @field_validator("data_dir")
    @classmethod
    def _data_place(cls, value: Path) -> Path:
        return place(value)

    @field_validator("data_dir")
    @classmethod
    def _absolute_data(cls, value: Path) -> Path:
        return value.expanduser().resolve()
