"""Which questions ask for a calculation, and over which of the tables.

The words only decide whether the model is asked for a query, which costs a second or two; it may
still say that there is nothing to calculate, and what it gives adds a line to the text.
"""

import re
from collections.abc import Sequence

from xnai.answering.citations import words_of
from xnai.answering.tables.columns import QueryTable, query_table
from xnai.answering.tables.records import Records

_MOST_COLUMNS = 40
_ASKS = re.compile(
    r"\b(?:how (?:many|much|often|high|large)|count|total\w*|sum|sums|altogether|"
    r"all in all|all told|add(?:s|ed)? up|"
    r"together|combined|overall|average|median|highest|lowest|largest|biggest|smallest|"
    r"greatest|most|least|fewest|cheapest|dearest|longest|shortest|earliest|latest|"
    r"maximum|minimum|max|min|more than|less than|fewer than|at least|at most|"
    r"(?:below|above|under) (?:the|its|their|an?|[\w']{1,20}'?s)|exceed\w*|difference|higher|lower|"
    r"rise|rose|fall|fell|grow|grew|increase\w*|decrease\w*|"
    r"wie ?viele?|anzahl|summe|insgesamt|gesamt\w*|zusammen|durchschnitt\w*|höchste\w*|"
    r"niedrigste\w*|größte\w*|kleinste\w*|meisten|wenigsten|teuerste\w*|billigste\w*|mehr als|"
    r"weniger als|unterschied|differenz|höher|niedriger|gestiegen|gesunken|"
    r"combien|nombre|somme|totaux|moyen\w*|plus|moins|maximum|minimum|différence|"
    r"cuánt[oa]s?|número|suma|promedio|media|mayor|menor|más|menos|diferencia|"
    r"quant[oiae]s?|somma|soma|totale|maggiore|maior|più|mais|meno|"
    r"сколько|сумм\w+|всего|итого|средн\w+|больше|меньше|наиб\w+|наим\w+|разниц\w+)\b"
    r"|几|多少|总|共|平均|最|合计|差|いくつ|何(?:件|個|人|回|枚|台)|合計|平均|最も|最大|最小|全部|كم|مجموع|أكبر|أعلى|أقل",
    re.IGNORECASE,
)
# "The number of orders" is counted, "the number of the order" is looked up.
_NUMBER_OF = re.compile(r"\bnumber of ((?:[\w'\u2019-]{1,30} ?){1,6})", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"\b(?:how many|wie ?viele|combien de|cuánt[oa]s|quant[ie]|сколько)\b|几|多少|いくつ|كم",
    re.IGNORECASE,
)
_SINGULAR = frozenset(["is", "was", "has", "does", "this", "his", "its", "us", "address"])
_PLURAL = frozenset(["people", "children", "men", "women", "staff"])
_NEVER = re.compile(r"\b(?:pages?|seiten?|pages|páginas?|pagine|страниц\w*)\b", re.IGNORECASE)


def asks_for_calculation(question: str) -> bool:
    """Whether a question may ask for something that is worked out over rows."""
    asks = bool(_ASKS.search(question)) or counts(question)
    return asks and not _NEVER.search(question)


def counts(question: str) -> bool:
    """Whether a number of several things is asked for, and not the number of one."""
    if _HOW_MANY.search(question):
        return True
    match = _NUMBER_OF.search(question)
    words = match[1].casefold().split() if match else []
    several = (word.endswith("s") and word.isalpha() and word not in _SINGULAR for word in words)
    return any(several) or not _PLURAL.isdisjoint(words)


def best_table(tables: Sequence[Records], question: str) -> QueryTable | None:
    """The table whose columns and values a question names most; of equals the largest."""
    asked = words_of(question)
    if not tables:
        return None

    def fits(table: Records) -> tuple[int, int]:
        labels = words_of(" ".join((*table.columns, table.file_name)))
        cells = words_of(" ".join(cell for row in table.rows for cell in row.cells.values()))
        return 2 * len(asked & labels) + len(asked & cells), len(table.rows)

    return query_table(max(tables, key=fits), _MOST_COLUMNS)
