"""What the page's modules and our own pages say in the reader's language."""

from types import SimpleNamespace

import pytest
import texts
from babel.messages.extract import extract_from_dir
from paths import ROOT
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from xnai.locale import IN_ENGLISH, LANGUAGES, texts_in
from xnai.ui.chat import starters
from xnai.ui.documents import SAMPLE_QUESTION
from xnai.ui.pages.rendering import page_response, problem_page
from xnai.ui.pages.script_texts import TEXTS, script_texts
from xnai.ui.reading_language import reader_of, texts_for, texts_of


@pytest.fixture
def client():
    app = Starlette(routes=[Route("/pages/texts.json", script_texts)])
    with TestClient(app) as client:
        yield client


def test_the_list_has_what_the_modules_say():
    methods = [("**.js", "javascript")]
    found = extract_from_dir(ROOT / "public", methods, keywords=texts.KEYWORDS)
    assert {text for _, _, text, _, _ in found} == {*TEXTS}


def test_texts_come_in_the_language_of_the_browser(client):
    answer = client.get("/pages/texts.json", headers={"Accept-Language": "nl,ar;q=0.8"})
    told = answer.json()
    assert (told["language"], told["direction"]) == ("ar", "rtl")
    assert told["texts"]["Documents"] == "المستندات"
    assert (answer.headers["vary"], answer.headers["cache-control"]) == (
        "Accept-Language",
        "no-cache",
    )


def test_texts_that_a_browser_has_are_not_sent_again(client):
    german = {"Accept-Language": "de"}
    tag = client.get("/pages/texts.json", headers=german).headers["etag"]
    again = client.get("/pages/texts.json", headers={**german, "If-None-Match": tag})
    other = client.get("/pages/texts.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, other.json()["language"]) == (200, "en")


def test_a_page_says_in_which_language_it_is():
    answer = problem_page(404, "T", "W", texts_in("ar"))
    assert b'<html lang="ar" dir="rtl">' in answer.body
    assert (answer.headers["content-language"], answer.headers["vary"]) == (
        "ar",
        "Accept-Language",
    )
    assert b'<html lang="en" dir="ltr">' in problem_page(404, "T", "W", IN_ENGLISH).body


def test_the_form_is_in_the_readers_language():
    html = page_response("sign_in.html", {"next": "/", "problem": ""}, texts_in("de")).body.decode()
    assert "Ihr Schlüssel" in html
    assert "Your key" not in html


@pytest.mark.parametrize(
    ("language", "label"),
    [("de-AT", "Ein Beispieldokument ausprobieren"), ("nl", "Try a sample document")],
)
def test_first_questions_are_offered_in_the_readers_language(language, label):
    assert starters(language)[0].label == label


def test_the_sample_question_is_known_in_every_language():
    said = {starters(language)[0].message for language in LANGUAGES}
    assert said == {texts_in(language).say(SAMPLE_QUESTION) for language in LANGUAGES}
    assert len(said) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("environ", "language"),
    [({"HTTP_ACCEPT_LANGUAGE": "nl, ja;q=0.5"}, "ja"), ({}, ""), (None, "")],
)
def test_the_language_of_a_session(environ, language):
    session = SimpleNamespace(environ=environ)
    assert reader_of(session) == language
    assert texts_of(session).language == (language or "en")


def test_the_language_of_a_request():
    headers = [(b"accept-language", b"fr-CA")]
    assert texts_for(Request({"type": "http", "headers": headers}).headers).language == "fr"
    assert texts_for({}).language == "en"
