from xnai.documents.pdf.characters import clean


def codes(text: str) -> list[int]:
    return [ord(character) for character in text]


def test_line_ends_and_controls_become_newlines_and_spaces():
    assert "a\nb c" == clean(codes("a\r\nb\x03c")).text


def test_a_word_broken_at_a_line_end_is_whole_again():
    assert "confirming soft" == clean(codes("con\x02firming so\u00adft")).text


def test_surrogate_pairs_become_one_character_and_halves_are_dropped():
    assert "a😀b" == clean([0x61, 0xD83D, 0xDE00, 0xDC00, 0xD800, 0x62]).text


def test_every_character_of_the_text_leads_back_to_its_place():
    given = codes("x\r\ny\x00z\u00adw")
    cleaned = clean(given)
    assert "x\nyzw" == cleaned.text
    assert cleaned.text == "".join(chr(given[index]) for index in cleaned.indices)
