"""PDFs as programs write them: turned, from right to left, with headings above several columns."""

from pathlib import Path

import pytest

from xnai.documents.parsers.seen import Seen
from xnai.documents.pdf import marked, reader
from xnai.types import Page

CASES = Path(__file__).parent / "cases"


def read(name: str) -> list[Page]:
    return list(reader.pages(reader.open_pdf(CASES / name), Seen()))


@pytest.mark.parametrize(
    ("name", "page", "line"),
    [
        ("turned-pages.pdf", 1, "Berth: B7; Vessel: Skua; Length (m): 22.0; Draught (m): 3.2."),
        ("turned-pages.pdf", 2, "Berth: B7; Vessel: Skua; Length (m): 22.0; Draught (m): 3.2."),
        ("turned-pages.pdf", 3, "Berth: B7; Vessel: Skua; Length (m): 22.0; Draught (m): 3.2."),
        ("drawn-sideways.pdf", 1, "Shift: Late; Mon: Carl; Tue: Ines; Wed: Dag."),
        ("upright-headings.pdf", 1, "Station: Corne; Toilets: 4; Parking: 210; Lift: yes;"),
        ("half-years.pdf", 1, "Operating result; 2023 Q1: 1.2; 2023 Q2: (0.3); 2023 H1: 0.9;"),
        ("half-years.pdf", 1, "2024 Q2: 14.9; 2024 H1: 27.9."),
        ("delivery-note.pdf", 1, "Consignee: Farm Lillevik."),
        ("delivery-note.pdf", 1, "Gross weight (kg): 1,280."),
        ("laboratory.pdf", 1, "Test: Ferritin; Result: 9; Flag: L; Unit: ng/mL;"),
        ("laboratory.pdf", 1, "Patient: Tilde Marsh Born: 14.02.1961 Sample: 0093-7714"),
        ("ship-particulars.pdf", 1, "Owner: Sund Ferries AS."),
        (
            "wrapped-cells.pdf",
            1,
            "Article: Anchor chain; Specification: Galvanised, 10 mm, tested to",
        ),
        (
            "wrapped-cells.pdf",
            1,
            "for adults above sixty kilograms; Number: 5; Price each: 189.00.",
        ),
        ("menu-kerned.pdf", 1, "The Anchor\nStarters\nFish soup\nBeetroot salad\nMains"),
        ("policy-stacked.pdf", 1, "Policy number: NP-558-2290.\nPremium per year: 412.60 EUR."),
        ("policy-stacked.pdf", 1, "Valid until: 30 April 2026.\nAgent: Vale & Moss."),
        ("paper-columns.pdf", 2, "Depth (cm): 5-10; Carbon (%): 3.3; n: 58."),
        ("invoice-blocks.pdf", 1, "Invoice no.: BF-2024-00731.\nInvoice date: 17 Sept 2024."),
        ("invoice-blocks.pdf", 1, "Qty: 4.5; Unit: h; Unit price: 58.00; Amount: 261.00."),
        ("invoice-blocks.pdf", 1, "Discount: 10 %; Amount: 311.40."),
        ("invoice-blocks.pdf", 1, "\nNet total: 657.40.\nVAT 20 %: 131.48.\n"),
        ("payslip-blocks.pdf", 1, "Employee no.: 004417.\nDepartment: Laboratory."),
        ("payslip-blocks.pdf", 1, "Earnings: Overtime 1.5; Hours: 11.67; Rate: 32.10;"),
        ("payslip-blocks.pdf", 1, "National Insurance; This period: 192.73; Year to date: 385.46."),
        ("laboratory-spaced.pdf", 2, "Taken: 03.06.2024 07:45.\nReceived: 03.06.2024 10:20."),
        ("laboratory-spaced.pdf", 2, "Analyte: Clinical chemistry.\nAnalyte: Sodium; Result: 139;"),
        ("laboratory-spaced.pdf", 2, "Result: 5.6; Flag: H; Unit: mmol/L; Reference: 3.5"),
        ("prices-grouped.pdf", 1, "Size: 8 mm; Retail 1 piece: 2.40; Retail 10 pieces: 21.60;"),
        ("prices-grouped.pdf", 1, "Trade 1 piece: 99.00; Trade 10 pieces: 891.00."),
        ("paper-small-table.pdf", 1, "River: Mosk; Area km²: 405; Q m³/s: 10.1; Load kt/a: 84."),
        ("bill-with-sums.pdf", 1, "Period: Standing charge; Euros: 48.00.\n\nNet: 580.53.\n"),
        ("bill-with-sums.pdf", 1, "Night rate; Previous: 7,015; Current: 7,688; kWh: 673;"),
        ("sheet-clipped.pdf", 1, "2024 plan: 4,200; 2024 actu: 4,350; 2025 plan: 4,500; Note: 45"),
        ("paper-small-table.pdf", 1, "gauges of the water\nboard.\nTable 1. Stations.\n"),
    ],
)
def test_each_cell_has_its_label(name, page, line):
    assert line in read(name)[page - 1].text


def test_addresses_beside_each_other_are_read_one_after_the_other():
    (page,) = read("invoice-blocks.pdf")

    found = [page.text.index(part) for part in ("Mill Lane 7", "Ship to", "Annex", "Loading Bay 2")]
    assert sorted(found) == found


def test_three_columns_drawn_row_by_row_are_read_one_after_the_other():
    (page,) = read("three-columns.pdf")

    found = [page.text.index(part) for part in ("Skar:", "1868", "summer.", "forty", "north pier")]
    assert sorted(found) == found


def test_a_stamp_across_a_page_stands_apart_from_its_text_and_is_no_heading():
    first, second = read("watermark.pdf")

    assert first.text.startswith("1. The lender pays out")
    assert first.text.rstrip().endswith("\nCONFIDENTIAL")
    assert "Year: 2027; Repayment: 30,000; Rest: 170,000." in second.text
    assert not [block for block in first.blocks if block.kind == "heading"]


def test_lines_that_run_from_the_right_are_in_the_order_of_reading():
    (page,) = read("lease-hebrew.pdf")

    assert "מיום 1 במאי 2024 ועד 30 באפריל 2026." in page.text
    assert "והם ישולמו עד ה-5 בכל חודש." in page.text
    assert 'שטח (מ"ר)' in page.text
    assert "כתובת דואר: noa.levi@example.org, טלפון 04-555-0182." in page.text


@pytest.mark.parametrize(
    ("name", "words"), [("lease-hebrew.pdf", "8,700 שקלים"), ("turned-pages.pdf", "Skua")]
)
def test_marks_lie_on_the_words_that_are_quoted(name, words):
    document = reader.open_pdf(CASES / name)
    page = read(name)[0]
    start = page.text.index(words)
    indices = marked._indices(document, 0, page.native or 0)

    textpage = document[0].get_textpage()
    chosen = [index for index in indices[start : start + len(words)] if index >= 0]
    said = {textpage.get_text_range(index, 1) for index in chosen}
    assert said == set(words)


def test_a_block_of_a_turned_page_has_the_box_that_it_is_drawn_in():
    first, *_ = read("turned-pages.pdf")

    (table,) = [block for block in first.blocks if block.kind == "table"]
    assert table.box is not None
    left, top, right, bottom = table.box
    assert right - left > 2 * (bottom - top)
    assert left < 1_000
