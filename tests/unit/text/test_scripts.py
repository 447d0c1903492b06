import pytest

from xnai.text.scripts import script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("When was the lamp replaced?", "LATIN"),
        ("Wann wurde sie geändert? Größe", "LATIN"),
        ("Когда заменили лампу (LED)?", "CYRILLIC"),
        ("灯是什么时候换的", "CJK"),
        ("ランプはいつ交換されましたか", "CJK"),
        ("متى تم استبدال المصباح؟", "ARABIC"),
        ("램프는 언제 교체되었습니까", "HANGUL"),
        ("1987 - ?", ""),
        ("", ""),
    ],
)
def test_the_script_of_most_letters_is_that_of_the_text(text, script):
    assert script_of(text) == script
