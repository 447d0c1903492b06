"""`xnai eval` as a user runs it, with the bundled models, over files of one's own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

STORY = (
    "Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987.\n\n"
    "The keepers bake bread on Tuesdays. The emergency generator runs for three days.\n"
)
QUESTIONS = [
    {"question": "When was Norwick Lighthouse built?", "answers": ["1954"], "document": "s.txt"},
    {"question": "When do the keepers bake bread?", "answers": ["Tuesdays", "on Tuesdays"]},
    {"question": "What does the parliament of Iceland vote on?", "answers": []},
]


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xnai.cli.main", "eval", str(folder), *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.engine
def test_a_folder_with_questions_is_measured_and_compared(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "s.txt").write_text(STORY, encoding="utf-8")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    lines = "".join(json.dumps(question) + "\n" for question in QUESTIONS)
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    out = tmp_path / "report.json"

    first = run(folder, "--plain", "--json", "--out", str(out))
    second = run(folder, "--questions", "0", "--compare", str(out))

    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report == json.loads(out.read_text(encoding="utf-8"))
    assert list(report["unreadable"]) == ["broken.pdf"]
    assert report["retrieval"]["hit@1"] == 1
    assert report["answers"]["contained_or_quoted"] == 1
    assert report["answers"]["citation_precision"] == 1
    assert report["answers"]["true_refusals"] == 1
    assert report["plain"]["seconds"] > 0
    assert "answers: 3 of 3" in first.stderr
    assert second.returncode == 0, second.stderr
    assert "hit@1" in second.stdout
    assert "earlier" in second.stdout


@pytest.mark.engine
def test_cases_are_asked_of_their_files_and_graded(tmp_path):
    (tmp_path / "s.txt").write_text(STORY, encoding="utf-8")
    (tmp_path / "t.txt").write_text("The harbour was built in 1811.", encoding="utf-8")
    cases = [
        {
            "id": "built",
            "files": ["s.txt"],
            "question": QUESTIONS[0]["question"],
            "accept": ["1954"],
        },
        {
            "id": "other",
            "files": ["t.txt"],
            "question": QUESTIONS[0]["question"],
            "accept": ["1954"],
        },
    ]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    (tmp_path / "cases.jsonl").write_text(lines, encoding="utf-8")

    done = run(tmp_path / "cases.jsonl", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rows = {row["id"]: row for row in report["cases_rows"]}
    # The bundled model is too small to answer, so its quotations are hedged.
    assert (rows["built"]["verdict"], rows["built"]["holds"]) == ("hedged", True)
    assert not rows["other"]["holds"]
    assert report["cases"]["cases"] == 2


def test_files_of_one_name_in_two_folders_are_both_searched(tmp_path):
    contents = {"a/x.md": "The lighthouse was built in 1954.", "b/x.md": "Bread is baked daily."}
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text, encoding="utf-8")
    questions = [
        {"question": "When was the lighthouse built?", "answers": ["1954"], "document": "a/x.md"},
        {"question": "How often is bread baked?", "answers": ["daily"], "document": "b/x.md"},
    ]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (tmp_path / "questions.jsonl").write_text(lines, encoding="utf-8")

    done = run(tmp_path, "--questions", "0", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["retrieval"]["hit@1"] == 1


def test_what_is_no_set_is_refused_in_a_sentence(tmp_path):
    done = run(tmp_path)

    assert done.returncode == 2
    assert "there is no questions.jsonl" in done.stderr
