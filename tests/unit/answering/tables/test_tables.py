"""Tables in the text of documents, and what is calculated over them."""

from decimal import Decimal

import pytest
from growth import FOUR_TIMES, growth

from xnai.answering.tables.calculation import calculated, missing
from xnai.answering.tables.columns import query_table
from xnai.answering.tables.counting import counting_rows, counts_what_is_asked
from xnai.answering.tables.intent import asks_for_calculation, best_table
from xnai.answering.tables.numbers import Numbers, unit_of
from xnai.answering.tables.query import (
    missing_name,
    read_query,
    with_all_named,
)
from xnai.answering.tables.records import tables_of
from xnai.answering.tables.superlative import with_superlative
from xnai.answering.tables.writing import grammar, messages
from xnai.llm.worker.gbnf import to_lark
from xnai.locale import texts_in
from xnai.text.labelled_rows import cells_of
from xnai.types import PageText

SALES = """Sales of the spring

Region: North; Product: Pump; Units: 3; Amount: 450.00 EUR.
Region: South; Product: Valve; Units: 10; Amount: 120.50 EUR.
Region: North; Product: Filter; Units: 25; Amount: 75.25 EUR.
Region: East; Product: Pump; Units: 1; Amount: 1,150.00 EUR.
Region: Total; Units: 39; Amount: 1,795.75 EUR.
"""
INVOICES = [
    f"Invoice {10040 + n}\nDate: 0{n} March 2025\nCustomer: {who}\n\nTotal due: {due} EUR\n"
    for n, who, due in ((1, "Tarn Mills", "476.59"), (2, "Port", "520.62"), (3, "Bakery", "64.65"))
]


def pages(*texts: str, document: str = "d1", name: str = "a.pdf") -> list[PageText]:
    return [PageText(document, name, len(texts), n, text) for n, text in enumerate(texts, 1)]


def asked(written: str, *texts: str):
    (table,) = tables_of(pages(*(texts or (SALES,))))
    query = read_query(written, query_table(table, 40))
    return calculated(query, written) if query else None


def test_rows_with_the_same_labels_are_a_table_that_knows_where_they_stand():
    (table,) = tables_of(pages(SALES))

    assert table.columns == ("Region", "Product", "Units", "Amount")
    assert [row.cells["Units"] for row in table.rows] == ["3", "10", "25", "1", "39"]
    row = table.rows[1]
    assert row.page.text[row.start : row.end].startswith("Region: South; Product: Valve")


SPOKEN = (
    ("SELECT SUM(units) FROM t WHERE region = 'North'", "Summe Units = 3 + 25 = 28"),
    ("SELECT COUNT(*) FROM t WHERE units > 5", "Anzahl der Zeilen = 2"),
    ("SELECT product, amount FROM t ORDER BY amount DESC LIMIT 1", "am höchsten nach Amount: "),
    ("SELECT MIN(units) FROM t", "niedrigster Wert Units = 1, in der Zeile Region: East"),
)


@pytest.mark.parametrize(("written", "told"), SPOKEN)
def test_a_calculation_is_shown_in_the_language_of_the_question(written, told):
    (table,) = tables_of(pages(SALES))
    query = read_query(written, query_table(table, 40))

    result = calculated(query, written, texts_in("de"))

    assert told in result.shown
    assert result.shown.startswith("Berechnet über ")
    assert result.text == calculated(query, written).text  # what the model is told
    assert result.text.startswith("Calculated over ")


def test_what_a_table_has_not_is_said_in_the_language_of_the_question():
    (table,) = tables_of(pages(SALES))
    known = query_table(table, 40)
    written = "SELECT units FROM t WHERE region = 'West'"
    name = missing_name(written, known, "Wie viele Units hat West?")

    result = missing(name, known, written, texts_in("de"))

    assert result.text.startswith("This is not in the documents: no row of the table in a.pdf")
    assert result.shown.endswith("keine Zeile der Tabelle in a.pdf hat Region: West")


def test_forms_that_repeat_are_a_table_of_one_row_each():
    (table,) = tables_of(pages(*INVOICES))

    assert table.columns == ("Invoice", "Date", "Customer", "Total due")
    assert [row.cells["Invoice"] for row in table.rows] == ["10041", "10042", "10043"]
    assert [row.page.page for row in table.rows] == [1, 2, 3]


