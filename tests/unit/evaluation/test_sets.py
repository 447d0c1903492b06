"""The formats of evaluation sets, from files as people write them."""

import json

import pytest

from xnai.errors import XnaiError
from xnai.evaluation.report import read_report, table
from xnai.evaluation.sets import half, load


def write(path, *rows: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_lines_of_question_answers_and_document(tmp_path):
    (tmp_path / "log.txt").write_text("The lamp was replaced in 1987.", encoding="utf-8")
    rows = [
        {"question": "When?", "answers": ["1987"], "document": "log.txt"},
        {"question": "Why?", "answers": [], "document": "log.txt"},
        {"question": "By whom?", "answer": "Ann", "document": "log.txt"},
    ]
    write(tmp_path / "mine.jsonl", *rows)

    found = load(tmp_path / "mine.jsonl")

    assert [q.answers for q in found.questions] == [("1987",), (), ("Ann",)]
    assert [d.id for d in found.documents] == ["log.txt"]


def test_a_folder_of_documents_with_questions(tmp_path):
    (tmp_path / "a.txt").write_text("A", encoding="utf-8")
    (tmp_path / "b.md").write_text("B", encoding="utf-8")
    write(tmp_path / "questions.jsonl", {"question": "What?", "answers": ["A"]})

    found = load(tmp_path)

    assert [d.id for d in found.documents] == ["a.txt", "b.md"]
    assert found.questions[0].gains == {}


def test_a_flattened_squad_folder(tmp_path):
    write(tmp_path / "paragraphs.jsonl", {"_id": "P#0", "title": "P", "text": "In 1889."})
    write(
        tmp_path / "questions.jsonl",
        {"_id": "q1", "text": "When?", "pid": "P#0", "answers": ["1889"]},
    )
    write(tmp_path / "unanswerable.jsonl", {"_id": "q2", "text": "Why?", "pid": "P#0"})

    found = load(tmp_path)

    assert [(q.id, q.answerable) for q in found.questions] == [("q1", True), ("q2", False)]
    assert found.by_document


@pytest.mark.parametrize("qrels", ["qrels.tsv", "qrels/test.tsv"])
def test_a_beir_folder(tmp_path, qrels):
    write(tmp_path / "corpus.jsonl", {"_id": "d1", "title": "Lamps", "text": "In 1987."})
    write(tmp_path / "queries.jsonl", {"_id": "1", "text": "lamps"}, {"_id": "2", "text": "none"})
    (tmp_path / "qrels").mkdir()
    (tmp_path / qrels).write_text("query-id\tcorpus-id\tscore\n1\td1\t1\n", encoding="utf-8")

    found = load(tmp_path)

    assert [(q.id, q.gains, q.answers) for q in found.questions] == [("1", {"d1": 1.0}, None)]
    assert found.documents[0].text == "Lamps\nIn 1987."


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "line 1 is no object"),
        ('{"answers": ["x"]}', "line 1 has no text 'question'"),
        ('{"question": "q", "answers": [1]}', "line 1: 'answers' is no list of texts"),
        ('{"question": "q", "answers": [], "document": "gone.txt"}', "no file 'gone.txt'"),
        ('{"question": "q", "answers": [], "document": "../../etc/passwd"}', "no file '../.."),
    ],
)
def test_what_is_wrong_with_a_line_is_named(tmp_path, line, problem):
    (tmp_path / "q.jsonl").write_text(line, encoding="utf-8")

    with pytest.raises(XnaiError, match="cannot be evaluated") as caught:
        load(tmp_path / "q.jsonl")

    assert problem in caught.value.message


def test_a_folder_without_questions_is_refused(tmp_path):
    with pytest.raises(XnaiError, match=r"there is no questions\.jsonl"):
        load(tmp_path)


def test_samples_repeat_grow_and_the_halves_never_meet(tmp_path):
    (tmp_path / "a.txt").write_text("A", encoding="utf-8")
    rows = [{"question": f"{i}", "answers": ["x"] if i % 3 else []} for i in range(200)]
    write(tmp_path / "questions.jsonl", *rows)
    found = load(tmp_path)

    few, more = (found.sample(n, 5, "development", 7) for n in (10, 40))
    held = found.sample(1000, 1000, "held-out", 7)

    assert [q.id for q in few[:10]] == [q.id for q in more[:10]]
    assert sum(not q.answerable for q in few) == 5
    assert {q.id for q in more} & {q.id for q in held} == set()
    assert {half(q.id) for q in held} == {"held-out"}
    assert [q.id for q in few] != [q.id for q in found.sample(10, 5, "development", 8)]


def report(**answers):
    head = {"set": "s", "part": "all", "seed": 0, "documents": 1, "ingest_seconds": 0.5}
    return {**head, "unreadable": {"x.pdf": "damaged"}, "answers": answers}


def test_a_table_shows_the_change_since_an_earlier_run_and_what_was_not_read():
    text = table(report(contained=0.5), report(contained=0.25))

    assert "contained                             0.500      0.250     +0.250" in text
    assert "unread: x.pdf: damaged" in text


def test_a_plain_run_is_set_against_the_pipelines():
    text = table(
        {**report(contained=0.5, seconds=1.0), "plain": {"contained": 0.25, "seconds": 2.0}}, None
    )

    assert "contained                             2.00x" in text
    assert "seconds                               0.50x" in text


@pytest.mark.parametrize("content", ["no json", "[]", "{}"])
def test_a_file_that_is_no_report_is_refused(tmp_path, content):
    (tmp_path / "r.json").write_text(content, encoding="utf-8")

    with pytest.raises(XnaiError, match="cannot be evaluated"):
        read_report(tmp_path / "r.json")
