"""The first request of a visit: the page with its cookie, or the form, and the way back."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ui_client import FIRST_KEY, SECOND_KEY, Server, Tab, tidy_up

pytestmark = pytest.mark.asyncio(loop_scope="module")

VISIT = {"Accept": "text/html,*/*", "Sec-Fetch-Dest": "document"}
THREAD = f"/thread/{uuid.uuid4()}"
GONE = "It was deleted, or it belongs to somebody else."


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def tidy() -> AsyncIterator[None]:
    yield
    await tidy_up()


async def test_without_keys_the_page_comes_with_the_cookie(chat: Server):
    visitor = chat.stranger()
    first = await visitor.get("/", headers=VISIT)
    second = await visitor.get("/", headers=VISIT)
    assert first.status_code == 200
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=lax" in first.headers["set-cookie"]
    assert "set-cookie" not in second.headers
    assert (await visitor.get("/user")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Accept": "*/*"}, {"Accept": "text/html", "Sec-Fetch-Dest": "iframe"}, {"Accept": ""}],
)
async def test_a_program_that_looks_at_the_page_gets_no_session(chat: Server, headers):
    answer = await chat.stranger().get("/", headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


async def test_without_keys_there_is_no_form_and_nothing_to_sign_out_of(chat: Server):
    answer = await chat.stranger().get("/login", headers=VISIT)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert '<html data-person="local"' in (await chat.stranger().get("/")).text


async def test_a_link_to_a_chat_survives_signing_in(keyed: Server):
    visitor = keyed.stranger()
    sent = await visitor.get(THREAD, headers=VISIT)
    form = await visitor.get(sent.headers["location"], headers=VISIT)
    entered = await visitor.post(
        sent.headers["location"],
        data={"username": "XNAi", "password": FIRST_KEY},
        headers={**VISIT, "Origin": "null", "Sec-Fetch-Site": "same-origin"},
    )
    page = await visitor.get("/", headers=VISIT)
    again = await visitor.get("/login", headers=VISIT)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/login?next={THREAD}")
    assert f'action="/login?next={THREAD}"' in form.text
    assert "unsafe" not in form.headers["content-security-policy"]
    assert (entered.status_code, entered.headers["location"]) == (303, THREAD)
    assert (page.status_code, "data-person" in page.text) == (200, False)
    assert (again.status_code, again.headers["location"]) == (303, "/")


async def test_a_chat_that_is_not_here_or_somebody_elses_is_said_plainly(keyed: Server):
    first, second = await keyed.client(FIRST_KEY), await keyed.client(SECOND_KEY)
    tab = await Tab(keyed, first).open()
    await tab.ask("Is this mine?")
    link = f"/thread/{tab.thread_id}"

    own, theirs = await first.get(link, headers=VISIT), await second.get(link, headers=VISIT)
    await tab.close()
    still_theirs = await second.get(link, headers=VISIT)
    none = await second.get(THREAD, headers=VISIT)

    assert own.status_code == 200
    assert "/assets/" in own.text
    assert {theirs.status_code, still_theirs.status_code, none.status_code} == {404}
    assert theirs.text == still_theirs.text == none.text
    assert GONE in none.text


@pytest.mark.parametrize(
    "where",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/thread/x",
        "/thread/../logout",
        '/"><script>alert(1)</script>',
        "javascript:alert(1)",
        "/thread/" + "a" * 36 + "\r\nX: y",
    ],
)
async def test_nobody_else_says_where_a_visit_ends(keyed: Server, where: str):
    visitor = keyed.stranger()
    form = await visitor.get("/login", params={"next": where}, headers=VISIT)
    entered = await visitor.post(
        "/login",
        params={"next": where},
        data={"username": "XNAi", "password": FIRST_KEY},
        headers=VISIT,
    )
    assert 'action="/login"' in form.text
    assert "evil" not in form.text
    assert "<script>" not in form.text
    assert entered.headers["location"] == "/"


async def test_a_wrong_key_is_said_plainly_on_the_form(keyed: Server):
    visitor = keyed.stranger()
    answer = await visitor.post(
        f"/login?next={THREAD}", data={"username": "x", "password": "wrong"}, headers=VISIT
    )
    assert answer.status_code == 401
    assert "This key is not known here." in answer.text
    assert f'action="/login?next={THREAD}"' in answer.text
    assert "set-cookie" not in answer.headers
    assert (await visitor.get("/user")).status_code == 401


async def test_a_program_signs_in_as_before(keyed: Server):
    program = await keyed.client(FIRST_KEY)
    assert (await program.get("/user")).status_code == 200
