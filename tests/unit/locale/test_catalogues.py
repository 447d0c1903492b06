"""The catalogues have every text of the code, and nothing else."""

import pytest
import texts

from xnai.locale import ENGLISH, LANGUAGES, texts_in
from xnai.locale.po import read_catalogue

TEMPLATE = texts.texts_of_code()
FOUND = {path.stem: (path, catalogue) for path, catalogue in texts.catalogues()}


def test_each_language_has_a_catalogue():
    assert {ENGLISH, *FOUND} == {*LANGUAGES}


@pytest.mark.parametrize("language", FOUND)
def test_a_catalogue_is_in_step_with_the_code(language):
    assert [] == list(texts.problems(FOUND[language][1], TEMPLATE))


@pytest.mark.parametrize("language", FOUND)
def test_a_catalogue_says_that_it_is_machine_made(language):
    assert "Machine-made" in FOUND[language][1].header_comment


@pytest.mark.parametrize("language", FOUND)
def test_a_catalogue_is_read_as_babel_reads_it(language):
    path, catalogue = FOUND[language]
    read = read_catalogue(path.read_text(encoding="utf-8"))
    for one in catalogue:
        if one.id:
            first = one.id[0] if isinstance(one.id, tuple) else one.id
            forms = one.string if isinstance(one.string, tuple) else (one.string,)
            assert read.texts[first] == forms
    assert max(map(read.plural, range(200))) + 1 == catalogue.num_plurals


def test_texts_are_found_wherever_they_stand(tmp_path, monkeypatch):
    code = 'a = f"{texts.say(\'One {thing}\', thing=1)} {x}"\nb = marked("Two " "parts")\n'
    (tmp_path / "xnai").mkdir()
    (tmp_path / "xnai" / "some.py").write_text(code)
    (tmp_path / "xnai" / "page.html").write_text("<p>{{ say('Three') }}</p>")
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "some.js").write_text('tell(say("Four"));')
    monkeypatch.setattr(texts, "ROOT", tmp_path)
    found = {one.id for one in texts.texts_of_code() if one.id}
    assert found == {"One {thing}", "Two parts", "Three", "Four"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('msgid "Some {file}"\nmsgstr ""', "without a translation: 'Some {file}'"),
        ('msgid "Some {file}"\nmsgstr "x {page}"', "other names in braces"),
        ('#, fuzzy\nmsgid "Some {file}"\nmsgstr "x {file}"', "a guess"),
        ('msgid "Some {file}"\nmsgstr "x {file}"\n\nmsgid "Old"\nmsgstr "x"', "not in the code"),
    ],
)
def test_what_is_wrong_with_a_catalogue_is_found(entry, problem, tmp_path, monkeypatch):
    template = texts.Catalog()
    template.add("Some {file}")
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "de.po").write_text(f"{head}{entry}\n")
    monkeypatch.setattr(texts, "CATALOGUES", tmp_path)
    ((_, catalogue),) = texts.catalogues()
    (found,) = texts.problems(catalogue, template)
    assert problem in found


def test_every_language_says_something_else():
    said = {
        texts_in(one).say("This is not in your documents, as far as I can tell.") for one in FOUND
    }
    assert len(said) == len(FOUND)
