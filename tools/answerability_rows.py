"""Tables with questions that their rows answer, and questions that name what is not there.

All is drawn from short lists, so that nothing but the place in the table tells the two apart: a row
that is asked about is there or not, a column is there or not, and what is not there in one table is
in another.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MISSING = 3  # rows that are left out of a table, and columns
ASKED = 2  # questions to a table that it answers, and as many that it does not


@dataclass(frozen=True, slots=True)
class Form:
    """What tables of one kind are made of.

    Attributes:
        title: the line above the rows.
        key: the header of the first column.
        names: what may stand there.
        columns: header, a value with ``{n}`` for a number, and how its value is asked for.

    """

    title: str
    key: str
    names: Sequence[str]
    columns: Sequence[tuple[str, str, str]]


_GOODS = [
    "Rope 12 mm",
    "Brass hook",
    "Canvas bag",
    "Work gloves",
    "Paint tray",
    "Wood glue",
    "Hand saw",
    "Tape measure",
    "Paper towels",
    "Step ladder",
    "Garden hose",
    "Screw set",
]
_PEOPLE = [
    "Ana Ruiz",
    "Tom Becker",
    "Lena Fischer",
    "Omar Haddad",
    "Mei Tanaka",
    "Paul Girard",
    "Eva Novak",
    "Sam Okoro",
    "Nils Berg",
    "Rosa Conti",
    "Ivan Petrov",
    "Jane Doyle",
]
_WARES = [
    "Seil 12 mm",
    "Messinghaken",
    "Leinentasche",
    "Arbeitshandschuhe",
    "Farbwanne",
    "Holzleim",
    "Handsäge",
    "Maßband",
    "Papiertücher",
    "Trittleiter",
    "Gartenschlauch",
    "Schraubensatz",
]
_TESTS = [
    "Sodium",
    "Iron",
    "Glucose",
    "Calcium",
    "Zinc",
    "Creatinine",
    "Albumin",
    "Folate",
    "Magnesium",
    "Urea",
    "Chloride",
    "Copper",
]
_HOURS = [
    "8:00",
    "8:50",
    "9:40",
    "10:45",
    "11:35",
    "12:25",
    "13:30",
    "14:20",
    "15:10",
    "16:00",
    "16:50",
    "17:40",
]
_LESSONS = [
    "Chemistry",
    "Sport",
    "Latin",
    "Drama",
    "Biology",
    "Dance",
    "Robotics",
    "Choir",
    "Pottery",
    "Chess",
]

FORMS = (
    Form(
        "Price list",
        "Article",
        _GOODS,
        (
            ("Price", "{n}.50 euros", "what does {name} cost?"),
            ("Stock", "{n} pieces", "How many of {name} are in stock?"),
            ("Weight", "{n} kg", "How heavy is {name}?"),
            ("Supplier", "Dealer {n}", "Who supplies {name}?"),
            ("Colour", "shade {n}", "Which colour does {name} have?"),
        ),
    ),
    Form(
        "Preisliste",
        "Artikel",
        _WARES,
        (
            ("Preis", "{n},50 Euro", "Was kostet {name}?"),
            ("Bestand", "{n} Stück", "Wie viel {name} ist auf Lager?"),
            ("Gewicht", "{n} kg", "Wie schwer ist {name}?"),
            ("Lieferant", "Händler {n}", "Wer liefert {name}?"),
            ("Farbe", "Ton {n}", "Welche Farbe hat {name}?"),
        ),
    ),
    Form(
        "Staff",
        "Name",
        _PEOPLE,
        (
            ("Room", "{n}", "Where does {name} sit?"),
            ("Telephone", "555 0{n}", "what's the phone number of {name}?"),
            ("Salary", "{n}00 pounds", "How much does {name} earn?"),
            ("Birthday", "{n} May", "When was {name} born?"),
            ("Mail", "post{n} (at) firm", "what is {name}'s email?"),
        ),
    ),
    Form(
        "Results",
        "Test",
        _TESTS,
        (
            ("Result", "{n}", "how high is the {name}?"),
            ("Unit", "{n} mg/L", "In which unit is {name} given?"),
            ("Reference range", "{n} - 99", "What is the normal range of {name}?"),
            ("Method", "method {n}", "By which method was {name} measured?"),
            ("Taken", "{n} June", "When was the sample for {name} taken?"),
        ),
    ),
    Form(
        "Timetable",
        "Time",
        _HOURS,
        tuple(
            (day, "", f"What is on {day} at {{name}}?")
            for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
        ),
    ),
)


def rows(rng: random.Random, tables: int) -> Iterator[tuple[str, str, str, bool]]:
    """Draw tables of every kind in turn.

    Yields:
        A topic, the text of a table, a question, and whether the table answers it.

    """
    for number in range(tables):
        form = FORMS[number % len(FORMS)]
        names, columns = list(form.names), list(form.columns)
        rng.shuffle(names)
        rng.shuffle(columns)
        gone, absent = names[:MISSING], columns[: MISSING - 1]
        kept, there = names[MISSING : MISSING + rng.randint(3, 8)], columns[MISSING - 1 :]
        text = "\n".join([form.title, *(_row(form, name, there, rng) for name in kept)])
        for name in rng.sample(kept, ASKED):
            yield f"{form.title} {number}", text, rng.choice(there)[2].format(name=name), True
        for other, column in ((rng.choice(gone), rng.choice(there)), (kept[0], absent[0])):
            yield f"{form.title} {number}", text, column[2].format(name=other), False


def _row(form: Form, name: str, columns: Sequence[tuple[str, str, str]], rng: random.Random) -> str:
    cells = [
        f"{header}: {value.format(n=rng.randint(11, 98)) if value else rng.choice(_LESSONS)}"
        for header, value, _ in columns
    ]
    return "; ".join([f"{form.key}: {name}", *cells]) + "."
