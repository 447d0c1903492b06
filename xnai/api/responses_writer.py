"""OpenAI's responses on the wire: writing one, whole or as events."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from xnai.answering.events import Done, Event, Reduced, Retrieved, Token
from xnai.api.answers import WholeAnswer
from xnai.api.responses_request import ResponsesRequest
from xnai.errors import XnaiError
from xnai.observability.error_reports import error_body
from xnai.types import Citation, Passage, Usage

_LIMITED = frozenset({429, 503})
Item = dict[str, Any]


class ResponseForm:
    """The objects of one answer: the search in stores, if there was one, and the message."""

    def __init__(self, wire: ResponsesRequest, model: str) -> None:
        self.id = f"resp_{uuid4().hex}"
        self._message_id = f"msg_{uuid4().hex}"
        self._search_id = f"fs_{uuid4().hex}"
        self._wire = wire
        self._model = model
        self._created = int(time.time())
        self._passages: Sequence[Passage] = ()
        self._texts: list[str] = []
        self._reduced: list[dict[str, str]] = []
        self._number = 0  # of the next event

    def whole(self, whole: WholeAnswer) -> dict[str, object]:
        """Return the answer at once."""
        for event in whole.reduced:
            self._reduce(event)
        self._passages = whole.passages
        self._texts = list(whole.texts)
        return self._finished(whole.done)

    def begin(self) -> bytes:
        """Return the events before the first text."""
        started = self._response("in_progress", [])
        told = self._event("response.created", response=started)
        told += self._event("response.in_progress", response=started)
        if self._wire.search is not None:
            call = self._search_call("in_progress")
            place = {"item_id": self._search_id, "output_index": 0}
            told += self._event("response.output_item.added", output_index=0, item=call)
            told += self._event("response.file_search_call.in_progress", **place)
            told += self._event("response.file_search_call.searching", **place)
        return told

    def heard(self, event: Event) -> bytes:
        """Return the events of what was found, and of a text."""
        match event:
            case Retrieved() if self._wire.search is not None and not self._texts:
                self._passages = event.passages
            case Reduced():
                self._reduce(event)
            case Token():
                opening = b"" if self._texts else self._opened()
                self._texts.append(event.text)
                return opening + self._part_event(
                    "response.output_text.delta", delta=event.text, logprobs=[]
                )
        return b""

    def done(self, done: Done) -> bytes:
        """Return the events that end an answer."""
        told = b"" if self._texts else self._opened()
        part = self._part(done.citations)
        for at, annotation in enumerate(part["annotations"]):
            told += self._part_event(
                "response.output_text.annotation.added", annotation_index=at, annotation=annotation
            )
        told += self._part_event("response.output_text.done", text=part["text"], logprobs=[])
        told += self._part_event("response.content_part.done", part=part)
        finished = self._finished(done)
        message = self._message("completed", [part])
        at = self._message_index
        told += self._event("response.output_item.done", output_index=at, item=message)
        return told + self._event(f"response.{finished['status']}", response=finished)

    def failed(self, error: XnaiError, request_id: str) -> bytes:
        """Return the event of an answer that fails."""
        code = "rate_limit_exceeded" if error.kind.status in _LIMITED else "server_error"
        response = self._response("failed", [])
        message = f"{error.code}: {error.message} {error.hint}".strip()
        response["error"] = {"code": code, "message": message}
        # What programs of ours are told of every error stands beside OpenAI's.
        response["details"] = error_body(error, request_id)["error"]
        return self._event("response.failed", response=response)

    def end(self) -> bytes:
        """Return nothing: the last event says that it is the last."""
        return b""

    @property
    def _message_index(self) -> int:
        return 0 if self._wire.search is None else 1

    def _opened(self) -> bytes:
        """Return the events that end the search and begin the message."""
        told = b""
        if self._wire.search is not None:
            call = self._search_call("completed")
            told += self._event(
                "response.file_search_call.completed", item_id=self._search_id, output_index=0
            )
            told += self._event("response.output_item.done", output_index=0, item=call)
        at = self._message_index
        message = self._message("in_progress", [])
        told += self._event("response.output_item.added", output_index=at, item=message)
        return told + self._part_event("response.content_part.added", part=_text_part("", []))

    def _event(self, kind: str, **fields: Any) -> bytes:
        payload = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        data = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode(errors="replace")

    def _part_event(self, kind: str, **fields: Any) -> bytes:
        place = {
            "item_id": self._message_id,
            "output_index": self._message_index,
            "content_index": 0,
        }
        return self._event(kind, **place, **fields)

    def _finished(self, done: Done) -> Item:
        is_cut = done.reason == "length"
        status = "incomplete" if is_cut else "completed"
        output = [self._message(status, [self._part(done.citations)])]
        if self._wire.search is not None:
            output.insert(0, self._search_call("completed"))
        return {
            **self._response(status, output),
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "usage": _usage(done.usage),
            "citations": [asdict(citation) for citation in done.citations],
            "answer": {
                "outcome": done.outcome,
                "route": done.route,
                "language": done.language,
                "read_share": round(done.read_share, 3),
            },
            "reduced": self._reduced,
        }

    def _response(self, status: str, output: list[Item]) -> Item:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._model,
            "output": output,
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": False,
            "tool_choice": "auto",
            "store": False,
            "usage": None,
            **self._wire.told,
        }

    def _search_call(self, status: str) -> Item:
        results = None
        if self._wire.shows_results and status == "completed":
            results = [_result(passage) for passage in self._passages]
        return {
            "id": self._search_id,
            "type": "file_search_call",
            "status": status,
            "queries": [self._wire.question],
            "results": results,
        }

    def _message(self, status: str, content: list[Item]) -> Item:
        return {
            "id": self._message_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _part(self, citations: Sequence[Citation]) -> Item:
        files = list(dict.fromkeys(citation.document_id for citation in citations))
        annotations = [
            {
                "type": "file_citation",
                "file_id": one.document_id,
                "filename": one.file_name,
                "index": files.index(one.document_id),
                "mark": one.index,
                "page": one.page,
                "start": one.start,
                "end": one.end,
                "quote": one.quote,
            }
            for one in citations
        ]
        return _text_part("".join(self._texts), annotations)

    def _reduce(self, event: Reduced) -> None:
        code, message = event.reason.code, event.reason.message
        self._reduced.append({"rung": event.rung, "code": code, "message": message})


def _text_part(text: str, annotations: list[Item]) -> Item:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def _result(passage: Passage) -> Mapping[str, object]:
    return {
        "file_id": passage.document_id,
        "filename": passage.file_name,
        "score": max(0.0, min(1.0, passage.score)),
        "text": passage.text,
        "attributes": {},
    }


def _usage(usage: Usage) -> Mapping[str, object]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.reused_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
