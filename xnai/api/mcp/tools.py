"""What agents can do: search, read, ask, list documents, and check a claim against them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xnai.accounts import Principal
from xnai.answering.events import Event, Parts, Question, Reading, Retrieved, Waiting
from xnai.answering.streams import Stream, StreamState
from xnai.answering.summary import Account
from xnai.api.answers import collect, with_wait
from xnai.api.errors import require_accepting, require_search
from xnai.api.live_answer import LiveAnswer
from xnai.api.mcp.arguments import (
    AskArguments,
    Asked,
    ListArguments,
    ReadArguments,
    SearchArguments,
    ToolArguments,
    VerifyArguments,
    checked,
)
from xnai.api.mcp.texts import DocumentTexts
from xnai.api.mcp.visit import Progress, Visit
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed, require_processed
from xnai.documents.library_names import name_of
from xnai.errors import NOT_FOUND, SHUTTING_DOWN, XnaiError
from xnai.types import Document, Sampling, Scope

Result = dict[str, Any]
_Call = Callable[[Any, Visit, Progress], Awaitable[Result]]

_INSIDE = "The documents are the caller's own; nothing is changed."


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: what a model is told of it, what it takes, and what does it."""

    name: str
    title: str
    description: str
    arguments: type[ToolArguments]
    call: _Call


