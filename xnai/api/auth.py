"""Who a caller is: the owner whose documents are seen and searched."""

import hashlib
import hmac
from collections.abc import Callable

from starlette.requests import Request

from xnai.audit import acting
from xnai.errors import FORBIDDEN, UNAUTHORIZED, XnaiError
from xnai.settings import Settings
from xnai.types import Document

PageUser = Callable[[Request], bool]
ANYONE = "api"
_KEY_OWNER = "key:"
_OWNER_DIGITS = 16


class Authority:
    """Checks API keys; ``page_user`` tells whether a request carries a valid login of the page."""

    def __init__(self, settings: Settings, page_user: PageUser) -> None:
        self._digests = [_digest(key.get_secret_value()) for key in settings.api_keys]
        self._page_user = page_user

    def owner(self, request: Request) -> str:
        """The owner id of a caller of the API.

        Raises:
            XnaiError: UNAUTHORIZED.

        """
        owner = self._key_owner(request) if self._digests else ANYONE
        if owner is None:
            raise XnaiError(UNAUTHORIZED)
        acting.set(owner)
        return owner

    def operator(self, request: Request) -> str:
        """The owner id of a caller who may change how the server works, by the first key.

        Without keys that is whoever reaches the port, which then listens on loopback only.

        Raises:
            XnaiError: UNAUTHORIZED, FORBIDDEN.

        """
        owner = self.owner(request)
        if self._digests and owner != _owner_of(self._digests[0]):
            raise XnaiError(FORBIDDEN)
        return owner

    def may_show(self, request: Request) -> Callable[[Document], bool]:
        """Which documents the caller may look at, the page's own included.

        Ids of documents cannot be guessed, and the page hands them out to those who may see them.
        A key does not open what another key has brought.

        Raises:
            XnaiError: UNAUTHORIZED.

        """
        if not self._digests or self._page_user(request):
            return lambda _: True
        owner = self.owner(request)
        return lambda document: document.owner == owner or not document.owner.startswith(_KEY_OWNER)

    def _key_owner(self, request: Request) -> str | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = _digest(key.strip())
        # Every key is compared, so that the time taken tells nothing about which came close.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        if scheme.lower() != "bearer" or not any(matches):
            return None
        return _owner_of(given)


def _owner_of(digest: bytes) -> str:
    return _KEY_OWNER + digest.hex()[:_OWNER_DIGITS]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
