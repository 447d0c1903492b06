"""Small talk: what asks for nothing, such as thanks or goodbye, and what asks who answers here.

A small model that is told to quote its sources says of either that it is not in the documents.
"""

import re
from pathlib import Path

from xnai.locale import marked

REPLY = marked("You are welcome. Ask me anything about your documents, whenever you like.")
ABOUT_US = marked(
    "I answer questions about the documents in this chat: what they say and where, how much it is "
    "in all, what differs between them, or what they say in short. Ask in your own words; the "
    "numbers behind a statement open the place where it stands."
)
_LONGEST = 120  # characters
_WORDS = re.compile(r"[^\W\d_]+")
# A word of the first line says that it is small talk; all others must be of the second.
_SAID, _BESIDE = (
    frozenset(line.split())
    for line in Path(__file__).with_name("small_talk_words.txt").read_text("utf-8").splitlines()
)
_ASKS_ABOUT_US = re.compile(
    r"\b(?:what (?:(?:sorts?|kinds?|types?) of )?(?:things?|questions?|stuff) "
    r"(?:can|could|may|should) i ask|what (?:can|could|may|should) i ask(?: you)?\W{0,5}$|"
    r"what (?:can|do) you do\W{0,5}$|"
    r"(?:what|how) can you help|how do(?:es)? (?:this|it|you) work\W{0,5}$|who are you\W{0,5}$|"
    r"was kann ich (?:dich|sie|hier|dir|ihnen)?\s?(?:alles )?fragen|was kannst du\W{0,5}$|"
    r"was können sie\W{0,5}$|wie funktioniert (?:das|dies)\W{0,5}$|"
    r"(?:wer bist du|wer sind sie)\W{0,5}$|"
    r"que puis-je (?:te |vous )?demander|que (?:peux-tu|pouvez-vous) faire|qui (?:es-tu|êtes-vous)|"
    r"comment ça (?:marche|fonctionne)|qué (?:te |le )?puedo preguntar|qué puedes hacer|"
    r"quién eres|cómo funciona esto)|何ができますか|何を聞けますか|あなたは誰|"
    r"你能做什么|可以问你什么|你是谁|ماذا يمكنني أن أسأل|ماذا يمكنك أن تفعل|من أنت",
    re.IGNORECASE,
)


def reply_to(text: str) -> str:
    """What is said to a text that asks for nothing that documents could tell; empty to others."""
    if is_small_talk(text):
        return REPLY
    return ABOUT_US if len(text) <= _LONGEST and _ASKS_ABOUT_US.search(text) else ""


def is_small_talk(text: str) -> bool:
    """Whether a text is made of nothing but the words of thanks, greetings and goodbyes."""
    if len(text) > _LONGEST or any(map(str.isdigit, text)):
        return False
    words = _WORDS.findall(text.casefold())
    known = _SAID | _BESIDE
    return any(word in _SAID for word in words) and all(word in known for word in words)
