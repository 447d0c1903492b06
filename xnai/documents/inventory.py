"""What a data folder holds of documents, for operators: read beside a server, changing nothing."""

from dataclasses import dataclass, field
from pathlib import Path

from xnai.documents import survey
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite.checking import records_in
from xnai.types import Document


@dataclass(slots=True)
class Inventory:
    """``missing`` are the records whose file is not what it should be, each with the reason.

    ``unrecorded`` are ids of files that the index does not know; ``away`` says why the folder of
    the documents cannot be looked into; ``damage`` why not all of the index could be read.
    """

    records: list[Document] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    unrecorded: list[str] = field(default_factory=list)
    away: str = ""
    damage: str = ""


def take_stock(data_dir: Path) -> Inventory:
    """Compare the index with the folder of the documents; blocks."""
    index, damage = data_dir / "index.sqlite3", Damage()
    is_there = index.is_file() and index.stat().st_size > 0
    records = records_in(index, damage) if is_there else []
    found = survey.look(data_dir, known=bool(records))
    faults = {record.id: found.fault(record) for record in records}
    unrecorded = sorted(found.originals.keys() - faults.keys() - found.gone)
    missing = {document_id: fault for document_id, fault in faults.items() if fault}
    return Inventory(records, missing, unrecorded, found.away, damage.words())
