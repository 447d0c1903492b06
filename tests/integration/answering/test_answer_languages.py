"""A question in German, put to the smallest model that answers over documents, over the API."""

from collections.abc import Iterator

import httpx
import pytest

from rig.whole_server import Server
from xnai.answering.evidence import NOT_FOUND
from xnai.locale import texts_in

pytestmark = [
    pytest.mark.engine,
    pytest.mark.needs("capable_model"),
    pytest.mark.timeout(600),  # a prompt of a thousand tokens, beside whatever else runs
]

LEASE = """Mietvertrag über die Werkstatt, Hafenstraße 12.
Die Miete beträgt 640 Euro im Monat.
Der Vertrag beginnt am 1. März und kann mit einer Frist von drei Monaten gekündigt werden.
"""


@pytest.fixture(scope="module")
def german(tmp_path_factory, capable_model) -> Iterator[tuple[Server, str]]:
    settings = {"XNAI_MODEL": str(capable_model), "XNAI_CONTEXT": "4096", "XNAI_SLOTS": "1"}
    server = Server(tmp_path_factory.mktemp("german"), settings)
    server.start()
    server.wait(status="ready", model="ready")
    yield server, server.upload("mietvertrag.txt", LEASE.encode())
    server.stop()


def asked(german, question, **headers):
    server, document = german
    body = {
        "messages": [{"role": "user", "content": question}],
        "retrieval": {"document_ids": [document]},
        "max_tokens": 40,
    }
    url = f"{server.url}/v1/chat/completions"
    answer = httpx.post(url, json=body, headers=headers, timeout=240)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()


def test_what_the_documents_do_not_say_is_refused_in_german(german):
    answer = asked(german, "Welche Farbe hat das Auto des Bürgermeisters?")

    assert answer["answer"]["outcome"] == "not_found"
    assert answer["answer"]["language"] == "de"
    assert answer["choices"][0]["message"]["content"] == texts_in("de").say(NOT_FOUND)


def test_a_question_that_tells_no_language_has_the_readers(german):
    answer = asked(german, "Hund?", **{"Accept-Language": "fr-CA,en;q=0.5"})

    assert answer["answer"]["language"] == "fr"
