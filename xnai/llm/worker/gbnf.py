"""llama.cpp's grammar notation (GBNF) rewritten as Lark, the notation of llguidance.

llguidance reads text with a lexer of longest matches, GBNF knows characters only. So each
character becomes a terminal of its own: no terminal begins another, and both accept the same text.
https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

import json
import re
from collections.abc import Iterator

MAX_DEPTH = 25  # parentheses within each other
MAX_REPEAT = 2000  # llama.cpp's limit as well
_SHOWN = 20  # characters of a place that is named
_SCALARS = 0x110000
_SURROGATES = range(0xD800, 0xE000)

_TOKEN = re.compile(
    r"""
      (?P<space> [ \t]+ | \#[^\r\n]* )
    | (?P<newline> [\r\n]+ )
    | (?P<define> ::= )
    | (?P<name> [A-Za-z0-9_-]+ )
    | (?P<literal> "(?: [^"\\] | \\. )*" )
    | (?P<set> \[ (?: [^\]\\] | \\. )* \] )
    | (?P<any> \. )
    | (?P<alternative> \| )
    | (?P<open> \( )
    | (?P<close> \) )
    | (?P<repeat> [*+?] | \{\s* [0-9]{1,9} \s* (?: ,\s* (?:[0-9]{1,9} \s*)? )? \} )
    """,
    re.VERBOSE | re.DOTALL,
)
_CHARACTER = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|([^\\])", re.DOTALL
)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", **{char: char for char in '\\"[]-'}}


class GrammarSyntaxError(Exception):
    """The text is no grammar; the message says where and why."""


def to_lark(text: str) -> str:
    """Rewrite a grammar.

    Raises:
        GrammarSyntaxError: it is not GBNF, has no ``root``, or exceeds a limit.

    """
    translator = _Translator()
    for kind, value in _tokens(text):
        translator.take(kind, value)
    return translator.finish()


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GrammarSyntaxError(f"{text[at : at + _SHOWN]!r} cannot be read")
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group()
        at = match.end()


class _Translator:
    """Takes one token after the other; ``_open`` holds the parts of unclosed parentheses."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._rules: dict[str, str] = {}
        self._current = ""  # the rule being read; empty between rules
        self._heading = ""  # a name at the beginning of a rule, until its ::=
        self._open: list[list[str]] = []
        self._continues = False  # the line may end here without ending the rule

    def take(self, kind: str, value: str) -> None:
        if kind == "newline":
            if len(self._open) == 1 and not self._continues:
                self._end_rule()
            return
        if not self._current:
            self._begin(kind, value)
            return
        self._continues = kind == "alternative"
        if kind == "open":
            self._nest()
        elif kind == "close":
            self._close()
        elif kind == "repeat":
            _repeat(self._open[-1], value)
        else:
            self._open[-1].append(self._part(kind, value))

    def _part(self, kind: str, value: str) -> str:
        match kind:
            case "name":
                return self._name(value)
            case "literal":
                return _literal(value[1:-1])
            case "set":
                return _set(value[1:-1])
            case "any":
                return "/(?s:.)/"
            case "alternative":
                return "|"
            case _:
                raise GrammarSyntaxError(f"{value!r} has no place inside a rule")

    def finish(self) -> str:
        if self._current:
            self._end_rule()
        if self._heading:
            raise GrammarSyntaxError(f"the rule {self._heading!r} has no ::=")
        if "root" not in self._rules:
            raise GrammarSyntaxError("it has no rule 'root'")
        missing = next((name for name in self._names if name not in self._rules), None)
        if missing is not None:
            raise GrammarSyntaxError(f"the rule {missing!r} is not defined")
        return "\n".join(f"{self._names[name]}: {body}" for name, body in self._rules.items())

    def _begin(self, kind: str, value: str) -> None:
        if kind == "name" and not self._heading:
            self._heading = value
        elif kind == "define" and self._heading:
            if self._heading in self._rules:
                raise GrammarSyntaxError(f"the rule {self._heading!r} is defined twice")
            self._name(self._heading)
            self._current, self._heading = self._heading, ""
            self._open, self._continues = [[]], True
        else:
            raise GrammarSyntaxError(f"a rule cannot begin with {value[:_SHOWN]!r}")

    def _name(self, name: str) -> str:
        known = self._names
        return known.setdefault(name, "start" if name == "root" else f"r{len(known)}")

    def _nest(self) -> None:
        if len(self._open) > MAX_DEPTH:
            raise GrammarSyntaxError(f"more than {MAX_DEPTH} parentheses are open at once")
        self._open.append([])

    def _close(self) -> None:
        if len(self._open) == 1:
            raise GrammarSyntaxError(f"the rule {self._current!r} has a ')' without a '('")
        inner = self._open.pop()
        self._open[-1].append(f"({_alternatives(inner)})")

    def _end_rule(self) -> None:
        if len(self._open) > 1:
            raise GrammarSyntaxError(f"the rule {self._current!r} has a '(' without a ')'")
        self._rules[self._current] = _alternatives(self._open.pop())
        self._current = ""


