"""Buttons under an answer: continue one that was cut off, or answer once more."""

import chainlit as cl

from xnai.accounts import SERVER, may
from xnai.answering.streams import StreamState
from xnai.llm.protocol import LanguageModel
from xnai.ui.auth import principal_of
from xnai.ui.conversation import Turn
from xnai.ui.reading_language import texts_of
from xnai.ui.summary_line import model_words

CONTINUE = "continue_answer"
AGAIN = "answer_again"
CUT_SHORT = "length"  # how an answer ended that has reached its longest length
MODEL = "model"  # key in a payload: what answers from then on
_OTHERS = 2  # models that are offered
QUESTION = "question"  # key in a payload, and in a message's metadata: the user's message


def actions_after(
    state: StreamState | str, question_id: str, text: str, model: LanguageModel
) -> list[cl.Action]:
    """Return the buttons for an answer that ended in a state; ``text`` is its text."""
    others = enumerate(_other_models(model))
    offered = [_again(question_id), *(_again_by(question_id, *one) for one in others)]
    if state != StreamState.COMPLETED and text.strip():
        offered.insert(0, _continue(question_id))
    return offered


async def remove(question_id: str) -> None:
    """Remove the buttons of an answer from the page, whether they are there or not."""
    others = (_again_by(question_id, number, "") for number in range(_OTHERS))
    for action in (_continue(question_id), _again(question_id), *others):
        await action.remove()


async def show(turn: Turn, model: LanguageModel) -> None:
    """Show the buttons under an answer that is on the page."""
    await remove(turn["id"])
    for action in actions_after(turn["end"], turn["id"], turn["answer"], model):
        await action.send(for_id=turn["message"])


# The page tells buttons apart by their ids alone, and shows one twice that is sent twice.
def _continue(question_id: str) -> cl.Action:
    texts = texts_of(cl.context.session)
    return cl.Action(
        name=CONTINUE,
        payload={QUESTION: question_id},
        label=texts.say("Continue"),
        tooltip=texts.say("Go on from here"),
        id=f"{CONTINUE}:{question_id}",
    )


def _again(question_id: str) -> cl.Action:
    texts = texts_of(cl.context.session)
    return cl.Action(
        name=AGAIN,
        payload={QUESTION: question_id},
        tooltip=texts.say("Answer again; this answer stays where it is"),
        icon="refresh-cw",
        id=f"{AGAIN}:{question_id}",
    )


def _again_by(question_id: str, number: int, model: str) -> cl.Action:
    texts = texts_of(cl.context.session)
    return cl.Action(
        name=AGAIN,
        payload={QUESTION: question_id, MODEL: model},
        label=texts.say("With {model}", model=model_words(model)),
        tooltip=texts.say("Answer again with this model, which all chats use from then on"),
        icon="refresh-cw",
        id=f"{AGAIN}:{question_id}:{number}",
    )


def _other_models(model: LanguageModel) -> list[str]:
    """Return what else could answer, for whoever may choose it; the bundled one only quotes."""
    if not may(principal_of(cl.context.session), "operate", SERVER):
        return []
    used = model.status.name
    return [one.name for one in model.models() if one.name != used and not one.bundled][:_OTHERS]
