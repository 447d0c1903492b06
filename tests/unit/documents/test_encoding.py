"""Which encoding a text is in, by all of it."""

import pytest

from xnai.documents.parsers import encoding

ASCII = b"order,city\n" * 20_000


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp932", "12601,札幌,返品あり\n12602,東京,ご注文ありがとうございます\n"),
        ("cp1252", "12601,Köln,Rücksendung erwünscht, Straße überprüfen\n" * 3),
        ("utf-8", "12601,Köln,札幌\n"),
    ],
)
def test_what_comes_after_a_long_ascii_beginning_decides(tmp_path, codec, text):
    path = tmp_path / "orders.csv"
    path.write_bytes(ASCII + text.encode(codec))

    found = encoding.of_file(path)

    assert found is not None
    assert found.lost == 0
    assert (ASCII + text.encode(codec)).decode(found.name).endswith(text)


def test_a_damaged_place_in_a_text_of_utf8_is_counted(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("Grüße aus Köln. ".encode() * 2000 + b"\xff" + b" end")

    assert encoding.of_file(path) == ("utf-8", 1)


def test_noise_is_no_text(tmp_path):
    path = tmp_path / "noise"
    path.write_bytes(bytes(range(256)) * 100)

    assert encoding.of_file(path) is None
