"""Blocks of real files as ``/v1/files/{id}/pages/{n}`` gives them."""

from pathlib import Path

import apsw
import pytest
from api_server import client, program, serving
from documents_library import GatedEmbedder, followed, opened

CASES = Path(__file__).parent / "cases"


@pytest.fixture
async def page_of(tmp_path):
    """A server with a real library; gives pages of the files of ``cases``."""
    async with opened(tmp_path / "data", GatedEmbedder(tmp_path)) as (library, _):
        runtime = program(tmp_path)
        runtime.library = library
        async with serving(runtime) as url, client(url) as http:

            async def page(name: str, number: int) -> dict[str, object]:
                content = (CASES / name).read_bytes()
                sent = await http.post("/v1/files", files={"file": (name, content)})
                await followed(library, sent.json()["id"])
                answer = await http.get(f"/v1/files/{sent.json()['id']}/pages/{number}")
                assert answer.status_code == 200, answer.text
                return answer.json()

            yield page


def of_kind(page, kind):
    return [block for block in page["blocks"] if block["kind"] == kind]


async def test_a_table_with_merged_cells_is_given_cell_by_cell(page_of):
    page = await page_of("roster-merged.docx", 0)

    (table,) = of_kind(page, "table")
    assert table["rows"] == [
        ["Hall", "Day", "Early", "Late"],
        ["Hall 1", "Monday", "Holm", "Lark"],
        ["Hall 1", "Tuesday", "Moss", "Holm"],
        ["Hall 2", "Monday", "Sund", "Vale"],
        ["Hall 2", "Tuesday", "Lark", "Sund"],
        ["Gate", "Sunday", "closed", "closed"],
    ]
    assert (table["section"], table["box"], table["ocr_confidence"]) == ("Duty roster", None, None)
    assert page["text"].endswith(table["text"])


async def test_the_tables_of_a_sheet_keep_their_own_headings(page_of):
    page = await page_of("segments.xlsx", 1)

    first, second = of_kind(page, "table")
    assert first["rows"][0][1] == "January-June 2024 Sales"
    assert first["rows"][1][:2] == ["Pumps", "4120"]
    assert second["rows"][0][1] == "January-June 2023 Sales"
    assert second["rows"][1][:2] == ["Pumps", "3708"]
    assert second["section"] == "Segments"


async def test_a_table_that_goes_on_has_the_headings_of_the_page_before(page_of):
    page = await page_of("notices-title-last.pdf", 2)

    (table,) = of_kind(page, "table")
    assert table["rows"][0] == ["Notice", "Effective", "Company", "City", "Staff", "Kind"]
    (row,) = [row for row in table["rows"] if row[2] == "Holm Works 50"]
    assert row[3:] == ["Fjell", "170", "Closure"]
    left, top, right, bottom = table["box"]
    assert 0 < left < right < 1
    assert 0 < top < bottom < 1


async def test_a_wide_table_has_a_row_for_each_state(page_of):
    page = await page_of("nics-background-checks-2015-11.pdf", 1)

    (table,) = of_kind(page, "table")
    permits = {row[0]: row[table["rows"][0].index("Permit")] for row in table["rows"]}
    assert (permits["Alabama"], permits["Alaska"]) == ("18,870", "209")


async def test_the_fields_of_a_form_have_their_values_and_places(page_of):
    page = await page_of("form-filled.pdf", 1)

    (form,) = of_kind(page, "form")
    fields = dict(form["rows"])
    assert fields["Name of vessel"] == "Silver Heron"
    assert fields["Insurance policy number"] == "NP-558-2290"
    assert (fields["Electricity wanted"], fields["Berth size"]) == ("yes", "Large")
    assert (form["section"], form["ocr_confidence"]) == ("Application for a mooring", None)
    assert all(0 < end < 1 for end in form["box"])


async def test_headings_of_a_contract_are_known_by_their_type_and_hold_over_pages(page_of):
    first = await page_of("contract-a.pdf", 1)
    second = await page_of("contract-a.pdf", 2)

    assert [block["text"] for block in of_kind(first, "heading")][:2] == [
        "Maintenance Agreement MA-2025-017",
        "1 Parties",
    ]
    assert second["blocks"][0]["text"] == "4 Term and termination"
    clauses = second["blocks"][1]
    assert (clauses["kind"], clauses["section"]) == ("paragraph", "4 Term and termination")
    assert clauses["text"].startswith("4.1 The agreement begins on 1 April 2025")


async def test_each_column_of_a_page_is_a_block_with_its_own_place(page_of):
    page = await page_of("two-columns-rows.pdf", 1)

    left, right = page["blocks"]
    assert ("1781" in left["text"], "four\neuros" in right["text"]) == (True, True)
    assert left["box"][2] <= right["box"][0]


async def test_marks_of_headings_are_no_part_of_them(page_of):
    page = await page_of("policy-autonumber.docx", 0)

    headings = [block["text"] for block in of_kind(page, "heading")]
    assert headings[:3] == ["Travel policy", "1. Purpose", "2. Booking"]
    (taxis,) = [block for block in page["blocks"] if "Taxi fares" in block["text"]]
    assert taxis["section"] == "4. Expenses"


async def test_notes_of_a_document_are_notes(page_of):
    page = await page_of("lease-tracked.docx", 0)

    notes = [block["text"] for block in of_kind(page, "note")]
    assert notes[0].startswith("[1] Working days are Monday to Thursday")
    assert notes[1].startswith("Comment by Reviewer")


async def test_a_scan_says_how_sure_its_recognition_was(page_of):
    page = await page_of("scan-table.pdf", 1)

    (table,) = of_kind(page, "table")
    cells = {row[0]: row[1] for row in table["rows"]}
    assert (cells["Iron"], cells["Manganese"]) == ("1.1 mg/L", "0.41 mg/L")
    assert all(0.5 < block["ocr_confidence"] <= 1 for block in page["blocks"])
    (last,) = [block for block in page["blocks"] if "may not be used" in block["text"]]
    assert table["box"][3] < last["box"][1]  # it stands below


async def test_labels_and_values_of_a_job_sheet_are_pairs(page_of):
    page = await page_of("job-sheet.pdf", 1)

    fields = {label: value for form in of_kind(page, "form") for label, value in form["rows"]}
    assert (fields["Engineer"], fields["Due"]) == ("Per Ostby", "26 April 2025")
    assert fields["Hours on site"] == "3.5"


async def test_a_page_that_an_earlier_version_has_read_has_blocks_by_its_text(tmp_path):
    name = "roster-merged.docx"
    async with opened(tmp_path / "data", GatedEmbedder(tmp_path)) as (library, _):
        document = await library.add("p", name, CASES / name)
        await followed(library, document.id)
        now = await library.page_content(document, None)
        connection = apsw.Connection(str(tmp_path / "data" / "index.sqlite3"))
        connection.execute("UPDATE pages SET blocks = NULL")
        connection.close()
        then = await library.page_content(document, None)

    assert then == now
    assert [block.kind for block in then.blocks] == ["heading", "table"]


async def test_blocks_that_were_damaged_are_found_in_the_text(tmp_path):
    name = "policy-autonumber.docx"
    async with opened(tmp_path / "data", GatedEmbedder(tmp_path)) as (library, _):
        document = await library.add("p", name, CASES / name)
        await followed(library, document.id)
        now = await library.page_content(document, None)
        connection = apsw.Connection(str(tmp_path / "data" / "index.sqlite3"))
        connection.execute("UPDATE pages SET blocks = x'00'")
        connection.close()
        then = await library.page_content(document, None)

    assert then == now