def _alternatives(parts: list[str]) -> str:
    """Join parts, with an empty text where an alternative has none."""
    out: list[str] = []
    for before, part in zip(["|", *parts], [*parts, "|"], strict=True):
        if before == part == "|":
            out.append('""')
        out.append(part)
    return " ".join(out[:-1])


def _literal(body: str) -> str:
    characters = [json.dumps(chr(code), ensure_ascii=False) for code in _codes(body)]
    return f"({' '.join(characters)})" if characters else '""'


def _set(body: str) -> str:
    negated = body.startswith("^")
    codes = list(_codes(body[negated:], ranges=True))
    if not codes:
        raise GrammarSyntaxError("a set of characters is empty")
    out: list[str] = []
    at = 0
    while at < len(codes):
        low = high = codes[at]
        if at + 2 < len(codes) and codes[at + 1] == _RANGE:
            high = codes[at + 2]
            at += 2
        at += 1
        low, high = abs(low), abs(high)
        if low > high:
            raise GrammarSyntaxError(f"the range [{body[:_SHOWN]}] runs backwards")
        out.append(f"\\x{{{low:x}}}-\\x{{{high:x}}}")
    return f"/[{'^' if negated else ''}{''.join(out)}]/"


_RANGE = -ord("-")  # a bare hyphen in a set, which an escaped one is not


def _codes(body: str, *, ranges: bool = False) -> Iterator[int]:
    at = 0
    while at < len(body):
        match = _CHARACTER.match(body, at)
        escape = match.group(4) if match else None
        if match is None or (escape and escape not in _ESCAPES):
            raise GrammarSyntaxError(f"{body[at : at + 2]!r} is no escape")
        digits = match.group(1) or match.group(2) or match.group(3)
        code = int(digits, 16) if digits else ord(_ESCAPES[escape] if escape else match.group(5))
        if code >= _SCALARS or code in _SURROGATES:
            raise GrammarSyntaxError(f"{match.group()!r} is no character")
        yield _RANGE if ranges and match.group(5) == "-" else code
        at = match.end()


def _repeat(parts: list[str], operator: str) -> None:
    if not parts or parts[-1] == "|":
        raise GrammarSyntaxError(f"{operator!r} has nothing to repeat")
    if operator.startswith("{"):
        times = [int(number) for number in re.findall(r"[0-9]+", operator)]
        if max(times) > MAX_REPEAT:
            raise GrammarSyntaxError(f"a repetition of more than {MAX_REPEAT} times")
        if times != sorted(times):
            raise GrammarSyntaxError(f"{operator} runs backwards")
        low = times[0]
        high = times[-1] if len(times) > 1 or "," not in operator else ""
        operator = f"{{{low},{high}}}"
    grouped = parts[-1].endswith(")")
    parts[-1] = f"{parts[-1]}{operator}" if grouped else f"({parts[-1]}){operator}"
