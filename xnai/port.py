"""Whether a port can be listened on, asked before a server is built that would only fail."""

import socket

from xnai.errors import PORT_TAKEN, SETTING_INVALID, XnaiError


def check_port(host: str, port: int) -> None:
    """Listen for a moment, as the server will.

    Raises:
        XnaiError: PORT_TAKEN, or SETTING_INVALID if the host is no address of this machine.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as exc:
            raise XnaiError(
                SETTING_INVALID,
                name="XNAI_HOST",
                value=host,
                problem="it is no address of this machine",
            ) from exc
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise XnaiError(
                PORT_TAKEN, host=host, port=port, reason=reason, other=port + 1
            ) from exc
