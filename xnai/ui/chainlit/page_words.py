"""The words of Chainlit's page in the languages that the program speaks, some of them our own."""

import copy
import functools
import json
from pathlib import Path
from typing import Any

import chainlit.server
from chainlit.config import TRANSLATIONS_DIR, ChainlitConfig

from xnai.locale import ENGLISH, marked, preferred, texts_in

# Chainlit's files; a language that we do not speak is English, or the page would be in two.
_FILES = {
    ENGLISH: "en-US",
    "de": "de-DE",
    "fr": "fr-FR",
    "es": "es",
    "ja": "ja",
    "zh": "zh-CN",
    "ar": "ar-SA",
}
_HELP = Path(__file__).resolve().parents[1] / "help"
# What is said in the place of Chainlit's own words. Titles of steps are sentences already.
OURS = {
    "chat.input.placeholder": marked("Ask about your documents, or just ask…"),
    "chat.messages.status.using": "",
    "chat.messages.status.used": "",
    "chat.settings.title": marked("Settings"),
    "chat.settings.customize": marked("These apply to your next question."),
    "chat.commands.button": marked("Commands"),
    "chat.watermark": marked("Answers can be wrong; open the citations."),
    "threadHistory.thread.actions.delete.description": marked(
        "This deletes the chat, its messages and its documents. It cannot be undone."
    ),
    "navigation.header.readme": marked("Help"),
    "navigation.newChat.dialog.title": marked("Start a new chat?"),
    "navigation.newChat.dialog.description": marked(
        "This chat stays in the list of past chats, with its documents."
    ),
}


def install() -> None:
    """Make Chainlit say these words; the language is that of the browser."""
    config: Any = ChainlitConfig
    config.load_translation = lambda _self, language: copy.deepcopy(words(language))
    chainlit.server.get_markdown_str = help_text


def words(language: str) -> dict[str, Any]:
    """Return all words of Chainlit's page in a browser's language, such as ``de-AT``."""
    return _words(texts_in(preferred(language)).language)


@functools.cache
def _words(language: str) -> dict[str, Any]:
    path = Path(TRANSLATIONS_DIR, f"{_FILES[language]}.json")
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for place, text in OURS.items():
        *folders, name = place.split(".")
        folder = functools.reduce(lambda at, key: at.setdefault(key, {}), folders, said)
        folder[name] = texts_in(language).say(text) if text else ""
    return said


def help_text(root: str, language: str) -> str:
    """Return what the button for help shows; the English is where Chainlit wants to have it."""
    spoken = texts_in(preferred(language)).language
    return _read(Path(root, "chainlit.md") if spoken == ENGLISH else _HELP / f"{spoken}.md")


@functools.cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
