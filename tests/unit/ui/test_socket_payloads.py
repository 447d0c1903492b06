import contextlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.ui.chainlit import socket_payloads
from xnai.ui.chainlit.socket_payloads import MAX_MESSAGE, MalformedError, MessageTooLongError

ID = "3f0e5a7c-9a51-4f0b-8f0f-3c6f3f9d2b11"
NO_VERSION_4 = "3f0e5a7c-9a51-1f0b-8f0f-3c6f3f9d2b11"
AUTH = {"sessionId": ID, "threadId": "", "clientType": "webapp", "userEnv": "{}", "chatProfile": ""}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def message(**values: Any) -> dict[str, Any]:
    return {"message": {"id": ID, "name": "me", "output": "Hi", **values}, "fileReferences": []}


@pytest.mark.parametrize(
    "session_id",
    [
        "../public",
        "..",
        "",
        None,
        7,
        ["x"],
        ID.upper(),
        f"{{{ID}}}",
        ID.replace("-", ""),
        f"{ID}/..",
        f"{ID}\n",
        f"urn:uuid:{ID}",
    ],
)
def test_a_session_id_is_a_canonical_uuid(session_id: object):
    with pytest.raises(MalformedError, match="sessionId"):
        socket_payloads.connection({**AUTH, "sessionId": session_id}, frozenset())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"threadId": "x' OR 1=1"}, "threadId"),
        ({"threadId": ID.upper()}, "threadId"),
        ({"clientType": "copilot"}, "clientType"),
        ({"clientType": None}, "clientType"),
        ({"chatProfile": "unknown"}, "chatProfile"),
        ({"chatProfile": {"a": 1}}, "chatProfile"),
    ],
)
def test_a_connection_with_anything_unknown_is_refused(changes: dict[str, Any], problem: str):
    with pytest.raises(MalformedError, match=problem):
        socket_payloads.connection({**AUTH, **changes}, frozenset({"My profile"}))


@pytest.mark.parametrize("auth", [None, [], "text", 3])
def test_a_connection_without_an_object_is_refused(auth: object):
    with pytest.raises(MalformedError, match="auth"):
        socket_payloads.connection(auth, frozenset())


def test_a_known_profile_passes_and_a_browsers_environment_does_not():
    auth = {**AUTH, "threadId": ID, "chatProfile": "My%20profile", "userEnv": '{"A": "b"}'}
    expected = {**auth, "userEnv": "{}"}
    assert expected == socket_payloads.connection(auth, frozenset({"My profile"}))


def test_a_message_loses_what_the_page_does_not_send():
    sent = message(type="assistant_message", threadId="x", parentId="y", isError=True, extra=1)
    expected = {
        "message": {
            "id": ID,
            "name": "me",
            "type": "user_message",
            "output": "Hi",
            "createdAt": None,
            "command": None,
            "modes": None,
            "metadata": {},
        },
        "fileReferences": [],
    }
    assert expected == socket_payloads.client_message(sent)


def test_files_are_named_once_and_by_id_alone():
    sent = {**message(), "fileReferences": [{"id": ID, "path": "/etc/passwd"}, {"id": ID}]}
    cleaned = socket_payloads.client_message(sent)
    assert cleaned["fileReferences"] == [{"id": ID}]


@pytest.mark.parametrize(
    "sent",
    [
        None,
        {},
        {"message": None},
        message(id="1"),
        message(id=NO_VERSION_4),
        message(output=None),
        message(output={"a": 1}),
        message(name="n" * 201),
        message(command=["x"]),
        {**message(), "fileReferences": "all"},
        {**message(), "fileReferences": [{"id": "../x"}]},
        {**message(), "fileReferences": [ID]},
        {**message(), "fileReferences": [{"id": str(uuid.uuid4())} for _ in range(101)]},
    ],
)
def test_a_malformed_message_is_refused(sent: object):
    with pytest.raises(MalformedError):
        socket_payloads.client_message(sent)


def test_a_message_of_the_longest_length_passes_and_a_longer_one_does_not():
    longest = "x" * MAX_MESSAGE
    assert longest == socket_payloads.client_message(message(output=longest))["message"]["output"]
    with pytest.raises(MessageTooLongError):
        socket_payloads.client_message(message(output=longest + "x"))


def test_large_metadata_is_left_out():
    cleaned = socket_payloads.client_message(message(metadata={"location": "x" * 10_001}))
    assert cleaned["message"]["metadata"] == {}


def test_nul_and_half_surrogates_are_taken_out_of_a_message():
    cleaned = socket_payloads.edit_message(message(output="a\0\ud800b"))
    assert cleaned == {"message": {"id": ID, "output": "a?b"}}


def test_settings_are_texts_numbers_truth_values_and_lists_of_such():
    values = {"model": "m", "temperature": 0.5, "on": True, "none": None, "tags": ["a", 1]}
    assert values == socket_payloads.chat_settings(values)


@pytest.mark.parametrize(
    "values",
    [
        {"a": {"b": 1}},
        {"a": [{"b": 1}]},
        {"a": "x" * 10_001},
        {1: 2},
        {str(n): n for n in range(101)},
    ],
)
def test_other_settings_are_refused(values: object):
    with pytest.raises(MalformedError):
        socket_payloads.chat_settings(values)


@pytest.mark.slow
@given(ANYTHING)
def test_no_payload_whatever_raises_anything_but_the_two_refusals(payload: object):
    checks = [
        socket_payloads.client_message,
        socket_payloads.edit_message,
        socket_payloads.message_favorite,
        socket_payloads.chat_settings,
        socket_payloads.window_message,
        lambda value: socket_payloads.connection(value, frozenset()),
    ]
    for shape in (payload, {"message": payload}, {**message(), "fileReferences": payload}):
        for check in checks:
            try:
                check(shape)
            except (MalformedError, MessageTooLongError):
                continue


@pytest.mark.slow
@given(ANYTHING, st.sampled_from(["id", "name", "output", "command", "modes", "metadata"]))
def test_no_part_of_a_message_raises_anything_but_the_two_refusals(value: object, key: str):
    with contextlib.suppress(MalformedError, MessageTooLongError):
        socket_payloads.client_message(message(**{key: value}))
