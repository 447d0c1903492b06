"""Commands of the input field: a slash shows them, and each asks in a way that is known to work."""

from chainlit.types import CommandDict

from xnai.locale import Texts, marked

# ``/summary`` and ``/list`` are the pipeline's own words for questions about whole documents.
_OF_THE_PIPELINE = frozenset({"summary", "list"})
_COMMANDS = (
    ("summary", "file-text", marked("Summarise the documents of this chat")),
    ("list", "list", marked("List all there is of something, from whole documents")),
    ("table", "table", marked("Answer with a table")),
    ("compare", "columns-2", marked("Compare the documents of this chat")),
)
_ALONE = {  # what is asked where nothing was written behind the command
    "list": marked("the important points"),
    "table": marked("the important facts"),
    "compare": marked("what is the same, and what differs?"),
}


def offered(texts: Texts) -> list[CommandDict]:
    """Return the commands, each with a sentence that says what it does."""
    return [
        CommandDict(
            id=name,
            icon=icon,
            description=texts.say(words),
            button=False,
            persistent=False,
            selected=False,
        )
        for name, icon, words in _COMMANDS
    ]


def question_of(command: str | None, text: str, texts: Texts) -> str:
    """Return what a message asks that was sent with a command; without one that is its text."""
    words = text.strip()
    if command not in {name for name, *_ in _COMMANDS}:
        return text
    if not words and command in _ALONE:
        words = texts.say(_ALONE[command])
    if command in _OF_THE_PIPELINE:
        return f"/{command} {words}".strip()
    if command == "table":
        return texts.say("Answer with a table: {question}", question=words)
    return texts.say("Compare the documents: {question}", question=words)
