"""How a model says that the documents do not say, in whatever language it says it.

It is told one English sentence for that, and copies it, translates it, or puts it in its own words.
What it says is replaced by the program's own sentence in the language of the question.
"""

import re

from xnai.answering.evidence import NOT_FOUND
from xnai.locale import in_all_languages

_COPIED = "this is not in your documents"  # of the sentence that the prompt gives
_LONGEST = 300  # characters of an answer that can be a refusal
_REFUSED = re.compile(
    # English
    r"\bnot in (?:your|the) documents?\b|"
    r"\b(?:is|are|was|were) not (?:specified|mentioned|stated|given|provided|included|said)\b|"
    r"\b(?:does|do|did) not (?:specify|mention|state|say|contain)\b|"
    r"\bno (?:information|mention)\b|"
    # German
    r"\bnicht in (?:den|ihren|deinen|diesen|dem|ihrem|diesem) dokument(?:en)?\b|"
    r"\bnicht (?:angegeben|erwähnt)\b|\bkeine (?:angaben?|information(?:en)?)\b|"
    # French
    r"\bpas dans (?:vos|les|ces|ce|le) documents?\b|\baucune (?:mention|information)\b|"
    r"\bpas (?:mention|indiqu|précis|spécifi)[ée]+s?\b|"
    # Spanish
    r"\bno (?:está|aparece|figura|se encuentra) en (?:sus|tus|los|el|este) documentos?\b|"
    r"\bno se (?:menciona|indica|especifica)\b|\bno hay (?:información|mención)\b|"
    # Japanese
    r"(?:記載|言及)(?:され|が|は)(?:て|あり)?(?:い|お)?(?:り)?(?:ません|ない)|書かれてい(?:ません|ない)|"
    # Chinese
    r"(?:文件|文档|资料)[中里](?:没有|未)|没有(?:提到|提及|说明|相关信息)|未(?:提及|提到|说明)|"
    # Arabic
    r"(?:غير مذكور|لم يذكر|لم تذكر|لا يوجد في (?:المستند|الوثائق|المستندات|مستنداتك))",
    re.IGNORECASE,
)


def is_copied(beginning: str) -> bool:
    """Whether an answer begins with the sentence that the model was told to refuse with."""
    return beginning.lstrip().casefold().startswith(_COPIED)


def refuses(answer: str) -> bool:
    """Whether an answer says that the documents do not say, and not much beside."""
    if is_copied(answer) or answer.startswith(in_all_languages(NOT_FOUND)):
        return True
    return len(answer) <= _LONGEST and bool(_REFUSED.search(answer))
