"""Questions with known answers and the documents they are about, from the formats people have.

- a JSONL file, a line for each question: ``question``, ``answers`` (a list, or one ``answer``;
  empty: the documents do not say), ``document`` (a path beside the file; without it all documents
  there are searched);
- a folder of documents with ``questions.jsonl`` of such lines;
- a folder with ``paragraphs.jsonl`` (``_id``, ``text``), ``questions.jsonl`` (``_id``, ``text``,
  ``pid``, ``answers``) and perhaps ``unanswerable.jsonl``: SQuAD, flattened;
- a BEIR folder: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv`` or ``qrels/test.tsv``.

Cases, which say what must and must not stand in an answer, are read by ``cases``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from xnai.errors import EVAL_SET_INVALID, XnaiError

Part = Literal["all", "development", "held-out"]

QUESTIONS = "questions.jsonl"
_CORPUS_COLUMNS = 3  # of qrels: query, document, gain


@dataclass(frozen=True, slots=True)
class EvalDocument:
    """A document to be searched: a file, or a text that stands in the set itself."""

    id: str
    path: Path | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class EvalQuestion:
    """A question; ``gains`` say how relevant documents are (by id, empty: by their text).

    ``answers`` None: only the ranking is known; empty: the documents do not hold an answer.
    """

    id: str
    text: str
    answers: tuple[str, ...] | None
    gains: Mapping[str, float] = field(default_factory=dict)

    @property
    def answerable(self) -> bool:
        """Whether a right answer is known."""
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Documents and questions; ``by_document``: a document is relevant as a whole."""

    name: str
    documents: tuple[EvalDocument, ...]
    questions: tuple[EvalQuestion, ...]
    by_document: bool

    def sample(self, count: int, unanswerable: int, part: Part, seed: int) -> list[EvalQuestion]:
        """Draw questions by a hash of seed and id, so that more of them include the fewer.

        The two halves are drawn by another hash and never share a question.
        """
        chosen = drawn(self.questions, part, seed)
        known = [q for q in chosen if q.answers is None or q.answerable]
        unknown = [q for q in chosen if q.answers is not None and not q.answerable]
        return known[:count] + unknown[:unanswerable]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_One = TypeVar("_One", bound=_Identified)


def drawn(questions: Sequence[_One], part: Part, seed: int) -> list[_One]:
    """The questions of a part, in an order drawn by a hash of seed and id."""
    own = (question for question in questions if part in {"all", half(question.id)})
    return sorted(own, key=lambda question: _hash(f"{seed}:{question.id}"))


def half(question_id: str) -> Part:
    """Which half of its set a question belongs to."""
    return "development" if _hash(f"half:{question_id}") % 2 else "held-out"


def load(path: Path) -> EvalSet:
    """Read a set in any of the formats.

    Raises:
        XnaiError: EVAL_SET_INVALID naming file, line and what is wrong.

    """
    if path.is_file():
        return _files(path.parent, path)
    if (path / "corpus.jsonl").is_file():
        return _beir(path)
    if (path / "paragraphs.jsonl").is_file():
        return _squad(path)
    if (path / QUESTIONS).is_file():
        return _files(path, path / QUESTIONS)
    raise invalid(path, f"there is no {QUESTIONS}, and no corpus.jsonl")


