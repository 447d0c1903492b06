"""The form on ``/models`` for a server of somebody's own; nothing is sent there unconfirmed."""

import asyncio
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from xnai.accounts import SERVER, may
from xnai.api.auth import Authority
from xnai.api.protocol import ApiRuntime
from xnai.errors import BAD_REQUEST, FORBIDDEN, XnaiError
from xnai.llm.remote.endpoint import Endpoint
from xnai.llm.remote.timeouts import Closing
from xnai.locale import Texts
from xnai.models import endpoint_choice
from xnai.observability.error_reports import report
from xnai.settings import Settings
from xnai.ui.pages.rendering import catalogued_problem
from xnai.ui.reading_language import texts_for

_SECONDS = 8.0  # for the first answer of a server


def shown(settings: Settings) -> dict[str, object]:
    """Return what the page says of the address: which, whose choice, and whether it is asked yet.

    Reads a file.
    """
    if endpoint_choice.is_overridden():
        return {"decided": True, "asked": True, "address": _hosts(settings.llm_url)}
    kept = endpoint_choice.kept()
    addresses = tuple(filter(None, kept.split(",")))
    return {
        "decided": False,
        "asked": addresses == settings.llm_url,
        "address": _hosts(addresses) or _hosts(settings.llm_url),
        "leaves": bool(settings.llm_url) and not kept,
    }


class EndpointForm:
    """Keeps an address, and lets it go; for whoever operates the server."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    async def change(self, request: Request) -> Response:
        """Keep the address of a form, which was confirmed, or with DELETE let it go."""
        texts = texts_for(request.headers)
        try:
            self._require_changeable(request)
            told = await (self._keep if request.method == "POST" else self._forget)(request, texts)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not kept"), texts)
        return PlainTextResponse(told)

    async def _keep(self, request: Request, texts: Texts) -> str:
        async with request.form(max_files=0, max_fields=4) as form:
            url, key, model = (str(form.get(name) or "") for name in ("url", "key", "model"))
        if form.get("confirmed") != "yes":
            raise XnaiError(BAD_REQUEST, problem="It was not confirmed.", fix="Confirm it.")
        await asyncio.to_thread(endpoint_choice.keep, url, key, model)
        self._runtime.audit.record("endpoint", name=_hosts((url,)))
        address = endpoint_choice.address_of(url)
        told = await self._look(address, key.strip(), model.strip(), texts)
        later = texts.say(
            "Answers come from {address} after the next start of this server.",
            address=_hosts((address,)),
        )
        return f"{told} {later}"

    async def _forget(self, _: Request, texts: Texts) -> str:
        await asyncio.to_thread(endpoint_choice.forget)
        self._runtime.audit.record("endpoint", name="")
        return texts.say("After the next start this server answers with its own model again.")

    async def _look(self, url: str, key: str, model: str, texts: Texts) -> str:
        """Ask a server which model it has, and say what came of it."""
        given = {"llm_url": (url,), "llm_api_key": SecretStr(key), "llm_model": model}
        server = Endpoint(url, self._runtime.settings.model_copy(update=given), Closing())
        reason = texts.say("it has not answered in {number} s.", number=f"{_SECONDS:.0f}")
        try:
            async with asyncio.timeout(_SECONDS):
                await server.check()
            error = server.reach.error
            if error is None:
                named = model or server.info.default
                return texts.say(
                    "{address} answers with {model}.", address=server.name, model=named
                )
            reason = error.in_words_of(texts.translation)[0]
        except TimeoutError:
            pass
        finally:
            await server.close()
        return texts.say(
            "{address} does not answer yet: {reason}", address=server.name, reason=reason
        )

    def _require_changeable(self, request: Request) -> None:
        if not may(self._authority.reader(request), "operate", SERVER):
            raise XnaiError(FORBIDDEN)
        if endpoint_choice.is_overridden():
            problem = f"{endpoint_choice.URL} is set where this server was started."
            raise XnaiError(BAD_REQUEST, problem=problem, fix="Change it there.")


def _hosts(addresses: tuple[str, ...]) -> str:
    return ", ".join(urlsplit(one).netloc for one in addresses)
