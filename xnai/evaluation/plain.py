"""The peer that the pipeline is compared with: three passages in the prompt, and nothing else."""

import time
from contextlib import aclosing

from xnai.answering.citations import is_refusal
from xnai.answering.events import Done, Outcome
from xnai.evaluation.answers import MAX_TOKENS, TIMEOUT, AnswerRow, row
from xnai.evaluation.sets import EvalQuestion
from xnai.evaluation.workspace import Workspace
from xnai.llm.protocol import Completion, Finished, TokenText
from xnai.types import Message, Sampling, Scope, Usage

PASSAGES = 3
_SYSTEM = (
    "Answer the question using only the passages below. If they do not contain the answer, say "
    "that you do not know.\n\n{passages}"
)


async def plain_answer(space: Workspace, question: EvalQuestion, scope: Scope) -> AnswerRow:
    """Answer as most programs do: same search, same model, whole passages, no citations."""
    began = time.monotonic()
    passages = await space.library.search(question.text, scope, PASSAGES)
    texts = "\n\n".join(passage.text for passage in passages)
    completion = Completion(
        request_id=f"plain-{question.id}",
        user="eval",
        messages=(
            Message("system", _SYSTEM.format(passages=texts)),
            Message("user", question.text),
        ),
        sampling=Sampling(max_tokens=MAX_TOKENS, temperature=0.0),
        deadline=began + TIMEOUT,
    )
    text, usage = "", Usage()
    async with aclosing(space.model.complete(completion)) as events:
        async for event in events:
            if isinstance(event, TokenText):
                text += event.text
            elif isinstance(event, Finished):
                usage = event.usage
    seconds = time.monotonic() - began
    outcome: Outcome = "not_found" if is_refusal(text) else "answered"
    done = Done("stop", usage, (), seconds, outcome=outcome)
    return row(question, text, passages, done, seconds)
