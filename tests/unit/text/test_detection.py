# ruff: noqa: RUF001 - questions in many scripts
import pytest

from xnai.text.detection import KNOWN, OTHER, detect
from xnai.text.english import MAX_CHARACTERS

QUESTIONS = {
    "en": ["What is the notice period?", "Who signed?", "List all dates.", "When was it built?"],
    "de": [
        "Wie hoch ist die Gebühr?",
        "Wer hat unterschrieben?",
        "Fasse zusammen.",
        "Nenne den Vermieter.",
        "Gilt das auch sonntags?",
    ],
    "fr": [
        "Quel est le délai de préavis ?",
        "Qui a signé le contrat ?",
        "Que dit l'article 7 ?",
        "Y a\u2011t\u2011il une assurance ?",
        "Jusqu\u2019à quand l\u2019offre est\u2011elle valable ?",
    ],
    "es": [
        "¿Cuánto cuesta?",
        "cuando termina el contrato",
        "Resume el documento",
        "quien es el propietario",
        "¿Quién firmó?",
    ],
    "ja": [
        "契約はいつ始まりますか？",
        "料金はいくらですか",
        "東京支店の住所は？",
        "一番売れた商品はどれ",
    ],
    "zh": ["合同从哪一天开始生效？", "订单12600的备注是什么？", "总结这份文件"],
    "ar": ["متى يبدأ العقد؟", "كم تبلغ الرسوم السنوية؟", "من وقّع؟"],
    OTHER: [
        "Quanto costa l'abbonamento annuale?",
        "Come posso disdire l'affitto?",
        "Qual é o prazo de aviso prévio?",
        "Wat is de opzegtermijn?",
        "Hur mycket kostar årsabonnemanget?",
        "Kto podpisał umowę?",
        "Kim imzaladı?",
        "Сколько стоит гостиница?",
        "계약은 언제 시작됩니까?",
        "Πότε αρχίζει η σύμβαση;",
        "अनुबंध कब शुरू होता है?",
        "مدت قرارداد چقدر است؟",
    ],
    None: ["", "?!", "12600", "Total?", "Notice period", "Kündigungsfrist?", "/summary", "OK"],
}


@pytest.mark.parametrize(
    ("language", "question"),
    [(language, question) for language, asked in QUESTIONS.items() for question in asked],
)
def test_the_language_of_a_question(language, question):
    assert detect(question) == language


def test_every_language_was_tried():
    assert {*KNOWN, OTHER, None} == {*QUESTIONS}


def test_a_name_of_another_script_does_not_decide():
    assert detect("Who is the author of 羅生門, and when was it written?") == "en"
    assert detect("Was bedeutet „Да“ in diesem Vertrag?") == "de"


def test_few_signs_that_japanese_and_chinese_share_are_the_readers():
    assert [detect("締切日", one) for one in ("", "ja", "zh", "de")] == ["zh", "ja", "zh", "zh"]
    assert detect("合同从哪一天开始生效？", "ja") == "zh"


def test_a_pasted_text_is_not_read_to_its_end():
    assert (
        detect("Was steht hier? " + "word " * MAX_CHARACTERS + " Und wer hat das gesagt?") == "de"
    )
