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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cp1250", "Imię;Miasto;Kwota\nŁucja;Łódź;1 204,50\nŻaneta;Gdańsk;88,00\n"),
        ("cp1254", "Ürün,Şehir,Fiyat\nİncir,Aydın,120\nÇay,Rize,95\nŞeker,İzmir,30\n"),  # noqa: RUF001
        ("cp850", "Prüfbericht\nGerät: Kessel 3, Öffnungsdruck 6,2 bar, Größe DN 50\n"),
        ("mac_roman", "Réunion du conseil\nPrésidente : Zoé Lefèvre\nDépenses : 12 400 euros\n"),
        ("cp1252", "Größe: 12 m²\nStraße 4 – Köln\nFaçade à rénover, 30 °C\nPreis 12 €\n"),  # noqa: RUF001
        ("cp1251", "Протокол собрания жильцов\nВзнос на ремонт 4500 рублей\n"),  # noqa: RUF001
        ("cp1252", "Það er gott að búa í Reykjavík. Hún á íbúð.\n"),
        ("cp1250", "Nájemní smlouva: byt č. 4, nájemné 12 500 Kč měsíčně, výpověď\n"),
        ("cp1250", "Bérleti szerződés: a bérleti díj 120 000 Ft, a határidő hétfő\n"),
        ("cp1253", "Το ενοίκιο είναι 520 ευρώ τον μήνα\n"),  # noqa: RUF001
        ("cp1255", "שכר הדירה הוא 4500 שקלים לחודש\n"),
        ("cp1256", "الإيجار الشهري 4500 ريال\n"),
    ],
)
def test_the_encoding_of_a_short_text_is_told_by_its_words(tmp_path, name, text):
    path = tmp_path / "text"
    path.write_bytes(text.encode(name))
    codec = encoding.of_file(path)
    assert codec is not None
    assert path.read_bytes().decode(codec.name) == text
