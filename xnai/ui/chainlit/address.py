"""The address that ``chainlit run`` listens on: that of the settings, unless one was given to it.

``run_chainlit`` copies CHAINLIT_HOST and CHAINLIT_PORT into locals before it loads the app, and
passes these to ``uvicorn.Config`` afterwards. Between the two only the name ``uvicorn`` in its
module can be replaced, so that is what happens here; nothing else sees the difference.
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
from xnai.net import check_port
from xnai.settings import Settings

HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Host and port that the server listens on."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def effective_address(settings: Settings) -> ListenAddress:
    """Return the address in force: ``--host``, ``--port``, CHAINLIT_* or that of the settings.

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
    address = ListenAddress(host, int(port))
    if not address.is_loopback and not settings.api_keys:
        raise XnaiError(EXPOSED_WITHOUT_KEYS, host=host)
    return address


def install(settings: Settings) -> ListenAddress:
    """Make ``chainlit run`` listen on the effective address, and return it."""
    address = effective_address(settings)
    config.run.host = address.host
    config.run.port = address.port
    cli = sys.modules.get("chainlit.cli")
    if cli is not None:
        _redirect(cli, address)
    return address


def refuse_taken(address: ListenAddress) -> None:
    """Refuse a port that is taken, if ``chainlit run`` is about to listen on it.

    Otherwise uvicorn would report it in its own words, and Chainlit would end as if all were well.
    When Chainlit loads the app again (``--watch``), it is listening already, in a running loop.

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


def _redirect(cli: ModuleType, address: ListenAddress) -> None:
    uvicorn = getattr(cli.uvicorn, "original", cli.uvicorn)

    def configured(app: Any, **options: Any) -> Any:
        return uvicorn.Config(app, **{**options, "host": address.host, "port": address.port})

    cli.uvicorn = SimpleNamespace(  # type: ignore[attr-defined]
        Config=configured, Server=uvicorn.Server, original=uvicorn
    )
