"""The check of rights on libraries as a condition in SQL, beside ``rights.may``."""

from xnai.accounts.rights import seen_by


def library_seen_by(library: str) -> str:
    """Return the SQL condition for libraries that ``:person_id`` may see, by the rows' alias."""
    return (
        f"({seen_by(f'{library}.owner')} OR ({library}.owner <> '' AND EXISTS ("  # noqa: S608
        f"SELECT 1 FROM library_members m WHERE m.library_id = {library}.id "
        "AND m.person_id = :person_id)))"
    )