def test_tables_with_the_same_names_are_one():
    years = "".join(
        f"Segment: {name}; Sales {year}: {sales}.\n"
        for year, rows in ((2024, (4120, 2890, 1760)), (2023, (3708, 2601, 1584)))
        for name, sales in zip(("Pumps", "Valves", "Service"), rows, strict=True)
    )
    (table,) = tables_of(pages(years))

    assert table.columns == ("Segment", "Sales 2024", "Sales 2023")
    assert table.rows[1].cells == {"Segment": "Valves", "Sales 2024": "2890", "Sales 2023": "2601"}
    assert len(table.rows[1].joined) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The rent is due; the deposit: see below.",
        "Region: North; Units: 3.\nRegion: South; Units: 4.",
        "Dear Ms Holm,\nthank you: it arrived.\n",
        "",
        "; ; ; :\n" * 5,
    ],
)
def test_prose_and_two_rows_are_no_table(text):
    assert tables_of(pages(text)) == []


def test_a_second_column_of_the_same_label_has_a_number():
    assert cells_of("State: Ohio; Handgun: 3; Handgun: 5.") == {
        "State": "Ohio",
        "Handgun": "3",
        "Handgun 2": "5",
    }


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,264.03", "75.25"], ["1264.03", "75.25"]),
        (["1.264,03 €", "75,25 €"], ["1264.03", "75.25"]),
        (["1 264,03", "3"], ["1264.03", "3"]),
        (["18,870", "209"], ["18870", "209"]),
        (["$4.50", "-2.00", "(3.00)", "\u22121"], ["4.50", "-2.00", "-3.00", "-1"]),
        (["12 %", "7 %"], ["12", "7"]),
        (["EUR 5.000,00", "EUR 1.200,50"], ["5000.00", "1200.50"]),
    ],
)
def test_numbers_are_read_as_they_are_written(cells, numbers):
    column = Numbers(cells)
    assert column.are_numbers
    assert [column.read(cell) for cell in cells] == [Decimal(number) for number in numbers]


@pytest.mark.parametrize("cells", [["A-1", "B-2"], ["4 March 2025", "5 March 2025"], []])
def test_words_codes_and_dates_are_no_numbers(cells):
    assert not Numbers(cells).are_numbers


def test_the_unit_of_a_column_is_that_of_all_its_cells():
    assert unit_of(["3 EUR", "4.00 EUR"]) == "EUR"
    assert unit_of(["3 EUR", "4 USD"]) == ""


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "SELECT SUM(units) FROM t WHERE region = 'north'",
            "2 of the 4 rows of the table in a.pdf, those with Region: North: sum Units = 3 + 25",
        ),
        ("SELECT COUNT(*) FROM t", "all of the 4 rows of the table in a.pdf: number of rows = 4"),
        ("SELECT COUNT(DISTINCT product) FROM t", "number of different Product = 3"),
        (
            "SELECT region, amount FROM t ORDER BY amount DESC LIMIT 1",
            "the highest Amount: Region: East, Amount: 1,150.00 EUR",
        ),
        ("SELECT MIN(units) FROM t", "lowest Units = 1, in the row Region: East, Product: Pump"),
        ("SELECT AVG(units) FROM t", "average Units = 9.75"),
        (
            "SELECT product, SUM(units) FROM t GROUP BY product ORDER BY SUM(units) DESC LIMIT 1",
            "the highest first: Product Filter: sum Units = 25",
        ),
        ("SELECT COUNT(*) FROM t WHERE units > 2", "Units: more than 2: number of rows = 3"),
        ("SELECT units FROM t WHERE product = 'Filtre'", "Product: Filter: Units: 25"),
        (
            "SELECT product, units FROM t WHERE product IN ('Valve', 'Filter')",
            "; together 10 + 25 = 35; difference 25 - 10 = 15",
        ),
        ("SELECT COUNT(*) FROM t WHERE units > 99", "0 of the 4 rows"),
        ("SELECT product, MAX(units) FROM t", "highest Units = 25, in the row Region: North, Pro"),
        ("SELECT product, SUM(units) FROM t WHERE region = 'North'", "sum Units = 3 + 25 = 28"),
        (
            "SELECT product, units FROM t GROUP BY product ORDER BY units DESC LIMIT 1",
            "sum Units, the highest first: Product Filter: sum Units = 25",
        ),
        ("SELECT COUNT(*) FROM t WHERE region <> 'North'", "with Region: not North: number of"),
        ("SELECT COUNT(*) FROM t WHERE region LIKE '%ort%'", "number of rows = 2"),
        ("SELECT SUM(amount) FROM t", "450.00 + 120.50 + 75.25 + 1150.00 = 1795.75 EUR"),
    ],
)
def test_a_query_is_worked_out_with_its_calculation(written, told):
    result = asked(written)
    assert result is not None
    assert told in result.text


