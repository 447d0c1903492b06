"""The texts of the program and their catalogues: `texts.py` brings xnai/locale/catalogues in step.

New texts are added without a translation and those that the code no longer has are removed;
`--check` only says what is not in step. A text is what stands in `say("…")`, `say_number("…", "…")`
or `marked("…")`, in Python, in the templates of our own pages and in the modules of the page; and
the words of the errors that people meet on the page.
"""

import argparse
import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ROOT / "xnai" / "locale" / "catalogues"
KEYWORDS: dict[str, tuple[int, ...] | None] = {"say": None, "say_number": (1, 2), "marked": None}
# The categories of errors that people meet on the page; those of other rows are told in English.
ON_THE_PAGE = {"DOCUMENT", "OVERLOAD", "SEARCH"}
# Single rows of other categories that they meet there as well.
ALSO_THERE = {
    *("question_empty", "question_too_long", "message_too_long", "chat_closed"),
    *("sign_in_needed", "sign_in_paused", "internal"),
    *("disk_full", "data_read_only", "documents_away", "history_down"),
}
_WIDTH = 100


def in_python(file: Any, keywords: Any, _tags: Any, options: Any) -> Iterator[Any]:  # noqa: ARG001
    """Find the texts of a module, also those within f-strings, which Babel's own way leaves out."""
    for node in ast.walk(ast.parse(file.read())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name == "ErrorKind":
            yield from ((node.lineno, "say", text, []) for text in _of_error(node))
        texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
        if name in keywords and texts and isinstance(texts[0], str):
            yield node.lineno, name, tuple(texts) if KEYWORDS[name] else texts[0], []


def _of_error(row: ast.Call) -> list[str]:
    """The message and the hint of a row of the catalogue, if people meet it on the page."""
    code, category, _, message, hint, *_ = row.args
    kind = getattr(category, "attr", "")
    degrades = any(one.arg == "degrade_to" for one in row.keywords)
    assert isinstance(code, ast.Constant), ast.dump(row)
    is_met = kind in ON_THE_PAGE or code.value in ALSO_THERE or (kind == "MODEL" and degrades)
    if not is_met:
        return []
    assert isinstance(message, ast.Constant), ast.dump(code)
    assert isinstance(hint, ast.Constant), ast.dump(code)
    return [message.value, hint.value]


def texts_of_code() -> Catalog:
    """Return all texts that the code says, with the files in which they stand."""
    catalogue = Catalog()
    methods: Any = [("**.py", in_python), ("**.html", "jinja2"), ("**.js", "javascript")]
    for folder in ("xnai", "public"):
        for file, _, text, _, _ in extract_from_dir(ROOT / folder, methods, keywords=KEYWORDS):
            # Without numbers of lines: a catalogue changes with its texts alone.
            catalogue.add(text, locations=[(f"{folder}/{file}", None)])
    return catalogue


def catalogues() -> Iterator[tuple[Path, Catalog]]:
    """Yield the catalogue of each language with its file."""
    for path in sorted(CATALOGUES.glob("*.po")):
        with path.open(encoding="utf-8") as file:
            yield path, read_po(file, locale=path.stem)


def in_step(catalogue: Catalog, template: Catalog) -> str:
    """Return a catalogue as a file, with all texts of the code and no others."""
    revised = catalogue.revision_date
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    catalogue.revision_date = revised
    written = io.BytesIO()
    write_po(written, catalogue, width=_WIDTH, sort_by_file=True)
    return written.getvalue().decode()


def problems(catalogue: Catalog, template: Catalog) -> Iterator[str]:
    """Say what is wrong with a catalogue."""
    known, needed = _by_text(catalogue), _by_text(template)
    yield from (f"not in the code: {text!r}" for text in known.keys() - needed.keys())
    for text in needed:
        forms = _forms(known[text]) if text in known else ()
        if not forms or not all(forms):
            yield f"without a translation: {text!r}"
            continue
        if known[text].fuzzy:
            yield f"a guess: {text!r}"
        for form in forms:
            names, wanted = _names(form), _names(text)
            # "two pages" needs no number.
            if names != wanted and names | {"number"} != wanted | {"number"}:
                yield f"other names in braces than {text!r}: {form!r}"


def main(words: list[str]) -> int:
    """Bring the catalogues in step, or say what is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1")
    asked = parser.parse_args(words)
    template = texts_of_code()
    found = []
    for path, catalogue in catalogues():
        if not asked.check:
            path.write_text(in_step(catalogue, template), encoding="utf-8")
        found += [f"{path.stem}: {problem}" for problem in problems(catalogue, template)]
    print(*found, f"{len(_by_text(template))} texts", sep="\n")
    return 1 if found else 0


def _by_text(catalogue: Catalog) -> dict[str, Message]:
    """The entries by their text; of two forms, by the first."""
    return {str(_forms_of_id(one)[0]): one for one in catalogue if one.id}


def _forms_of_id(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (str(message.id),)


def _forms(message: Message) -> tuple[str, ...]:
    string = message.string
    return tuple(string) if isinstance(string, (list, tuple)) else (str(string or ""),)


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
