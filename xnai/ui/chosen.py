"""Documents that were chosen on their page, to be asked about in the chat that is opened next."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xnai.ui import library_choice

KEY = "documents:"  # begins the setting of a chat that names documents it asks
MOST = 500  # that one chat asks
_SECONDS = 300.0  # in which a chat has to be opened
_WISHES = 1000  # that wait
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class NextChat:
    """What the next chat is to ask: documents, or a library."""

    document_ids: tuple[str, ...] = ()
    library_id: str = ""

    def settings(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of a chat that asks this, and no other library."""
        others = {key: value for key, value in before.items() if not library_choice.is_choice(key)}
        if self.library_id:
            return {**others, f"{library_choice.KEY}{self.library_id}": True}
        return {**others, f"{KEY}{','.join(self.document_ids)}": True}


class ChosenDocuments:
    """What persons want to ask about next, each until a chat is opened."""

    def __init__(self) -> None:
        self._wishes: dict[str, tuple[float, NextChat]] = {}

    def wish(self, person_id: str, wish: NextChat) -> None:
        """Keep what a person's next new chat is to ask."""
        self._wishes.pop(person_id, None)
        while len(self._wishes) >= _WISHES:
            del self._wishes[next(iter(self._wishes))]
        self._wishes[person_id] = (time.monotonic(), wish)

    def take(self, person_id: str) -> NextChat | None:
        """Return it, once, unless too much time has passed."""
        at, wish = self._wishes.pop(person_id, (0.0, None))
        return wish if time.monotonic() - at < _SECONDS else None


def key_of(values: Mapping[str, object]) -> str:
    """Return the setting that names documents; empty if there is none."""
    return next((key for key in values if key.startswith(KEY)), "")


def ids_of(values: Mapping[str, object]) -> tuple[str, ...]:
    """Return the documents that a chat asks by its settings, which come from the browser."""
    key = key_of(values)
    if not key or values[key] is not True:
        return ()
    return tuple(one for one in key.removeprefix(KEY).split(",") if _ID.fullmatch(one))[:MOST]