@pytest.mark.parametrize(
    ("written", "question", "told"),
    [
        (
            "SELECT units FROM t WHERE product = 'Filter' AND units > 3",
            "By how much are the units of the filter higher than of the valve?",
            "; together 10 + 25 = 35; difference 25 - 10 = 15",
        ),
        (
            "SELECT amount FROM t WHERE units = 10 ORDER BY amount DESC LIMIT 1",
            "What is the difference between the amounts for 10 and 25 units?",
            "difference 120.50 - 75.25 = 45.25 EUR",
        ),
        (
            "SELECT units FROM t WHERE product = 'Filter'",
            "How many units of the filter, and what of the valve?",
            "those with Product: Filter: Units: 25",
        ),
    ],
)
def test_a_comparison_takes_all_rows_that_it_names(written, question, told):
    (table,) = tables_of(pages(SALES))
    query = read_query(written, query_table(table, 40))
    assert query is not None
    result = calculated(with_all_named(query, question), written)
    assert result is not None
    assert told in result.text


def test_rows_that_sum_up_others_are_not_counted_again():
    result = asked("SELECT SUM(units) FROM t")
    assert result is not None
    assert result.text.endswith("= 39")


def test_a_result_stands_on_the_rows_it_came_from():
    result = asked("SELECT SUM(units) FROM t WHERE region = 'North'")
    assert result is not None
    assert [row.cells["Product"] for row in result.rows] == ["Pump", "Filter"]


@pytest.mark.parametrize(
    "written",
    [
        "NONE",
        "",
        "SELECT SUM(units) FROM t WHERE region = 'Atlantis'",
        "SELECT SUM(units) FROM t WHERE region > 3",
        "SELECT secret FROM t",
        "SELECT units FROM other",
        "DROP TABLE t",
        "SELECT units FROM t; DROP TABLE t",
        "SELECT units FROM t WHERE units = 3 AND region = 'North' OR units = 10",
        "SELECT region, COUNT(*) FROM t WHERE units < 9 GROUP BY product ORDER BY x DESC LIMIT 1",
    ],
)
def test_what_the_table_does_not_have_is_not_worked_out(written):
    assert asked(written) is None


def test_what_is_told_and_cited_has_a_limit_whatever_the_table_holds():
    text = "".join(f"Name: name {n}; Text: {'word ' * 200}; Units: {n}.\n" for n in range(3_000))
    for written in (
        "SELECT COUNT(*) FROM t WHERE name LIKE '%name%'",
        "SELECT text, units FROM t WHERE units > 5",
        "SELECT MAX(units) FROM t",
    ):
        result = asked(written, text)
        assert result is not None
        assert len(result.text) <= 1_000
        assert len(result.rows) <= 12


def test_a_name_with_another_number_is_no_misspelling():
    text = "".join(f"Company: Tarn Works {n}; Staff: {n + 7}.\n" for n in (1, 25, 65))
    assert asked("SELECT staff FROM t WHERE company = 'Tarn Works 50'", text) is None
    assert asked("SELECT staff FROM t WHERE company = 'Tarn Wroks 65'", text) is not None
    assert asked("SELECT units FROM t WHERE region = 'West'") is None  # "East" is another


@pytest.mark.parametrize(
    ("amount", "four"),
    [
        ("9" * 25 + ".99", "3" + "9" * 25 + ".96"),
        ("9" * 29, "3" + "9" * 28 + "6"),
        ("0.00000000000000000001", "0.00000000000000000004"),
    ],
)
def test_numbers_of_any_length_are_exact(amount, four):
    text = "".join(f"Name: n{n}; Amount: {amount}.\n" for n in range(4))
    result = asked("SELECT SUM(amount) FROM t", text)
    assert result is not None
    assert result.text.endswith(f"{amount} + {amount} = {four}")


def test_longer_ones_are_words():
    text = "".join(f"Name: n{n}; Amount: {'9' * 5000}.\n" for n in range(4))
    assert asked("SELECT SUM(amount) FROM t", text) is None