class Toolbox:
    """The tools over the documents of whoever calls."""

    def __init__(self, runtime: ApiRuntime, texts: DocumentTexts) -> None:
        self._runtime = runtime
        self._texts = texts
        tools = (
            Tool(
                "search",
                "Search documents",
                "Find the passages that match a query best, by words and by meaning, each with its "
                f"document, page and place. {_INSIDE}",
                SearchArguments,
                self._search,
            ),
            Tool(
                "read",
                "Read a page",
                "Return the text of a page of a document, or of a document without pages; "
                f"`next_start` and `next_page` say where it goes on. {_INSIDE}",
                ReadArguments,
                self._read,
            ),
            Tool(
                "ask",
                "Ask the documents",
                "Answer a question from the documents with a local model. Every statement has a "
                "citation; `outcome` is 'answered', 'quoted' (passages without a statement), "
                f"'not_found' or 'chat'. It may take a minute. {_INSIDE}",
                AskArguments,
                self._ask,
            ),
            Tool(
                "list_documents",
                "List documents",
                f"List documents with their ids and states, newest first, and libraries. {_INSIDE}",
                ListArguments,
                self._list,
            ),
            Tool(
                "verify",
                "Check a claim",
                "Say whether a sentence of the documents supports a claim or contradicts it, and "
                "which one on which page: `verdict` is 'supports', 'contradicts' or 'none'. "
                f"{_INSIDE}",
                VerifyArguments,
                self._verify,
            ),
        )
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}

    async def call(
        self, name: str, given: Mapping[str, Any], visit: Visit, tell: Progress
    ) -> Result:
        """Check the arguments of a call, and do it.

        Raises:
            XnaiError: NOT_FOUND, there is no such tool; BAD_REQUEST; those of the tool.

        """
        tool = self.tools.get(name)
        if tool is None:
            raise XnaiError(NOT_FOUND, what="tool", name=name[:100])
        require_accepting(self._runtime)
        require_search(self._runtime)
        return await tool.call(checked(tool.arguments, given), visit, tell)

    async def _search(self, given: SearchArguments, visit: Visit, _: Progress) -> Result:
        scope = await self._scope(visit.caller, given)
        found = await self._runtime.library.search(given.query, scope, given.limit)
        return {
            "passages": [
                {
                    "document_id": one.document_id,
                    "file_name": one.file_name,
                    "page": one.page,
                    "start": one.start,
                    "end": one.end,
                    "score": round(max(0.0, min(1.0, one.score)), 4),
                    "text": one.text,
                }
                for one in found
            ]
        }

    async def _read(self, given: ReadArguments, visit: Visit, _: Progress) -> Result:
        document = await allowed(self._runtime, visit.caller, "see", given.document_id)
        end = given.start + given.max_characters
        part = await self._texts.part(document, given.page, given.start, end)
        return {
            "document_id": document.id,
            "file_name": document.file_name,
            "page": part.page,
            "page_count": document.page_count,
            "start": given.start,
            "text": part.text,
            "characters": part.characters,
            "next_start": end if end < part.characters else None,
            "next_page": part.next_page,
        }

    async def _ask(self, given: AskArguments, visit: Visit, tell: Progress) -> Result:
        scope = await self._scope(visit.caller, given)
        question = self._question(given.question, visit, scope, given.max_tokens)
        events = self._runtime.pipeline.answer(question)

        async def heard(event: Event) -> None:
            if words := _words_of(event):
                await tell(words)

        try:
            streams = self._runtime.streams
            async with LiveAnswer(streams, question, events, visit.receive) as answer:
                whole = await collect(answer, heard)
        except XnaiError as exc:
            raise with_wait(exc, self._runtime.model.status) from exc
        return {
            "answer": whole.text,
            "outcome": whole.done.outcome,
            "citations": [asdict(citation) for citation in whole.done.citations],
            "evidence": [asdict(quote) for quote in whole.done.evidence],
            "language": whole.done.language,
            "read_share": round(whole.done.read_share, 3),
            "reduced": [event.reason.message for event in whole.reduced],
        }

    async def _list(self, given: ListArguments, visit: Visit, _: Progress) -> Result:
        documents = await self._documents(visit.caller, given.library_id)
        wanted = (given.name_contains or "").casefold()
        listed = [one for one in documents if wanted in one.file_name.casefold()]
        ids = [one.id for one in listed]
        if given.after is not None and given.after not in ids:
            raise XnaiError(NOT_FOUND, what="document", name=given.after[:100])
        start = 0 if given.after is None else ids.index(given.after) + 1
        shown = listed[start : start + given.limit]
        result: Result = {
            "documents": [_listed(one) for one in shown],
            "total": len(listed),
            "has_more": start + len(shown) < len(listed),
        }
        if given.library_id is None and given.after is None:
            libraries = await self._runtime.libraries.all(visit.caller)
            result["libraries"] = [
                {"id": one.id, "name": name_of(one), "documents": one.count}
                for one in libraries[: given.limit]
            ]
        return result

    async def _verify(self, given: VerifyArguments, visit: Visit, tell: Progress) -> Result:
        await tell("searching")
        scope = await self._scope(visit.caller, given)
        question = self._question(given.claim, visit, scope)
        about = Account(given.claim)
        stream = Stream("api", question.user, visit.request_id, account=about)
        stream.request_id = visit.request_id
        try:
            with self._runtime.streams.run(stream):
                stream.retrieving()
                verdict = await self._runtime.pipeline.verify(question)
        except asyncio.CancelledError:
            if stream.reason is StreamState.SHUT_DOWN:
                raise XnaiError(SHUTTING_DOWN) from None
            raise
        except XnaiError as exc:
            raise with_wait(exc, self._runtime.model.status) from exc
        return asdict(verdict)

    def _question(
        self, text: str, visit: Visit, scope: Scope, max_tokens: int | None = None
    ) -> Question:
        settings = self._runtime.settings
        return Question(
            text=text,
            request_id=visit.request_id,
            user=visit.caller.person_id,
            scope=scope,
            passages=settings.passages,
            sampling=Sampling(
                max_tokens=max_tokens or settings.max_tokens, temperature=settings.temperature
            ),
            timeout=settings.answer_timeout,
            reader=visit.reader,
        )

    async def _documents(self, caller: Principal, library_id: str | None) -> Sequence[Document]:
        if library_id is None:
            return [*await self._runtime.library.all_documents(caller.person_id)][::-1]
        standing = await self._runtime.libraries.standing(caller, library_id)
        return [document for document, _ in standing][::-1]

    async def _scope(self, caller: Principal, given: Asked) -> Scope:
        """Return the documents named, or all that the caller has.

        Raises:
            XnaiError: NOT_FOUND, LIBRARY_EXPIRED, or the state of a document named.

        """
        ids = tuple(dict.fromkeys(given.document_ids))
        for document_id in ids:
            require_processed(await allowed(self._runtime, caller, "see", document_id))
        libraries = await self._runtime.libraries.asked(caller, given.library_ids)
        return Scope(caller.person_id, ids or None, libraries=libraries)


def _listed(document: Document) -> Result:
    return {
        "id": document.id,
        "file_name": document.file_name,
        "status": document.status,
        "problem": document.error_message or None,
        "page_count": document.page_count,
        "bytes": document.size,
        "created_at": int(document.created_at),
    }


def _words_of(event: Event) -> str:
    match event:
        case Waiting():
            return f"waiting, place {event.position}"
        case Retrieved():
            return f"found {len(event.passages)} passages"
        case Reading():
            return f"reading, {event.done} of {event.total} tokens"
        case Parts():
            return f"part {event.done} of {event.total}"
        case _:
            return ""
