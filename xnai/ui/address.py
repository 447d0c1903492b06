"""Where ``chainlit run`` listens: the settings' address, unless its own was given.

``run_chainlit`` copies CHAINLIT_HOST and CHAINLIT_PORT into locals before it loads the app and
hands these to ``uvicorn.Config`` afterwards. Between the two only the name ``uvicorn`` in its
module can be changed, so that is what happens here; nothing else sees the difference.
"""

import asyncio
import ipaddress
import os
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from chainlit.config import config

from xnai.errors import EXPOSED_WITHOUT_KEYS, SETTING_INVALID, XnaiError
from xnai.port import check_port
from xnai.settings import Settings

HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def effective_address(settings: Settings) -> Address:
    """The address in force: ``--host``, ``--port`` or CHAINLIT_* if given, else the settings'.

    Raises:
        XnaiError: CHAINLIT_PORT is no port, or others could come in without a key.

    """
    # Chainlit turns its command line's --host and --port into these variables.
    host = os.environ.get("CHAINLIT_HOST") or settings.host
    port = os.environ.get("CHAINLIT_PORT") or str(settings.port)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= HIGHEST_PORT):
        raise XnaiError(
            SETTING_INVALID, name="CHAINLIT_PORT", value=port, problem="it is not a port number"
        )
    address = Address(host, int(port))
    if not address.is_loopback and not settings.api_keys:
        raise XnaiError(EXPOSED_WITHOUT_KEYS, host=host)
    return address


def install(settings: Settings) -> Address:
    """Make ``chainlit run`` listen on the effective address, and say so; returns it."""
    address = effective_address(settings)
    config.run.host = address.host
    config.run.port = address.port
    cli = sys.modules.get("chainlit.cli")
    if cli is not None:
        _redirect(cli, address)
    return address


def refuse_taken(address: Address) -> None:
    """Refuse a port that is taken, if ``chainlit run`` is about to listen on it.

    Later uvicorn would say it in words of its own, and Chainlit end as if all were well. When
    Chainlit loads the app anew (``--watch``) it listens already, in a loop that runs.

    Raises:
        XnaiError: PORT_TAKEN.

    """
    if "chainlit.cli" in sys.modules and not _is_in_loop():
        check_port(address.host, address.port)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _redirect(cli: ModuleType, address: Address) -> None:
    uvicorn = getattr(cli.uvicorn, "original", cli.uvicorn)

    def configured(app: Any, **options: Any) -> Any:
        return uvicorn.Config(app, **{**options, "host": address.host, "port": address.port})

    cli.uvicorn = SimpleNamespace(  # type: ignore[attr-defined]
        Config=configured, Server=uvicorn.Server, original=uvicorn
    )