def test_only_columns_whose_values_repeat_make_groups():
    (table,) = tables_of(pages(SALES))
    known = query_table(table, 40)
    rules = dict(rule.split(" ::= ", 1) for rule in grammar(known).split("\n"))
    assert rules["group"] == '" GROUP BY " ("region" | "product")'
    assert asked("SELECT units, COUNT(*) FROM t GROUP BY units") is None
    (unique,) = tables_of(pages("".join(f"Name: n{n}; Amount: {n}.\n" for n in range(3))))
    assert "group" not in grammar(query_table(unique, 40))


@pytest.mark.parametrize(
    ("written", "question", "word"),
    [
        ("SELECT units FROM t WHERE region = 'West'", "How many units in the West?", "West"),
        ("SELECT units FROM t WHERE region = 'Nroth'", "How many units in Nroth?", None),
        ("SELECT units FROM t WHERE region = 'Pump'", "How many units of the pump?", None),
        ("SELECT units FROM t WHERE region = 'Elsewhere'", "How many units were sold?", None),
        ("SELECT COUNT(*) FROM t", "How many in the West?", None),
        ("NONE", "How many in the West?", None),
    ],
)
def test_a_name_that_is_asked_for_and_stands_nowhere_is_missing(written, question, word):
    (table,) = tables_of(pages(SALES))
    found = missing_name(written, query_table(table, 40), question)
    assert (found.word if found else None) == word


@pytest.mark.parametrize(
    ("question", "counts"),
    [
        ("How many different products are there?", True),
        ("How many different people work here?", False),
    ],
)
def test_a_count_of_different_values_is_of_what_was_asked(question, counts):
    (table,) = tables_of(pages(SALES))
    query = read_query("SELECT COUNT(DISTINCT product) FROM t", query_table(table, 40))
    assert query is not None
    assert counts_what_is_asked(query, question) is counts


STOCK = """Article: Hex bolt; On hand: 310; Minimum: 400; Supplier: Kessel.
Article: Chain oil; On hand: 7; Minimum: 10; Supplier: Lubrano.
Article: Goggles; On hand: 26; Minimum: 15; Supplier: Orvo.
Article: Grease; On hand: 12; Minimum: 12; Supplier: Lubrano."""


@pytest.mark.parametrize(
    ("operator", "articles"),
    [
        ("<", {"Hex bolt", "Chain oil"}),
        (">", {"Goggles"}),
        ("<=", {"Hex bolt", "Chain oil", "Grease"}),
    ],
)
def test_two_columns_of_a_row_are_compared(operator, articles):
    result = asked(f"SELECT article FROM t WHERE on_hand {operator} minimum", STOCK)
    assert result is not None
    assert {row.cells["Article"] for row in result.rows} == articles
    assert "Minimum" in result.text


def test_the_words_of_a_table_are_its_labels_and_what_is_no_number():
    (table,) = tables_of(pages(STOCK))
    words = query_table(table, 40).words
    assert words[:4] == ["Article", "On hand", "Minimum", "Supplier"]
    assert {"Chain oil", "Lubrano"} < set(words)
    assert "310" not in words


def test_a_column_of_words_is_compared_with_none():
    assert asked("SELECT article FROM t WHERE on_hand < supplier", STOCK) is None
    assert asked("SELECT article FROM t WHERE on_hand < nowhere", STOCK) is None


def test_the_grammar_is_one_whatever_the_labels_are():
    text = "".join(
        f'"Größe" \\ 1: {n}; 订单: x{n}; order by: {n}; {"y" * 70}: z; 2024: 5; 2024: 6.\n'
        for n in range(4)
    )
    (table,) = tables_of(pages(text))
    known = query_table(table, 40)
    assert to_lark(grammar(known))
    assert asked("SELECT COUNT(*) FROM t", text) is not None
    assert len(set(known.columns)) == len(table.columns)
    assert all(name.isidentifier() for name in known.columns)


def test_a_prompt_shows_few_values_and_those_of_the_question_first():
    text = "".join(f"Town: Town {n} on the hill; People: {n}.\n" for n in range(500))
    (table,) = tables_of(pages(text))
    *_, last = messages(query_table(table, 40), "How many people has town 321 on the hill?")
    assert "town: 'Town 321 on the hill', 'Town 0 on the hill'" in last.content
    assert len(last.content) < 700


def test_a_table_of_many_columns_is_a_short_prompt_all_the_same():
    row = "; ".join(f"Column {n} of the table: value {{}} of column {n}" for n in range(100))
    (table,) = tables_of(pages("".join(f"{row.format(*[k] * 100)}.\n" for k in range(9))))
    known = query_table(table, 40)
    *_, last = messages(known, "How many values are there?")
    assert len(last.content) < 4_000
    assert len(grammar(known)) < 8_000


