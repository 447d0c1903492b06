"""The people of a data folder: the one local person, and one for each API key.

``accounts.json`` maps them to random, stable ids, so that no record contains a name or a key. Of a
key it holds the SHA-256.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import structlog

from xnai.accounts.principal import OPERATE, USE, Kind, Principal
from xnai.aio import Deadline
from xnai.data_folder import marker
from xnai.errors import ACCOUNTS_DAMAGED, DATA_DIR_UNUSABLE, XnaiError
from xnai.settings import Settings

log = structlog.get_logger(__name__)

FILE = "accounts.json"
_LOCK = ".accounts.lock"
_LOCK_SECONDS = 5.0
_FORMAT = 1
# How versions up to 0.1 named people: the page without keys, the API without keys, a key.
_ONCE_LOCAL = frozenset({"local", "api"})
_ONCE_KEY = re.compile(r"key:([0-9a-f]{16})")  # the first digits of its SHA-256
_ALL = frozenset({USE, OPERATE})


class _OtherVersionError(ValueError):
    """The file is of a format that this version does not know."""


class People:
    """Everybody who may come in, and the names that earlier versions gave them.

    Several processes may share the folder: all of them use the ids of the first.

    Args:
        data_dir: where the mapping is kept.
        api_keys: the current keys; the first one is the operator's. Without any, whoever reaches
            the server is the local person.

    Raises:
        XnaiError: ACCOUNTS_DAMAGED, DATA_DIR_UNUSABLE.

    """

    def __init__(self, data_dir: Path, api_keys: Sequence[str] = ()) -> None:
        self._folder = data_dir
        self._path = data_dir / FILE
        self._digests = [hashlib.sha256(key.encode()).hexdigest() for key in api_keys]
        self._rows: list[dict[str, str]] = []
        self._known: dict[str, Principal] = {}
        self._by_digest: dict[str, Principal] = {}
        self._introduce(self._digests)
        self.local = self._principal("local", _ALL if not self._digests else frozenset())
        if not self._digests:
            self._known[self.local.person_id] = self.local
        for number, digest in enumerate(self._digests):
            scopes = _ALL if number == 0 else frozenset({USE})
            found = self._by_digest.setdefault(digest, self._principal(digest, scopes))
            self._known.setdefault(found.person_id, found)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the people of a data folder with the keys of the settings."""
        return cls(settings.data_dir, [key.get_secret_value() for key in settings.api_keys])

    @property
    def have_keys(self) -> bool:
        """Whether a key is needed to come in."""
        return bool(self._digests)

    @property
    def operator(self) -> Principal:
        """Who operates the server: the holder of the first key, without keys the local person."""
        return self._by_digest[self._digests[0]] if self._digests else self.local

    def of_key(self, key: str) -> Principal | None:
        """Return the holder of a key, if it is a current one."""
        given = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        # Every key is compared, so that the time taken does not show which came close.
        matches = [digest for digest in self._digests if hmac.compare_digest(given, digest)]
        return self._by_digest[matches[0]] if matches else None

    def of_id(self, person_id: str) -> Principal:
        """Return the person with an id; one who may not come in any more has no scopes."""
        return self._known.get(person_id) or Principal(person_id, "key")

    def ids(self) -> frozenset[str]:
        """Return every id that was ever given to somebody here."""
        return frozenset(row["person_id"] for row in self._rows)

    def knows(self, person_id: str) -> bool:
        """Return whether an id was ever given to somebody here."""
        return person_id in self.ids()

    def id_of_former_name(self, name: str) -> str:
        """Return the id of a person whom earlier versions called ``local``, ``api`` or ``key:…``.

        Any other name is an id already. A key that is not a current one has an id waiting for it.
        """
        if name in _ONCE_LOCAL:
            return self.local.person_id
        match = _ONCE_KEY.fullmatch(name)
        if match is None:
            return name
        beginning = match[1]
        if self._row(beginning) is None:
            self._introduce([beginning])
        row = self._row(beginning)
        assert row is not None
        return row["person_id"]

    def _principal(self, name: str, scopes: frozenset[str]) -> Principal:
        row = self._row(name)
        assert row is not None
        kind: Kind = "local" if name == "local" else "key"
        return Principal(row["person_id"], kind, scopes)

    def _row(self, name: str) -> dict[str, str] | None:
        """Return the row of ``local``, of a digest, or of the longest beginning of it."""
        for row in self._rows:
            key = row.get("key", "")
            if row["kind"] == name or (key and (name.startswith(key) or key.startswith(name))):
                return row
        return None

    def _introduce(self, digests: Sequence[str]) -> None:
        """Give an id to everybody who has none yet."""
        self._rows = read_people(self._path)
        if not self._lacking(digests):
            self._note()
            return
        try:
            with _locked(self._folder):
                self._rows = read_people(self._path)
                for name in self._lacking(digests):
                    self._name(name)
                _write(self._path, self._rows)
                self._note()
        except OSError as exc:
            reason = exc.strerror or "unknown error"
            raise XnaiError(DATA_DIR_UNUSABLE, folder=self._folder, reason=reason) from exc

    def _note(self) -> None:
        """Have a folder of ours remember that it has the file, without which all would be new."""
        if marker.read(self._folder) is not None:
            marker.record(self._folder, marker.PEOPLE)

    def _lacking(self, digests: Sequence[str]) -> list[str]:
        """Return who has no row, and which keys are known by their beginning alone."""

        def is_whole(name: str) -> bool:
            row = self._row(name)
            return row is not None and len(row.get("key", name)) >= len(name)

        return [name for name in ("local", *dict.fromkeys(digests)) if not is_whole(name)]

    def _name(self, name: str) -> None:
        row = self._row(name)
        if row is not None:
            row["key"] = name
            return
        made = {"person_id": secrets.token_hex(16), "kind": "local" if name == "local" else "key"}
        self._rows.append(made if name == "local" else {**made, "key": name})


def read_people(path: Path) -> list[dict[str, str]]:
    """Return the rows of the file; none where there has never been one.

    Raises:
        XnaiError: ACCOUNTS_DAMAGED.

    """
    try:
        if not path.exists() and marker.holds(path.parent, marker.PEOPLE):
            raise XnaiError(ACCOUNTS_DAMAGED, path=path, reason="it is gone")
        return _people(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return []
    except OSError as exc:
        reason = exc.strerror or "unknown error"
        raise XnaiError(ACCOUNTS_DAMAGED, path=path, reason=reason) from exc
    except (ValueError, TypeError, KeyError) as exc:
        reason = "it is not what XNAi wrote"
        if isinstance(exc, _OtherVersionError):
            reason = "another version of XNAi wrote it, which is needed to read it"
        raise XnaiError(ACCOUNTS_DAMAGED, path=path, reason=reason) from exc


def _people(stored: Any) -> list[dict[str, str]]:
    if stored["format"] != _FORMAT:
        raise _OtherVersionError
    rows = [dict(row) for row in stored["people"]]
    if not all(map(_is_person, rows)):
        raise ValueError("a row is not one of a person")
    return rows


def _is_person(row: dict[str, Any]) -> bool:
    texts = all(isinstance(value, str) and value for value in row.values())
    return texts and {"person_id", "kind"} <= set(row) and row["kind"] in {"local", "key"}


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    """Replace the file as a whole, readable by its owner alone, and on the disk on return."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"format": _FORMAT, "people": rows}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = Deadline.after(_LOCK_SECONDS)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if deadline.is_over:
                    raise
                time.sleep(0.02)  # at start, before there is a loop
        yield
    finally:
        os.close(lock)
