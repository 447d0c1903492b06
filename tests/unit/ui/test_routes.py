import pytest

from xnai.ui.chainlit.routes import display_name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("a\0b\nc.txt", "abc.txt"),
        ("\u202efdp.exe", "fdp.exe"),
        ("..", ".."),
        ("/", "file"),
        ("\u200b", "file"),
        ("Müller - 报告.pdf", "Müller - 报告.pdf"),
    ],
)
def test_a_file_name_is_shown_without_folders_and_invisible_characters(sent: str, shown: str):
    assert shown == display_name(sent)


def test_a_long_file_name_keeps_its_end():
    name = display_name("x" * 300 + ".pdf")
    assert (len(name), name.endswith("x.pdf")) == (255, True)
