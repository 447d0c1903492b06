"""Buttons under an answer: continue one that was cut off, or answer once more."""

import chainlit as cl

from xnai.answering.streams import StreamState
from xnai.ui.conversation import Turn
from xnai.ui.reading_language import texts_of

CONTINUE = "continue_answer"
AGAIN = "answer_again"
CUT_SHORT = "length"  # how an answer ended that has reached its longest length
QUESTION = "question"  # key in a payload, and in a message's metadata: the user's message


def actions_after(state: StreamState | str, question_id: str, text: str) -> list[cl.Action]:
    """Return the buttons for an answer that ended in a state; ``text`` is its text."""
    offered = [_again(question_id)]
    if state != StreamState.COMPLETED and text.strip():
        offered.insert(0, _continue(question_id))
    return offered


async def remove(question_id: str) -> None:
    """Remove the buttons of an answer from the page, whether they are there or not."""
    for action in (_continue(question_id), _again(question_id)):
        await action.remove()


async def show(turn: Turn) -> None:
    """Show the buttons under an answer that is on the page."""
    await remove(turn["id"])
    for action in actions_after(turn["end"], turn["id"], turn["answer"]):
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
