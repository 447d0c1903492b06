import pytest

from xnai.errors import MODEL_UNKNOWN, TOO_MANY_FILES, XnaiError
from xnai.locale import LANGUAGES, Texts, in_all_languages, preferred, texts_in
from xnai.locale.po import read_catalogue

HEAD = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("nl,fr;q=0.5", "fr"),
        ("fr;q=0.5, ja;q=0.7", "ja"),
        ("zh-Hant-TW", "zh"),
        ("EN-us", "en"),
        ("", ""),
        ("*", ""),
        ("de;q=0", ""),
        ("de;q=nonsense, es", "es"),
        ("x" * 10_000 + ",de", ""),
        (";;,,=q;q=1", ""),
    ],
)
def test_the_language_of_a_browser(header, language):
    assert preferred(header) == language


def test_a_language_that_is_not_there_is_english():
    assert [texts_in(one).language for one in ("", "nl", "../de", "en")] == ["en"] * 4


def test_arabic_is_written_from_the_right():
    assert {texts_in(one).direction for one in LANGUAGES if one != "ar"} == {"ltr"}
    assert texts_in("ar").direction == "rtl"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["0 pages", "1 page", "2 pages", "100 pages"]),
        ("de", ["0 Seiten", "1 Seite", "2 Seiten", "100 Seiten"]),
        ("fr", ["0 page", "1 page", "2 pages", "100 pages"]),
        ("ja", ["0 ページ", "1 ページ", "2 ページ", "100 ページ"]),
        ("ar", ["0 صفحة", "صفحة واحدة", "صفحتان", "100 صفحة"]),
    ],
)
def test_a_number_has_the_form_of_its_language(language, said):
    texts = texts_in(language)
    forms = [texts.say_number("{number} page", "{number} pages", n) for n in (0, 1, 2, 100)]
    assert forms == said


def test_what_is_filled_in_is_no_template():
    texts = texts_in("de")
    assert texts.say("Found {passages}", passages="{0.__class__}") == "{0.__class__} gefunden"


def test_a_text_without_a_translation_is_said_in_english():
    texts = Texts("fr", read_catalogue(HEAD + 'msgid "Yes"\nmsgstr ""\n'))
    assert texts.say("Yes") == "Yes"
    assert texts.say_number("{number} day", "{number} days", 0) == "0 days"


def test_a_catalogue_is_read():
    text = HEAD + (
        '# a comment\n#: a/file.py\n#, python-brace-format\nmsgid ""\n"One \\"long\\"\\n"\n"text"\n'
        'msgstr "Ein"\n"e\\tZeile"\n\n#~ msgid "Gone"\n#~ msgstr "Fort"\n\n'
        'msgid "{number} day"\nmsgid_plural "{number} days"\n'
        'msgstr[0] "{number} jour"\nmsgstr[1] "{number} jours"\n'
    )
    found = read_catalogue(text)
    assert found.texts == {
        'One "long"\ntext': ("Eine\tZeile",),
        "{number} day": ("{number} jour", "{number} jours"),
    }
    assert [found.plural(n) for n in (0, 1, 2)] == [0, 0, 1]


@pytest.mark.parametrize("text", ["", "msgid nonsense", 'msgid "a"\nmsgstr "b"\n'])
def test_what_is_no_catalogue_is_refused(text):
    with pytest.raises(ValueError, match="catalogue"):
        read_catalogue(text)


def test_a_text_in_all_languages():
    said = in_all_languages("Not found")
    assert {"Not found", "Nicht gefunden", "未找到"} < {*said}
    assert len(said) == len(LANGUAGES)


def test_an_error_is_told_in_the_readers_language():
    error = XnaiError(TOO_MANY_FILES, count=1200, limit=20, setting="XNAI_X")
    message, hint = error.in_words_of(texts_in("de").translation)
    assert message == "1200 Dateien sind mehr als die 20, die XNAI_X erlaubt."
    assert hint.endswith("oder erhöhen Sie XNAI_X.")
    assert error.in_words_of(texts_in("en").translation) == (error.message, error.hint)


def test_an_error_that_is_not_translated_is_told_in_english():
    error = XnaiError(MODEL_UNKNOWN, name="x", known="y")
    assert error.in_words_of(texts_in("ja").translation) == (error.message, error.hint)
