"""Made-up English that is new in every round, so that no cache knows it, and the same for all."""

import random

_ADJECTIVES, _NOUNS, _VERBS, _PLACES = (
    line.split(",")
    for line in (
        "old,quiet,grey,busy,narrow,wooden,early,distant,bright,empty,heavy,small",
        "harbour,keeper,lamp,boat,letter,storm,market,bridge,engine,garden,teacher,river,ship,clock",
        "watched,repaired,carried,remembered,followed,painted,crossed,found,sold,built",
        "north coast,old town,mill,station,lighthouse,square,western pier,hill",
    )
)

STORY = "Write a long story of five hundred words about these notes."
GO_ON = "Go on with the story in the same detail for another five hundred words."
SYSTEM = "You are a storyteller who writes long answers."
TOPICS = (
    "the keeper of the lamp",
    "a storm that lasted a week",
    "a letter that came too late",
    "the engine of an old boat",
    "the doctor and the horse",
    "a bridge that nobody crossed",
    "the baker of the square",
    "a clock without hands",
)


def prose(words: int, seed: str) -> str:
    """About so many words in sentences, drawn by ``seed``."""
    draw = random.Random(seed)
    text: list[str] = []
    while len(text) < words:
        first, second = draw.sample(_NOUNS, 2)
        sentence = (
            f"The {draw.choice(_ADJECTIVES)} {first} {draw.choice(_VERBS)} "
            f"the {draw.choice(_ADJECTIVES)} {second} near the {draw.choice(_PLACES)}."
        )
        text += sentence.split()
    return " ".join(text)


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def distinct_chat(client: int, seed: str, words: int = 200) -> list[dict[str, str]]:
    """The first turn of a chat with a context of its own."""
    notes = prose(words, f"{seed}/{client}")
    return [message("system", SYSTEM), message("user", f"{notes}\n\n{STORY}")]


def shared_chat(client: int, seed: str, words: int = 600) -> list[dict[str, str]]:
    """The first turn of a chat that has its document, but not its question, in common."""
    notes = prose(words, seed)
    topic = TOPICS[client % len(TOPICS)]
    question = f"With these notes write a long story of five hundred words about {topic}."
    return [message("system", f"{SYSTEM}\n\n{notes}"), message("user", question)]
