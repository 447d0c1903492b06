"""Which queries ask for what the question names."""

import pytest

from xnai.answering.tables.columns import query_table
from xnai.answering.tables.grounding import is_grounded
from xnai.answering.tables.query import read_query
from xnai.answering.tables.records import tables_of
from xnai.types import PageText

TEXT = """Date: 1 May; Payee: Grove Market; Paid out: 12.00; Balance: 90.00.
Date: 2 May; Payee: Velo Depot; Paid out: 46.28; Balance: 43.72.
Date: 3 May; Payee: Grove Market; Paid out: 31.90; Balance: 11.82."""
(TABLE,) = tables_of([PageText("d1", "a.csv", 1, None, TEXT)])


@pytest.mark.parametrize(
    ("written", "question", "grounded"),
    [
        ("SELECT SUM(paid_out) FROM t WHERE payee = 'Grove Market'", "Spent at Grove?", True),
        ("SELECT SUM(paid_out) FROM t WHERE payee = 'Velo Depot'", "Spent at Grove?", False),
        ("SELECT SUM(paid_out) FROM t WHERE payee = 'Grove Market'", "Spent at Grobe?", True),
        ("SELECT SUM(paid_out) FROM t WHERE payee = 'Grove Market'", "Spent at Groats?", False),
        ("SELECT SUM(paid_out) FROM t", "How much was paid in all?", True),
        ("SELECT SUM(paid_out) FROM t", "How much does he owe us?", False),
        ("SELECT MAX(balance) FROM t", "What was the highest balance?", True),
        ("SELECT payee FROM t ORDER BY balance DESC LIMIT 1", "Where was most paid?", False),
        ("SELECT payee FROM t ORDER BY paid_out DESC LIMIT 1", "Where was most paid?", True),
        ("SELECT COUNT(*) FROM t WHERE paid_out > 20", "How many above 20 were paid?", False),
        ("SELECT SUM(paid_out) FROM t WHERE paid_out > 20", "What was paid above 20?", True),
        ("SELECT SUM(paid_out) FROM t WHERE paid_out > 30", "What was paid above 20?", False),
        ("SELECT COUNT(*) FROM t", "How many are there?", False),
        ("SELECT payee FROM t WHERE paid_out > balance", "Who got more than the balance?", True),
        ("SELECT payee FROM t WHERE paid_out > balance", "Who got too much?", False),
        ("SELECT balance FROM t WHERE date = '1 May'", "The balance on 1 May?", True),
        ("SELECT balance FROM t WHERE date = '1 May'", "How did the balance of 1 May rise?", False),
        ("SELECT payee, SUM(balance) FROM t", "Which payee got most?", False),
    ],
)
def test_a_query_is_grounded_where_the_question_names_its_rows_and_column(
    written, question, grounded
):
    query = read_query(written, query_table(TABLE, 40))
    assert query is not None
    assert is_grounded(query, question) == grounded


TICKETS = """Ticket: Single; Adults: 6.80.
Ticket: Ten visits; Adults: 54.00.
Ticket: Season ticket; Adults: 172.00."""


@pytest.mark.parametrize(
    ("question", "grounded"),
    [("How much is a family ticket?", False), ("How much is a season ticket?", True)],
)
def test_the_name_of_a_column_tells_no_row_from_another(question, grounded):
    (table,) = tables_of([PageText("d1", "a.csv", 1, None, TICKETS)])
    query = read_query("SELECT adults FROM t WHERE ticket = 'Season ticket'", query_table(table, 9))
    assert query is not None
    assert is_grounded(query, question) == grounded
