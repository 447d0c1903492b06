"""Tells the page what may be asked next, see public/page/next.js."""

import asyncio

import chainlit as cl

from xnai.answering.events import Question
from xnai.answering.follow_ups import follow_ups
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import XnaiError
from xnai.observability.error_reports import report
from xnai.ui.answer_view import AnswerView

NEXT = "xnai:next"
LONGEST_SECONDS = 20.0  # somebody who has read on does not look for them any more


async def offer(library: DocumentLibrary, question: Question, view: AnswerView) -> None:
    """Offer what the documents of an answer say besides; nothing is said if that fails."""
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            found = await follow_ups(library, question, view.cited, view.texts)
    except TimeoutError:
        return
    except XnaiError as exc:
        report(exc)
        return
    if found:
        told = {"type": NEXT, "message": view.message.id, "questions": found}
        await cl.context.emitter.send_window_message(told)