@pytest.mark.parametrize(
    "line",
    [
        "Name: {n}; Amount: {n}.\n",
        "Name {n}: {n}; Amount {n}: {n}.\n",
        "Label {n}: 3\n",
        "No {n}\n",
        "a; ",
        "a: b; ",
    ],
)
def test_four_times_the_lines_are_at_most_six_times_the_work(line):
    def made(size: int) -> list[PageText]:
        return pages("".join(line.format(n=n) for n in range(size)))

    assert growth(tables_of, made, 4000) <= FOUR_TIMES


@pytest.mark.parametrize(
    "question",
    [
        "How many units were sold in the North region in total?",
        "Which invoice has the highest total?",
        "Wie viele Bestellungen gingen nach Osaka?",
        "Quel est le total pour le Nevada ?",
        "¿Cuántas unidades se vendieron?",
        "Сколько заказов всего?",
        "销量最高的产品是什么",
        "number of maths lessons per week?",
        "What is the number of people on board?",
        "what did he spend there all in all?",
        "What has fallen below the minimum?",
        "Which articles are under their reorder level?",
    ],
)
def test_questions_that_ask_for_a_calculation(question):
    assert asks_for_calculation(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who is the landlord?",
        "How many pages are there?",
        "What does force majeure mean?",
        "Was steht unter Ziffer 4?",
        "What is said over the fee below?",
        "number of Mr Okoro's everyday account?",
        "What's the number of the invoice?",
    ],
)
def test_questions_that_do_not(question):
    assert not asks_for_calculation(question)


def test_the_table_is_taken_whose_columns_are_named():
    staff = "".join(f"Employee: {n}; Salary: {n}00.\n" for n in ("1", "2", "3"))
    tables = tables_of([*pages(SALES), *pages(staff, document="d2", name="staff.csv")])

    chosen = best_table(tables, "What is the highest salary?")

    assert chosen is not None
    assert chosen.file_name == "staff.csv"
    assert best_table([], "What is the highest salary?") is None


REGISTER = "\n".join(
    f"Notice: 0{day} May 2025; Company: {name} {number}; "
    f"Year: {2020 + number % 2}; Permit: {permit}."
    for day, name, number, permit in (
        (1, "Holm", 1, "0"),
        (1, "Sund", 2, "264,140"),
        (2, "Tarn", 3, "0"),
        (3, "Quay", 4, "18,870"),
    )
)


def register():
    (table,) = tables_of(pages(REGISTER))
    return query_table(table, 40)


@pytest.mark.parametrize(
    ("written", "question", "distinct"),
    [
        ("SELECT COUNT(DISTINCT notice) FROM t", "How many notices are there?", False),
        ("SELECT COUNT(DISTINCT notice) FROM t", "How many different notices are there?", True),
        ("SELECT COUNT(DISTINCT company) FROM t", "How many companies are there?", True),
    ],
)
def test_dates_are_counted_each_and_names_once(written, question, distinct):
    query = read_query(written, register())
    assert query is not None

    assert counting_rows(query, question).terms[0].distinct is distinct


@pytest.mark.parametrize(
    ("name", "repeats"), [("notice", True), ("company", False), ("year", True), ("permit", False)]
)
def test_amounts_that_are_the_same_by_chance_are_no_groups(name, repeats):
    assert register().columns[name].repeats is repeats


@pytest.mark.parametrize(
    ("written", "question", "order"),
    [
        ("SELECT company, COUNT(*) FROM t", "Which company had the most permits?", "permit"),
        ("NONE", "Which company had the fewest permits?", "permit"),
        ("SELECT company, permit FROM t", "Which company had the most permits?", None),
        ("SELECT COUNT(*) FROM t", "How many permits were there at most?", None),
        ("SELECT COUNT(*) FROM t", "Which company had the most complaints?", None),
        ("SELECT COUNT(*) FROM t", "Which had the most permits and which the fewest?", None),
    ],
)
def test_the_most_of_a_column_that_is_named_is_looked_for_in_that_column(written, question, order):
    table = register()

    query = with_superlative(read_query(written, table), question, table)

    found = query.order.column.name if query and query.order else None
    assert found == order
    if query and order:
        assert query.descending is ("most" in question)


def test_a_longer_name_of_a_value_means_the_value_unless_its_figures_differ():
    company = register().columns["company"]

    assert company.value_like("holm 1 gmbh") == "Holm 1"
    assert company.value_like("Holm 1 no. 7") is None
