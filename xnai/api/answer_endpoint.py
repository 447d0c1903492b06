"""What every endpoint that answers has in common: who asks, what ends it, whole or as a stream."""

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from xnai.accounts import SERVER, Principal, may
from xnai.answering.events import Question
from xnai.answering.streams import Stream
from xnai.answering.summary import Account
from xnai.api.answer_stream import AnswerStream, Script
from xnai.api.answers import WholeAnswer, collect, with_wait
from xnai.api.auth import Authority
from xnai.api.endpoints import NO_STORE
from xnai.api.errors import REQUEST_ID, require_accepting
from xnai.api.live_answer import LiveAnswer
from xnai.api.protocol import ApiRuntime
from xnai.errors import FORBIDDEN, XnaiError

log = structlog.get_logger(__name__)


class Wire(Protocol):
    """A request that was read."""

    @property
    def question(self) -> str:
        """What is asked."""
        ...

    @property
    def model(self) -> str | None:
        """The model that is to answer."""
        ...

    @property
    def stream(self) -> bool:
        """Whether the answer is to come in parts."""
        ...


class AnswerForm(Script, Protocol):
    """What an answer is written as, whole or in parts."""

    @property
    def id(self) -> str:
        """What the answer is named by."""
        ...

    def whole(self, whole: WholeAnswer) -> dict[str, object]:
        """An answer at once."""
        ...


W = TypeVar("W", bound=Wire)


class AnswerEndpoint(ABC, Generic[W]):
    """An endpoint as an ASGI application, since it must notice a client that goes away."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    @abstractmethod
    def read(self, body: bytes) -> W:
        """Parse and check the body of a request."""

    @abstractmethod
    async def asked(self, wire: W, caller: Principal, request: Request) -> Question:
        """Return the question of a request, over documents that the caller may see."""

    @abstractmethod
    def form(self, wire: W, model: str) -> AnswerForm:
        """Return what the answer is written as."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            XnaiError: anything that goes wrong before the response has begun.

        """
        request = Request(scope, receive)
        caller = self._authority.caller(request)
        wire = self.read(await request.body())
        try:
            require_accepting(self._runtime)
            await self._choose_model(caller, wire.model)
            form = self.form(wire, self._runtime.model.status.name)
            question = await self.asked(wire, caller, request)
        except BaseException as exc:
            account = Account(wire.question)
            refused = Stream("api", owner=caller.person_id, message="", account=account)
            self._runtime.streams.note_refused(refused, exc)
            raise
        events = self._runtime.pipeline.answer(question)
        try:
            async with LiveAnswer(self._runtime.streams, question, events, receive) as answer:
                if wire.stream:
                    await AnswerStream(answer, form, send, scope[REQUEST_ID]).run()
                else:
                    body = form.whole(await collect(answer))
                    await JSONResponse(body, headers=NO_STORE)(scope, receive, send)
        except ClientDisconnect:
            log.info("client gone, answer cancelled", answer_id=form.id)
        except XnaiError as exc:
            raise with_wait(exc, self._runtime.model.status) from exc

    async def _choose_model(self, caller: Principal, name: str | None) -> None:
        model = self._runtime.model
        if not name or name in {"default", model.status.name}:
            return
        if not may(caller, "operate", SERVER):  # everybody's answers wait while it is switched
            raise XnaiError(FORBIDDEN)
        await model.use(name)
        self._runtime.audit.record("model", who=caller.person_id, name=name)
