"""Numbered files of SQL that are applied to a database once each, in their order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from xnai.sqlite.transactions import transaction

_NAME = re.compile(r"m(\d{3})_[a-z_]+")


@dataclass(frozen=True, slots=True)
class Migration:
    """The statements that make one version of the version before; ``name`` is the file's."""

    name: str
    sql: str


class NewerVersionError(Exception):
    """A later version of the program wrote the database; the text says which, for people."""


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """Return the migrations of a folder; files are only ever added, under the next number.

    Raises:
        ValueError: a number is missing, or there twice.

    """
    files = sorted(folder.glob("*.sql"))
    numbers = [int(match[1]) for file in files if (match := _NAME.fullmatch(file.stem))]
    if numbers != list(range(1, len(files) + 1)):
        raise ValueError(f"the migrations in {folder} are not numbered from 1 without a gap")
    return tuple(Migration(file.stem, file.read_text(encoding="utf-8")) for file in files)


def migrate(connection: apsw.Connection, migrations: Sequence[Migration]) -> None:
    """Apply the migrations that a database does not have yet, all or none.

    How many it has is kept as its ``user_version``.

    Raises:
        NewerVersionError: it has more than there are.

    """
    with transaction(connection):
        version = int(connection.pragma("user_version"))
        if version > len(migrations):
            raise NewerVersionError(
                f"they are of version {version}; this program knows {len(migrations)}"
            )
        for migration in migrations[version:]:
            connection.execute(migration.sql)
        connection.pragma("user_version", len(migrations))
