"""What persons have chosen in the settings panel; blocking calls, made from one thread."""

from collections.abc import Mapping
from typing import Any

import apsw

from xnai.accounts.principal import Principal
from xnai.ui.history.rows import Row, bounded_json, loads, now

MAX_CHOSEN = 20_000  # characters of JSON


class ChoiceTable:
    """Implements ``ChoiceStore``; everybody has their own."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def of(self, actor: Principal) -> Row:
        """Return what the actor has chosen; nothing if nothing was."""
        query = "SELECT chosen FROM choices WHERE person_id = ?"
        row = self._db.execute(query, (actor.person_id,)).fetchone()
        chosen = loads(row[0]) if row else {}
        return chosen if isinstance(chosen, dict) else {}

    def put(self, actor: Principal, chosen: Mapping[str, Any]) -> None:
        """Keep what the actor, a known user, has chosen, in the place of what was."""
        self._db.execute(
            "INSERT INTO choices (person_id, chosen, updated_at) "
            "SELECT identifier, ?, ? FROM users WHERE identifier = ? "
            "ON CONFLICT (person_id) DO UPDATE "
            "SET chosen = excluded.chosen, updated_at = excluded.updated_at",
            (bounded_json(dict(chosen), MAX_CHOSEN), now(), actor.person_id),
        )
