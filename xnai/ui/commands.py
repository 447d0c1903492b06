"""Commands of the input field: a slash shows them, and each asks in a way that is known to work.

Prompts that a person has saved in the settings are commands too.
"""

from collections.abc import Mapping

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
_NAMES = frozenset(name for name, *_ in _COMMANDS)
_MOST = 30  # saved prompts
_LONGEST_NAME = 30  # characters
_SHOWN = 80  # characters of a saved prompt, beside its name
_ALONE = {  # what is asked where nothing was written behind the command
    "list": marked("the important points"),
    "table": marked("the important facts"),
    "compare": marked("what is the same, and what differs?"),
}
_TITLES = {
    "summary": marked("Summary"),
    "list": marked("List"),
    "table": marked("Table"),
    "compare": marked("Comparison"),
}


def offered(texts: Texts, saved: Mapping[str, str] | None = None) -> list[CommandDict]:
    """Return the commands, each with a sentence that says what it does, then the saved prompts."""
    ours = [_command(name, icon, texts.say(words)) for name, icon, words in _COMMANDS]
    own = [_command(name, "bookmark", words[:_SHOWN]) for name, words in (saved or {}).items()]
    return ours + own


def _command(name: str, icon: str, description: str) -> CommandDict:
    return CommandDict(
        id=name,
        icon=icon,
        description=description,
        button=False,
        persistent=False,
        selected=False,
    )


def saved_prompts(text: str) -> dict[str, str]:
    """Read what stands in the settings, a prompt a line: ``name: what is asked``.

    A line without a name, or with that of a command of ours, is none; of two with one name the
    later counts.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, words = line.partition(":")
        name = "-".join(name.split()).lower()[:_LONGEST_NAME]
        if name and words.strip() and name not in _NAMES and len(found) < _MOST:
            found[name] = words.strip()
    return found


def title_of(command: str, texts: Texts) -> str:
    """Return what a chat is called that begins with a command; empty for one that is not ours."""
    return texts.say(_TITLES[command]) if command in _TITLES else ""


def question_of(
    command: str | None, text: str, texts: Texts, saved: Mapping[str, str] | None = None
) -> str:
    """Return what a message asks that was sent with a command; without one that is its text."""
    words = text.strip()
    if command and saved and command in saved:
        return f"{saved[command]}\n\n{words}".strip()
    if command not in _NAMES:
        return text
    if not words and command in _ALONE:
        words = texts.say(_ALONE[command])
    if command in _OF_THE_PIPELINE:
        return f"/{command} {words}".strip()
    if command == "table":
        return texts.say("Answer with a table: {question}", question=words)
    return texts.say("Compare the documents: {question}", question=words)
