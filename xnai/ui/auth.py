"""Access to the page: for the local person without keys, for the holders of a key with them."""

import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import chainlit.auth as chainlit_auth
import jwt
import structlog
from chainlit.auth import get_token_from_cookies
from chainlit.config import config
from chainlit.user import User
from starlette.requests import HTTPConnection

from xnai.accounts import SERVER, People, Principal, acting, may
from xnai.accounts.protocol import SessionStore
from xnai.accounts.sqlite.sessions import SqliteSessions
from xnai.settings import Settings

log = structlog.get_logger(__name__)

SECRET_VARIABLE = "CHAINLIT_AUTH_SECRET"  # noqa: S105 - the variable's name, not its value
SECRET_FILE = "auth_secret"  # noqa: S105 - a file name
_ALGORITHM = "HS256"
SECRET_LENGTH = 32  # shortest key RFC 7518 allows for HS256, in bytes


class _Gate(NamedTuple):
    people: People
    sessions: SessionStore


_gate: _Gate | None = None  # a process has one page


def install_auth(settings: Settings, people: People) -> None:
    """Set up Chainlit's sign-in; call it once, before the server starts.

    Without keys everybody who reaches the page is the local person, signed in without a form. With
    keys, one of them is the password, and its holder is the same person as over the API. A token is
    refused as soon as its session has ended or its key has left the settings.
    """
    global _gate  # noqa: PLW0603 - Chainlit's own configuration is the process's, too
    if _gate is not None:
        _gate.sessions.close()
    _gate = _Gate(people, SqliteSessions(settings.data_dir))
    if not os.environ.get(SECRET_VARIABLE):
        os.environ[SECRET_VARIABLE] = load_secret(settings.data_dir)
    # Chainlit's page asks whether there is a form; ``sign_in`` has the routes.
    config.code.password_auth_callback = _unused if people.have_keys else None
    config.code.header_auth_callback = None if people.have_keys else _unused
    _watch_tokens()


async def _unused(*_: object) -> Any:
    return None


def principal_of(session: Any) -> Principal:
    """Return the person signed in to a session of the page, or nobody."""
    if session.user is None or _gate is None:
        return Principal(str(session.user.identifier if session.user else session.id), "key")
    return _gate.people.of_id(str(session.user.identifier))


def load_secret(data_dir: Path) -> str:
    """Return the secret that signs the page's cookies; the first use makes it, for its owner only.

    Several processes may start at once: all of them get the secret of the first.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / SECRET_FILE
    if path.exists() and len(_secret_in(path)) < SECRET_LENGTH:
        log.warning("the secret that signs cookies is damaged and is replaced", file=str(path))
        path.unlink()
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=data_dir, prefix=SECRET_FILE)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(2 * SECRET_LENGTH))
            # A hard link appears complete or not at all, and fails if another process was faster.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    path.chmod(0o600)
    return _secret_in(path)


def _secret_in(path: Path) -> str:
    """Return what the file holds; nothing of bytes that are not ours."""
    try:
        return path.read_text("ascii").strip()
    except UnicodeDecodeError:
        return ""


def page_identifier(request: HTTPConnection) -> str | None:
    """Return the id of the person whose cookie a request carries, if the cookie is valid."""
    person = page_person(request)
    return None if person is None else person.person_id


def page_person(request: HTTPConnection) -> Principal | None:
    """Return the person whose cookie a request carries, if the cookie is valid."""
    token = get_token_from_cookies(request.cookies)
    if not token:
        return None
    try:
        return _principal(str(chainlit_auth.decode_jwt(token).identifier))
    except Exception as exc:  # noqa: BLE001 - whatever a forged token sets off, it is no valid one
        log.info("a cookie was refused", reason=type(exc).__name__)
        return None


def people() -> People:
    """Return the people who may sign in."""
    assert _gate is not None
    return _gate.people


def sessions() -> SessionStore:
    """Return the sessions of people who are signed in."""
    assert _gate is not None
    return _gate.sessions


def user_of(person: Principal) -> Any:
    """Return a person as Chainlit knows one; the page shows the display name."""
    words = f"Key {person.person_id[:6]}" if person.kind == "key" else "Local"
    return User(identifier=person.person_id, display_name=words)


def token_of(user: Any, session_id: str, seconds: float) -> str:
    """Return the token of a session, for the cookie."""
    now = datetime.now(UTC)
    claims = {**user.to_dict(), "jti": session_id, "iat": now, "exp": now + timedelta(0, seconds)}
    return jwt.encode(claims, os.environ[SECRET_VARIABLE], algorithm=_ALGORITHM)


def session_of(token: str) -> str | None:
    """Return the id of the session that a token of ours belongs to."""
    try:
        return str(_claims(token)["jti"])
    except jwt.InvalidTokenError:
        return None


def _claims(token: str) -> dict[str, Any]:
    return dict(
        jwt.decode(
            token,
            os.environ[SECRET_VARIABLE],
            algorithms=[_ALGORITHM],
            options={"require": ["exp", "jti", "identifier"]},
        )
    )


def _principal(person_id: str) -> Principal:
    """Return the person whom a token names.

    Raises:
        PermissionError: the person may not come in any more.

    """
    principal = people().of_id(person_id)
    if not may(principal, "use", SERVER):
        raise PermissionError("the token's person may not come in any more")
    return principal


def _watch_tokens() -> None:
    """Refuse tokens of people who are gone, and note the person for whom a request is served.

    Every way into Chainlit, by HTTP or by socket, passes these two functions of its ``auth``
    module.
    """
    decode: Callable[[str], Any] = getattr(
        chainlit_auth.decode_jwt, "original", chainlit_auth.decode_jwt
    )
    authenticate: Callable[[str], Any] = getattr(
        chainlit_auth.authenticate_user, "original", chainlit_auth.authenticate_user
    )

    def decode_known(token: str) -> Any:
        claims = _claims(token)
        _principal(claims["identifier"])
        if not sessions().is_open(claims["jti"], claims["identifier"]):
            raise PermissionError("the token's session has ended")
        return decode(token)

    async def authenticate_and_note(token: str) -> Any:
        user = await authenticate(token)
        acting.set(_principal(user.identifier))
        return user

    decode_known.original = decode  # type: ignore[attr-defined]
    authenticate_and_note.original = authenticate  # type: ignore[attr-defined]
    chainlit_auth.decode_jwt = decode_known
    chainlit_auth.authenticate_user = authenticate_and_note
