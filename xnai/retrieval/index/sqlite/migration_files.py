"""Migrations of a SQLite file: numbered files of SQL that are applied once each, in their order."""

import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"m(\d{3})_[a-z_]+")


@dataclass(frozen=True, slots=True)
class Migration:
    """The statements that make one version of the version before; ``name`` is the file's."""

    name: str
    sql: str


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
