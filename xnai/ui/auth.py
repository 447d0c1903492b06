"""Who may open the page: one local person without keys, the holders of a key with them."""

import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import chainlit.auth as chainlit_auth
import structlog
from chainlit.auth import get_token_from_cookies
from chainlit.config import config
from chainlit.user import User
from starlette.requests import HTTPConnection

from xnai.audit import acting
from xnai.settings import Settings

log = structlog.get_logger(__name__)

LOCAL_USER = "local"
SECRET_VARIABLE = "CHAINLIT_AUTH_SECRET"  # noqa: S105 - the variable's name, not its value
SECRET_FILE = "auth_secret"  # noqa: S105 - a file name
SECRET_LENGTH = 32  # shortest key RFC 7518 allows for HS256, in bytes

# Whose request or socket is being served; None where the program acts for itself.
acting_user: ContextVar[str | None] = ContextVar("acting_user", default=None)


def key_identifier(key: str) -> str:
    """The user name of a key's holder: a fingerprint, so that the key itself is stored nowhere."""
    return "key:" + hashlib.sha256(key.encode()).hexdigest()[:16]


def install_auth(settings: Settings, data_dir: Path) -> None:
    """Set Chainlit's sign-in up; call it before the server starts, once.

    Without keys everybody who reaches the page is the user ``local``, signed in without a form.
    With keys the password is one of them and each key has a history of its own. A token is refused
    as soon as its key is no longer among the settings.
    """
    if not os.environ.get(SECRET_VARIABLE):
        os.environ[SECRET_VARIABLE] = load_secret(data_dir)
    keys = [key.get_secret_value() for key in settings.api_keys]
    if keys:
        config.code.header_auth_callback = None
        config.code.password_auth_callback = _password_callback(keys)
    else:
        config.code.password_auth_callback = None
        config.code.header_auth_callback = _sign_in_locally
    _watch_tokens(frozenset(map(key_identifier, keys)) or frozenset({LOCAL_USER}))


def load_secret(data_dir: Path) -> str:
    """The secret that signs the page's cookies, made at first use and readable by its owner only.

    Several processes may start at once: the first one's secret is everybody's.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / SECRET_FILE
    if path.exists() and len(path.read_text().strip()) < SECRET_LENGTH:
        log.warning("the secret that signs cookies is damaged and is replaced", file=str(path))
        path.unlink()
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=data_dir, prefix=SECRET_FILE)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(2 * SECRET_LENGTH))
            # A link appears whole or not at all, and fails if another process was faster.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    path.chmod(0o600)
    return path.read_text().strip()


def page_user(request: HTTPConnection) -> bool:
    """Whether a request carries the cookie of somebody who is signed in to the page."""
    return page_identifier(request) is not None


def page_identifier(request: HTTPConnection) -> str | None:
    """The name of the user whose cookie a request carries, if it is valid."""
    token = get_token_from_cookies(request.cookies)
    if not token:
        return None
    try:
        return str(chainlit_auth.decode_jwt(token).identifier)
    except Exception as exc:  # noqa: BLE001 - whatever a forged token sets off, it is no valid one
        log.info("a cookie was refused", reason=type(exc).__name__)
        return None


async def _sign_in_locally(_headers: object) -> Any:
    return User(identifier=LOCAL_USER)


def _password_callback(keys: list[str]) -> Callable[[str, str], Any]:
    async def sign_in(_username: str, password: str) -> Any:
        # Every key is compared, so that the time taken does not say which one was close.
        matches = [key for key in keys if hmac.compare_digest(key.encode(), password.encode())]
        return User(identifier=key_identifier(matches[0])) if matches else None

    return sign_in


def _watch_tokens(known: frozenset[str]) -> None:
    """Refuse tokens of users that are gone, and note down for whom a request is served.

    Every way into Chainlit, HTTP or socket, passes these two functions of its ``auth`` module.
    """
    decode: Callable[[str], Any] = getattr(
        chainlit_auth.decode_jwt, "original", chainlit_auth.decode_jwt
    )
    authenticate: Callable[[str], Any] = getattr(
        chainlit_auth.authenticate_user, "original", chainlit_auth.authenticate_user
    )

    def decode_known(token: str) -> Any:
        user = decode(token)
        if user.identifier not in known:
            raise PermissionError("the token's user is not known any more")
        return user

    async def authenticate_and_note(token: str) -> Any:
        user = await authenticate(token)
        acting_user.set(user.identifier)
        acting.set(user.identifier)
        return user

    decode_known.original = decode  # type: ignore[attr-defined]
    authenticate_and_note.original = authenticate  # type: ignore[attr-defined]
    chainlit_auth.decode_jwt = decode_known
    chainlit_auth.authenticate_user = authenticate_and_note


class LoginLimiter:
    """Counts failed sign-ins of each address; memory is bounded by forgetting the oldest."""

    def __init__(
        self,
        failures: int = 10,
        seconds: float = 60.0,
        addresses: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._window = seconds
        self._addresses = addresses
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    def wait(self, address: str) -> float:
        """Seconds until the address may try again; 0.0 if it may now."""
        times = self._failures.get(address)
        if times is None or len(times) < self._limit:
            return 0.0
        return max(0.0, times[0] + self._window - self._clock())

    def failed(self, address: str) -> None:
        """Note a failure down."""
        times = self._failures.pop(address, None) or deque(maxlen=self._limit)
        times.append(self._clock())
        self._failures[address] = times
        if len(self._failures) > self._addresses:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, address: str) -> None:
        """Forget an address's failures."""
        self._failures.pop(address, None)
