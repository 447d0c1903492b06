import pytest

from xnai.documents.names import MAX_CHARACTERS, display_name, extension


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.docx", "a.docx"),
        ("/absolute/", "absolute"),
        ("a\0b\n\tc.txt", "ab c.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066\u200ename\ufeff.md", "name.md"),
        ("broken\udcff.txt", "broken.txt"),
        ("  spaced   out .csv ", "spaced out .csv"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("\0", "unnamed"),
        ("عربي.pdf", "عربي.pdf"),
    ],
)
def test_a_display_name_has_no_folders_controls_or_bidi_marks(given, expected):
    assert expected == display_name(given)


def test_a_long_name_keeps_its_extension():
    shown = display_name("x" * 300 + ".pdf")
    assert (MAX_CHARACTERS, True) == (len(shown), shown.endswith("x….pdf"))


def test_a_long_extension_is_cut_like_any_name():
    assert MAX_CHARACTERS == len(display_name("a." + "x" * 300))


def test_the_extension_is_in_lower_case():
    assert ("pdf", "", "gz") == (extension("A.PDF"), extension(".hidden"), extension("a.tar.gz"))
