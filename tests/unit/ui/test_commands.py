"""Commands of the input field, and what a message asks that was sent with one."""

import pytest

from xnai.answering.query import commanded, kind_of
from xnai.locale import IN_ENGLISH, LANGUAGES, texts_in
from xnai.ui.commands import offered, question_of, saved_prompts


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_command_says_what_it_does(language):
    commands = offered(texts_in(language))
    assert [one["id"] for one in commands] == ["summary", "list", "table", "compare"]
    assert all(one["description"] for one in commands)


@pytest.mark.parametrize("words", ["", "the second part"])
@pytest.mark.parametrize("command", ["summary", "list"])
def test_the_pipeline_knows_the_commands_about_whole_documents(command, words):
    question = question_of(command, f" {words} ", IN_ENGLISH)
    assert commanded(question) == command == kind_of(question)
    assert words in question


def test_others_put_the_question_into_words():
    assert question_of("table", "all fees", IN_ENGLISH) == "Answer with a table: all fees"
    assert question_of("compare", "", IN_ENGLISH).endswith("what is the same, and what differs?")
    german = question_of("compare", "die Preise", texts_in("de"))
    assert german == "Vergleiche die Dokumente: die Preise"


@pytest.mark.parametrize("command", [None, "", "unknown", "../x"])
def test_without_a_known_command_a_message_asks_what_it_says(command):
    assert question_of(command, " as it is ", IN_ENGLISH) == " as it is "


def test_saved_prompts_are_commands_beside_ours():
    saved = saved_prompts(
        "reply: Write a polite reply.\n\nno name\n: nothing\nsummary: not ours to take\n"
        "Two Words: Say it: twice.\nempty:\nreply: Write a short reply.\n"
    )
    assert saved == {"reply": "Write a short reply.", "two-words": "Say it: twice."}
    commands = offered(IN_ENGLISH, saved)
    assert [one["id"] for one in commands][4:] == ["reply", "two-words"]
    assert commands[4]["description"] == "Write a short reply."
    assert question_of("reply", "", IN_ENGLISH, saved) == "Write a short reply."
    asked = question_of("reply", "Dear Ada", IN_ENGLISH, saved)
    assert asked == "Write a short reply.\n\nDear Ada"
    assert question_of("gone", "Dear Ada", IN_ENGLISH, saved) == "Dear Ada"
    assert len(saved_prompts("\n".join(f"n{i}: words" for i in range(99)))) == 30
