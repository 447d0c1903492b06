"""Cases: their format, and what an answer to one is worth."""

import json

import pytest

from xnai.answering.evidence import HEDGE, NOT_FOUND
from xnai.errors import XnaiError
from xnai.evaluation.case_run import CaseRow, by, summary
from xnai.evaluation.cases import load_cases
from xnai.evaluation.report import table
from xnai.evaluation.verdicts import Expected, graded, plain, sentences, stands
from xnai.types import Citation

NOTICE = Expected(
    "fact", (("six months", "6 months"),), ("three months",), page=2, files=("lease.pdf",)
)


def cited(page: int | None = 2, name: str = "lease.pdf") -> list[Citation]:
    return [Citation(1, "d", name, page, 0, 5, "quote", 1.0)]


@pytest.mark.parametrize(
    ("needle", "text", "there"),
    [
        ("8", "18", False),
        ("8", "8.5", False),
        ("8", "8,450", False),
        ("8", "2025-08-01", False),
        ("8", "8.00", True),
        ("8", "child: 8.", True),
        ("no", "notice", False),
        ("4-6", "4\u20136", True),
        ("48,000", "48,000.00 EUR", True),
        ("2", "six [2]", False),
        ("\u672d\u5e4c", "\u90fd\u5e02\u306f\u672d\u5e4c\u3067\u3059", True),
        ("Gr\u00f6\u00dfmann", "GR\u00d6SSMANN", True),
        ("don't", "don\u2019t", True),
        ("", "anything", False),
    ],
)
def test_what_stands_in_a_text_are_whole_words_and_whole_numbers(needle, text, there):
    assert stands(needle, plain(text)) is there


def test_an_answer_with_the_right_value_and_its_page_is_right():
    result = graded(NOTICE, "It is **Six\u00a0 months**\u2019 notice [1].", "answered", cited())

    assert (result.verdict, result.holds, result.page_right) == ("right", True, True)


@pytest.mark.parametrize(
    ("text", "outcome", "verdict"),
    [
        ("Six months, or three months.", "answered", "wrong_unhedged"),
        ("16 months", "answered", "wrong_unhedged"),
        ("", "answered", "wrong_unhedged"),
        ("Six months. " + "And so on. " * 100, "answered", "wrong_unhedged"),
        (f"{HEDGE}\n\n> six months [1]", "quoted", "hedged"),
        (NOT_FOUND, "not_found", "refused_wrongly"),
    ],
)
def test_what_is_not_right_is_told_apart(text, outcome, verdict):
    assert graded(NOTICE, text, outcome).verdict == verdict


def test_what_is_not_there_is_right_only_if_that_is_said():
    missing = Expected("unanswerable", unanswerable=True)

    assert graded(missing, NOT_FOUND, "not_found").verdict == "right"
    assert graded(missing, "Six months.", "answered").verdict == "wrong_unhedged"
    assert graded(missing, f"{HEDGE}\n\n> a line", "quoted").verdict == "hedged"


def test_the_words_around_a_quotation_are_no_answer():
    no = Expected("yes-no", (("no",),), ("yes",))

    assert not graded(no, f"{HEDGE}\n\n> notice [1]", "quoted").holds
    assert graded(no, "No, it is not.", "answered").holds


def test_the_page_counts_only_in_a_file_that_was_asked():
    assert graded(NOTICE, "6 months", "answered", cited(name="other.pdf")).page_right is False
    assert graded(NOTICE, "6 months", "answered", cited(page=3)).page_right is False


def test_a_summary_is_shorter_than_its_text_and_than_it_was_asked_to_be():
    short = Expected("summary", (("tower",),), most_sentences=2)

    assert graded(short, "A tower. It is old.", "answered").holds
    assert not graded(short, "A tower. It is old. It leans.", "answered").holds
    assert graded(short, "A tower " + "x" * 360, "answered", (), 300).verdict == "wrong_unhedged"
    assert graded(short, "A tower " + "x" * 360, "answered", (), 3000).verdict == "right"


def test_items_and_sentences_are_counted_and_abbreviations_are_not():
    assert sentences("- One thing [1]\n- Two. And Mr. Lark, no. 4.1 too.\n1. Three") == 4
    assert sentences("It began in 1911. It ended.") == 2


