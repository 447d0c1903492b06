"""The buttons under an answer: go on with one that was cut off, or answer once more."""

import chainlit as cl

from xnai.streams import State
from xnai.ui.conversation import Turn

CONTINUE = "continue_answer"
AGAIN = "answer_again"
QUESTION = "question"  # key in a payload, and in a message's metadata: the user's message


def after(state: State | str, question_id: str, text: str) -> list[cl.Action]:
    """What can be done about an answer that ended in a state; ``text`` is what was said."""
    offered = [_again(question_id)]
    if state != State.COMPLETED and text.strip():
        offered.insert(0, _continue(question_id))
    return offered


async def withdraw(question_id: str) -> None:
    """Take the buttons of an answer off the page, whether they are there or not."""
    for action in (_continue(question_id), _again(question_id)):
        await action.remove()


async def offer(turn: Turn) -> None:
    """Put the buttons under an answer that is on the page."""
    await withdraw(turn["id"])
    for action in after(turn["end"], turn["id"], turn["answer"]):
        await action.send(for_id=turn["message"])


# The page knows buttons by their ids only, and shows one that is sent twice twice.
def _continue(question_id: str) -> cl.Action:
    return cl.Action(
        name=CONTINUE,
        payload={QUESTION: question_id},
        label="Continue",
        tooltip="Go on from here",
        id=f"{CONTINUE}:{question_id}",
    )


def _again(question_id: str) -> cl.Action:
    return cl.Action(
        name=AGAIN,
        payload={QUESTION: question_id},
        tooltip="Answer again; this answer stays where it is",
        icon="refresh-cw",
        id=f"{AGAIN}:{question_id}",
    )
