"""Authentication of API callers: by an API key, or by the page's cookie."""

from collections.abc import Callable

from starlette.requests import Request

from xnai.accounts import SERVER, Principal, acting, may
from xnai.api.protocol import ApiRuntime
from xnai.errors import FORBIDDEN, SIGN_IN_PAUSED, UNAUTHORIZED, XnaiError
from xnai.net import client_address

PagePerson = Callable[[Request], Principal | None]


class Authority:
    """Determines for whom a request is served.

    Args:
        runtime: knows who may come in, and counts wrong keys.
        page_person: returns the person whose cookie a request carries, if the cookie is valid.

    """

    def __init__(self, runtime: ApiRuntime, page_person: PagePerson) -> None:
        self._people = runtime.people
        self._attempts = runtime.attempts
        self._trusted = runtime.settings.trusted_proxies
        self._page_person = page_person

    def caller(self, request: Request) -> Principal:
        """Return the holder of the request's key; without keys, the local person.

        Raises:
            XnaiError: UNAUTHORIZED, SIGN_IN_PAUSED.

        """
        principal = self._by_key(request) if self._people.have_keys else self._people.local
        if principal is None or not may(principal, "use", SERVER):
            raise XnaiError(UNAUTHORIZED)
        acting.set(principal)
        return principal

    def operator(self, request: Request) -> Principal:
        """Return a caller who may operate the server: the local person, or the first key's holder.

        Raises:
            XnaiError: UNAUTHORIZED, FORBIDDEN.

        """
        principal = self.caller(request)
        if not may(principal, "operate", SERVER):
            raise XnaiError(FORBIDDEN)
        return principal

    def reader(self, request: Request) -> Principal:
        """Return the caller, or, without a key, whoever is signed in to the page.

        Raises:
            XnaiError: UNAUTHORIZED.

        """
        if "authorization" not in request.headers and self._people.have_keys:
            principal = self._page_person(request)
            if principal is not None and may(principal, "use", SERVER):
                acting.set(principal)
                return principal
        return self.caller(request)

    def _by_key(self, request: Request) -> Principal | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not key.strip():
            return None
        found = self._people.of_key(key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            peer = request.client.host if request.client else None
            forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
            wait = self._attempts.record_failure(client_address(peer, forwarded, self._trusted))
            if wait:
                raise XnaiError(SIGN_IN_PAUSED, retry_after=wait)
        return found