def _hash(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def invalid(path: Path, problem: str) -> XnaiError:
    """The error of a set that cannot be read."""
    return XnaiError(EVAL_SET_INVALID, path=path, problem=problem)


def problem_of(exc: OSError | ValueError) -> str:
    """Why a file cannot be read, in a few words."""
    if isinstance(exc, OSError):
        return exc.strerror or "it cannot be read"
    return "it is no text in UTF-8" if isinstance(exc, UnicodeDecodeError) else "it is not JSON"


def json_lines(path: Path, *needed: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with the numbers of their lines, each with the texts needed.

    Raises:
        XnaiError: EVAL_SET_INVALID.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise invalid(path, problem_of(exc)) from exc
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as exc:
            raise invalid(path, f"line {number} is not JSON from sign {exc.pos + 1} on") from None
        if not isinstance(row, dict):
            raise invalid(path, f"line {number} is no object")
        for name in needed:
            if not isinstance(row.get(name), str):
                raise invalid(path, f"line {number} has no text {name!r}")
        yield number, row


def _answers(path: Path, number: int, row: Mapping[str, Any]) -> tuple[str, ...]:
    answers = row.get("answers", row.get("answer", []))
    answers = [answers] if isinstance(answers, str) else answers
    if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
        raise invalid(path, f"line {number}: 'answers' is no list of texts")
    return tuple(answers)


def _files(folder: Path, questions: Path) -> EvalSet:
    rows = list(json_lines(questions, "question"))
    names: dict[str, Path] = {}
    for number, row in rows:
        name = row.get("document")
        if name is not None:
            names[str(name)] = inside(folder, str(name), questions, number)
    if not names or any("document" not in row for _, row in rows):
        others = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".jsonl")
        names |= {str(p.relative_to(folder)): p for p in others if not p.name.startswith(".")}
    asked = tuple(
        EvalQuestion(
            str(row.get("id", f"{number}")),
            row["question"],
            _answers(questions, number, row),
            {str(row["document"]): 1.0} if "document" in row else {},
        )
        for number, row in rows
    )
    documents = tuple(EvalDocument(name, path) for name, path in names.items())
    return EvalSet(questions.stem, documents, asked, by_document=False)


def inside(folder: Path, name: str, questions: Path, number: int) -> Path:
    """The file that a line of a set names, which lies in the set's folder.

    Raises:
        XnaiError: EVAL_SET_INVALID.

    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise invalid(questions, f"line {number}: there is no file {name!r} beside it")
    return path


def _squad(folder: Path) -> EvalSet:
    paragraphs = json_lines(folder / "paragraphs.jsonl", "_id", "text")
    documents = tuple(EvalDocument(row["_id"], text=row["text"]) for _, row in paragraphs)
    files = [folder / QUESTIONS, folder / "unanswerable.jsonl"]
    questions = tuple(
        EvalQuestion(row["_id"], row["text"], _answers(path, number, row), {row["pid"]: 1.0})
        for path in files
        if path.is_file()
        for number, row in json_lines(path, "_id", "text", "pid")
    )
    return EvalSet(folder.name, documents, questions, by_document=True)


def _beir(folder: Path) -> EvalSet:
    corpus = json_lines(folder / "corpus.jsonl", "_id", "text")
    documents = tuple(
        EvalDocument(row["_id"], text=f"{row.get('title') or ''}\n{row['text']}".strip())
        for _, row in corpus
    )
    gains: dict[str, dict[str, float]] = {}
    for query, document, gain in _judgements(folder):
        gains.setdefault(query, {})[document] = gain
    questions = tuple(
        EvalQuestion(row["_id"], row["text"], None, gains[row["_id"]])
        for _, row in json_lines(folder / "queries.jsonl", "_id", "text")
        if row["_id"] in gains
    )
    return EvalSet(folder.name, documents, questions, by_document=True)


def _judgements(folder: Path) -> Iterator[tuple[str, str, float]]:
    found = [p for p in (folder / "qrels.tsv", folder / "qrels" / "test.tsv") if p.is_file()]
    if not found:
        raise invalid(folder, "there is no qrels.tsv")
    for number, line in enumerate(found[0].read_text(encoding="utf-8").splitlines(), start=1):
        cells: Sequence[str] = line.split("\t")
        try:
            query, document, gain = cells[0], cells[-2], float(cells[-1])
        except (IndexError, ValueError):
            if number > 1 and line.strip():
                raise invalid(found[0], f"line {number} is not: query, document, gain") from None
            continue
        if len(cells) >= _CORPUS_COLUMNS:
            yield query, document, gain