def written(folder, *rows: dict):
    (folder / "lease.txt").write_text("Six months.", encoding="utf-8")
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_of_cases_is_read_with_its_documents(tmp_path):
    path = written(
        tmp_path,
        {"id": "a", "files": ["lease.txt"], "question": "Notice?", "accept": ["six"], "page": 2},
        {
            "id": "b",
            "files": ["lease.txt"],
            "question": "And?",
            "kind": "list",
            "accept_all": [["six", "6"], ["months"]],
            "history": [["Notice?", "Six."]],
        },
        {"id": "c", "files": ["lease.txt"], "question": "Rent?", "unanswerable": True},
    )

    found = load_cases(path)

    assert found is not None
    assert [document.id for document in found.documents] == ["lease.txt"]
    first, second, third = found.cases
    assert (first.expected.groups, first.expected.page) == ((("six",),), 2)
    assert second.expected.groups == (("six", "6"), ("months",))
    assert [(m.role, m.content) for m in second.history] == [
        ("user", "Notice?"),
        ("assistant", "Six."),
    ]
    assert third.expected.unanswerable
    assert {case.id for case in found.sample(2, "all", 0)} < {"a", "b", "c"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"files": ["lease.txt"], "question": "?"}, "line 1: it says neither what to accept"),
        ({"files": [], "question": "?", "accept": ["x"]}, "'files' names none"),
        ({"files": ["no.txt"], "question": "?", "accept": ["x"]}, "there is no file 'no.txt'"),
        ({"files": ["../x"], "question": "?", "accept": ["x"]}, "there is no file '../x'"),
        ({"files": ["lease.txt"], "question": "?", "accept": "x"}, "'accept' is no list of texts"),
        (
            {"files": ["lease.txt"], "question": "?", "accept": ["x"], "page": "two"},
            "invalid literal",
        ),
        (
            {"files": ["lease.txt"], "question": "?", "accept": ["x"], "history": [["a"]]},
            "'history' is no list of pairs",
        ),
    ],
)
def test_a_line_that_is_no_case_is_named(tmp_path, row, problem):
    with pytest.raises(XnaiError, match=problem):
        load_cases(written(tmp_path, row))


def test_two_cases_of_one_id_are_refused(tmp_path):
    row = {"id": "a", "files": ["lease.txt"], "question": "?", "accept": ["six"]}

    with pytest.raises(XnaiError, match="line 2 has the id 'a'"):
        load_cases(written(tmp_path, row, row))


def test_a_set_of_another_format_has_no_cases(tmp_path):
    assert load_cases(tmp_path) is None
    assert load_cases(written(tmp_path, {"question": "?", "answers": ["six"]})) is None


def row(verdict: str, kind: str = "fact", *, holds: bool = False, page: bool | None = None):
    return CaseRow(verdict, kind, "en", "Why?", "Because.", verdict, holds, page, 1.0)


def test_verdicts_are_counted_in_all_and_by_kind():
    rows = [
        row("right", holds=True, page=True),
        row("hedged", holds=True, page=False),
        row("wrong_unhedged", "sum"),
        row("errors", "sum"),
    ]

    figures = summary(rows)

    assert (figures["right"], figures["wrong_unhedged"], figures["errors"]) == (0.25, 0.25, 0.25)
    assert (figures["hedged_right"], figures["page_right"]) == (0.25, 0.5)
    kinds = by(rows, "kind")
    assert (kinds["fact"]["right"], kinds["sum"]["errors"]) == (1, 1)


def test_the_report_names_the_cases_that_are_not_right():
    rows = [row("right", holds=True), row("wrong_unhedged", "sum")]
    report = {
        "set": "mine",
        "part": "all",
        "seed": 0,
        "documents": 1,
        "ingest_seconds": 0.1,
        "unreadable": {},
        "cases": summary(rows),
        "by_kind": by(rows, "kind"),
        "cases_rows": [
            {"id": "q", "verdict": r.verdict, "question": "Why?", "text": "No."} for r in rows
        ],
    }

    lines = table(report, None).splitlines()

    assert any(line.split() == ["right", "0.500"] for line in lines)
    assert any(line.split() == ["sum", "0", "of", "1", "1", "wrong_unhedged"] for line in lines)
    assert lines[-1] == "q wrong_unhedged: Why? | No."
