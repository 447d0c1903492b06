"""The first request of a visit: the chat's page for who is signed in, the form for who has to.

The page comes with the cookie of the local person where there are no keys, so that the program
behind it is loaded once and asks for nothing in vain. Chainlit would load it, be refused, load it
again at ``/login`` and end at ``/``, wherever the link had led.
"""

import re
from typing import Annotated

import chainlit.server as chainlit_server
from chainlit.config import config
from chainlit.data import get_data_layer
from chainlit.session import ws_sessions_id
from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.security import OAuth2PasswordRequestForm

from xnai.accounts import Principal, acting
from xnai.errors import NOT_FOUND
from xnai.locale import marked
from xnai.ui import auth
from xnai.ui.chainlit.errors import PageError
from xnai.ui.pages.rendering import page_response, problem_page
from xnai.ui.reading_language import texts_for
from xnai.ui.sign_in import SignIn

LOGIN = "/login"
_SEE_OTHER = 303
_GONE = marked("It was deleted, or it belongs to somebody else.")
_WRONG = marked("This key is not known here. Check it, or ask who runs the server.")
# Places of this server that a link may lead to; anything else would be somebody else's choice.
_NEXT = re.compile(
    r"/(?:thread/[0-9a-f-]{36}|documents|reader/[0-9A-Za-z]{1,64}(?:\?[0-9a-z=&]{0,200})?)?"
)


class Visits:
    """The routes of the page itself and of the form.

    Args:
        sign_in: lets people in.

    """

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def page(self, request: Request) -> Response:
        """Serve the chat's page; who has to sign in first comes back to the same address."""
        person = auth.page_person(request)
        if person is None and auth.people().have_keys:
            return RedirectResponse(_form_address(request.url.path), _SEE_OTHER)
        thread = request.path_params.get("thread_id")
        if thread is not None and not await _is_here(thread, person or auth.people().local):
            texts = texts_for(request.headers)
            title, new = texts.say("This chat is not here"), ("/", texts.say("Start a new chat"))
            return problem_page(NOT_FOUND.status, title, texts.say(_GONE), texts, link=new)
        html = chainlit_server.get_html_template(config.run.root_path or "")
        response = HTMLResponse(html, headers={"Cache-Control": "no-cache"})
        if person is None and _is_visit(request):
            await self._sign_in.admit(request, response, auth.people().local)
        return response

    async def form(self, request: Request) -> Response:
        """Show the form, if there is somebody who has to sign in."""
        where = _checked(request.query_params.get("next", ""))
        if auth.page_person(request) is not None or not auth.people().have_keys:
            return RedirectResponse(where, _SEE_OTHER)
        values = {"next": where, "problem": ""}
        return page_response("sign_in.html", values, texts_for(request.headers))

    async def enter(
        self, request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]
    ) -> Response:
        """Sign in with a key: from the form to where the link led, from a program with JSON."""
        if "text/html" not in request.headers.get("accept", ""):
            return await self._sign_in.with_key(request, form)
        where = _checked(request.query_params.get("next", ""))
        try:
            person = self._sign_in.person(request, form.password)
        except HTTPException as exc:
            texts = texts_for(request.headers)
            if isinstance(exc, PageError):
                problem = " ".join(exc.error.in_words_of(texts.translation)).strip()
            else:
                problem = texts.say(_WRONG)
            values = {"next": where, "problem": problem}
            return page_response("sign_in.html", values, texts, exc.status_code)
        response = RedirectResponse(where, _SEE_OTHER)
        await self._sign_in.admit(request, response, person)
        return response


async def _is_here(thread: str, person: Principal) -> bool:
    """Return whether a chat is there for a person."""
    acting.set(person)
    for session in list(ws_sessions_id.values()):
        # One without a message is in no history yet.
        if session.thread_id == thread and auth.principal_of(session) == person:
            return True
    try:
        return bool(await get_data_layer().get_thread_author(thread))
    except Exception:  # noqa: BLE001 - the page itself says what is wrong with the history
        return True


def _is_visit(request: Request) -> bool:
    """Return whether a browser opens the page; a program may only look whether it is there."""
    headers = request.headers
    if "sec-fetch-dest" in headers:
        return headers["sec-fetch-dest"] == "document"
    return "text/html" in headers.get("accept", "")


def _form_address(path: str) -> str:
    where = _checked(path)
    return LOGIN if where == "/" else f"{LOGIN}?next={where}"


def _checked(where: str) -> str:
    """Return an address of this server that a visit may end at."""
    return where if _NEXT.fullmatch(where) else "/"
