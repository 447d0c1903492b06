"""The name under which a chat comes into the list, in the place of its whole first message."""

from collections.abc import Callable, Sequence
from typing import Any

from chainlit.chat_context import chat_context
from chainlit.emitter import ChainlitEmitter

from xnai.locale import Texts
from xnai.ui.reading_language import texts_of

NameOf = Callable[[str, Sequence[str], str | None, Texts], str]


def install(name_of: NameOf) -> None:
    """Make Chainlit name new chats so; it calls ``init_thread`` once, after the first message."""
    first: Any = getattr(ChainlitEmitter.init_thread, "original", ChainlitEmitter.init_thread)

    async def init_thread(self: Any, interaction: str) -> None:
        await first(self, _named(self.session, interaction, name_of) or interaction)

    named: Any = init_thread
    named.original = first
    ChainlitEmitter.init_thread = named


def _named(session: Any, interaction: str, name_of: NameOf) -> str:
    asked = next((one for one in reversed(chat_context.get()) if one.type == "user_message"), None)
    files = [element.name for element in asked.elements or []] if asked else []
    command = asked.command if asked else None
    return name_of(interaction, files, command, texts_of(session))
