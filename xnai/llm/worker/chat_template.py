"""The chat template of a model, rendered in a sandbox, with users' text kept plain text.

A template is Jinja from a file that may be hostile, and what users and documents say may spell
the model's special tokens. So the template runs in an immutable sandbox, and every special token
spelled in a message is swapped for a mark before rendering; afterwards the prompt is cut at the
marks, and only the parts between them are tokenised with special tokens recognised.
"""

import datetime as dt
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MAX_TEMPLATE = 512 * 1024  # characters
MAX_REASON = 200

Turn = dict[str, str]


class TemplateRefusedError(Exception):
    """The template cannot be used, or refuses the conversation; the text says why."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt; special tokens are recognised only where ``special`` is true."""

    text: str
    special: bool


class _Generation(Extension):
    """Accepts ``{% generation %}``, with which some templates mark what the model wrote."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's interface

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    @staticmethod
    def _same(caller: object) -> str:
        return str(caller()) if callable(caller) else ""


class ChatTemplate:
    """A compiled template.

    Args:
        source: the Jinja text of the GGUF; empty: ChatML.
        specials: the spellings of all tokens that must not come from users' text.
        bos: the spelling of the token that begins a text.
        eos: the spelling of the token that ends one.

    Raises:
        TemplateRefusedError: it is no Jinja, or is too long.

    """

    def __init__(self, source: str, specials: Iterable[str], bos: str = "", eos: str = "") -> None:
        if len(source) > MAX_TEMPLATE:
            raise TemplateRefusedError("it is too long")
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals.update(raise_exception=_refuse, strftime_now=_now)
        try:
            self._template = environment.from_string(source or CHATML)
        except (TemplateError, RecursionError, MemoryError) as exc:
            raise TemplateRefusedError(_reason(exc)) from exc
        self._names = {"bos_token": bos, "eos_token": eos}
        spellings = sorted({text for text in specials if text}, key=len, reverse=True)
        self._specials = re.compile("|".join(map(re.escape, spellings))) if spellings else None
        self._folds_system = not self._takes_system()

    def render(self, turns: Sequence[Turn]) -> list[Segment]:
        """The prompt for the turns, ready for the model's answer.

        Raises:
            TemplateRefusedError: the template refuses these turns.

        """
        if self._folds_system:
            turns = _fold_system(turns)
        marks: dict[str, str] = {}
        nonce = secrets.token_hex(8)

        def mark(match: re.Match[str]) -> str:
            key = f"\ue000{nonce}{len(marks):x}\ue001"
            marks[key] = match.group()
            return key

        marked = [
            {**turn, "content": self._specials.sub(mark, turn["content"])}
            if self._specials
            else turn
            for turn in turns
        ]
        try:
            text = self._render(marked)
        except TemplateRefusedError:
            text = self._render(_merge(marked))
        return _segments(text, marks, nonce)

    def _render(self, turns: Sequence[Turn]) -> str:
        try:
            return self._template.render(
                messages=[dict(turn) for turn in turns], add_generation_prompt=True, **self._names
            )
        except TemplateRefusedError:
            raise
        except Exception as exc:  # a hostile or careless template may raise anything
            raise TemplateRefusedError(_reason(exc)) from exc

    def _takes_system(self) -> bool:
        probe = f"probe-{secrets.token_hex(8)}"
        turns = [{"role": "system", "content": probe}, {"role": "user", "content": "Hello"}]
        try:
            return probe in self._render(turns)
        except TemplateRefusedError:
            return False


def _segments(text: str, marks: dict[str, str], nonce: str) -> list[Segment]:
    if not marks:
        return [Segment(text, special=True)]
    parts = re.split(f"(\ue000{nonce}[0-9a-f]+\ue001)", text)
    return [
        Segment(marks[part], special=False) if part in marks else Segment(part, special=True)
        for part in parts
        if part
    ]


def _fold_system(turns: Sequence[Turn]) -> list[Turn]:
    """Put what the system says in front of the first thing the user says."""
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    if not system:
        return rest
    for turn in rest:
        if turn["role"] == "user":
            turn["content"] = f"{system}\n\n{turn['content']}"
            return rest
    return [{"role": "user", "content": system}, *rest]


def _merge(turns: Sequence[Turn]) -> list[Turn]:
    """Join neighbours of one role, for templates that insist on alternation."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1]["role"] == turn["role"]:
            merged[-1]["content"] += f"\n\n{turn['content']}"
        else:
            merged.append(dict(turn))
    return merged


def _refuse(message: object = "") -> NoReturn:
    raise TemplateRefusedError(_printable(str(message)))


def _now(layout: str) -> str:
    return dt.datetime.now().astimezone().strftime(layout)


def _to_json(value: object, indent: int | None = None, **_: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _reason(exc: BaseException) -> str:
    return type(exc).__name__


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:MAX_REASON]).strip(" .")
