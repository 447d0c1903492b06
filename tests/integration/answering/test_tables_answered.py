"""A question about a cell of a table finds its row, whatever file the table is in."""

import httpx
import pytest
from documents_files import epub, xlsx

from rig.pdf_files import placed_pdf

pytestmark = pytest.mark.engine

TOWNS = [
    ["Town", "Inhabitants", "Mayor", "Founded"],
    ["Norwick", "12,430", "Ada Holm", "1204"],
    ["Sandby", "8,112", "Jon Prior", "1367"],
    ["Eastmoor", "31,009", "Mia Lund", "1121"],
]
ROW = "Town: Sandby; Inhabitants: 8,112; Mayor: Jon Prior; Founded: 1367."
HTML = "<table>{}</table>".format(
    "".join("<tr>{}</tr>".format("".join(f"<td>{cell}</td>" for cell in row)) for row in TOWNS)
)


def by_column() -> bytes:
    """A PDF without rules, written column after column."""
    cells = [(60 + 110 * c, 700 - 20 * r, 11, TOWNS[r][c]) for c in range(4) for r in range(4)]
    return placed_pdf([([(60, 760, 11, "The towns of the coast are old."), *cells], ())])


FILES = {
    "towns.pdf": by_column(),
    "towns.xlsx": xlsx({"Towns": TOWNS}),
    "towns.csv": "\n".join(";".join(row) for row in TOWNS).encode(),
    "towns.html": f"<html><body><h1>Towns</h1>{HTML}</body></html>".encode(),
    "towns.epub": epub([("Towns", HTML)], raw=True),
}


@pytest.mark.parametrize("name", FILES)
def test_the_row_of_a_cell_is_what_is_quoted(server, name):
    file_id = server.upload(name, FILES[name])
    body = {
        "messages": [{"role": "user", "content": "How many inhabitants does Sandby have?"}],
        "retrieval": {"document_ids": [file_id]},
        "max_tokens": 40,
        "temperature": 0,
    }

    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120).json()

    # A model of 135 million weights is not asked which of its cells it is.
    assert answer["answer"]["outcome"] == "quoted"
    assert answer["citations"][0]["quote"] == ROW
    assert f"{ROW} [1]" in answer["choices"][0]["message"]["content"]
