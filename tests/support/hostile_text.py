"""Texts on which a pattern may take long, derived from the pattern itself.

What makes ``re`` slow is a stretch that can be read in many ways, or that is read again from each
of its characters. So each repetition of a pattern is fed what it repeats, behind what leads to it,
once in one long run and once begun again and again, and then something that does not fit.
"""

import re
from re import _constants as op
from re import _parser as parser

MOST = 2**6  # times; what may be repeated so often counts as a repetition without end
_POOL = "aA1_ \n.,;:-!'\"()[]{}<>/\\|@#*$%&=?\té中\u20ac"
_ATOMS = (
    "A ", "1 ", "1,", "1.", "1-", "| -", "|:-", "a.", "a'", "[1", "] ", ".)", "<!--", "<!-- -->",
    "<a ", "a: ", "a:b\n", "not ", "no ", "all ", "January ", "1 January ", "$1 ", "1 million ",
    "a@", "http://", "\n\n", " \n", "\\|", "12/12/", "list ", "every ", "![", "](", "![a",
    "Picture ", "of the ", "Mr. ", "//", "?a", "\"'",
)  # fmt: skip
_ENDS = ("", "\x00", "z", "\n", "zzzz!")
_LETTERS = 16
_WORD = re.compile(r"\w")
_REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}
_CATEGORIES = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    op.CATEGORY_WORD: lambda c: bool(_WORD.match(c)),
    op.CATEGORY_NOT_WORD: lambda c: not _WORD.match(c),
}


def families(pattern):
    """Head, what is repeated, and end of hostile texts, each once."""
    return dict.fromkeys(one for one in _families(pattern) if one[1])


def _families(pattern):
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    letters = _alphabet(tree)
    whole = _sample(tree, letters)
    pumps = [*letters, *_ATOMS, whole]
    pumps += [one + other for one in letters for other in letters if one != other]
    for pump in pumps:
        yield "", pump, "\x00"
    for head, inside in _repetitions(tree, letters, ""):
        for pump in inside:
            for end in _ENDS:
                yield head, pump, end
                yield "", head + pump, end
        yield "", head, ""


def _alphabet(tree):
    literals = {chr(code) for code in _literals(tree)}
    marks = [c for c in _POOL if c in literals]
    return list(dict.fromkeys([*"a1_ \n.!", *marks, *sorted(literals)]))[:_LETTERS]


def _literals(tree):
    for kind, value in tree:
        if kind in (op.LITERAL, op.NOT_LITERAL):
            yield value
        elif kind is op.IN:
            yield from (v for k, v in value if k is op.LITERAL)
            yield from (v[0] for k, v in value if k is op.RANGE)
        else:
            for inner in _inside(kind, value):
                yield from _literals(inner)


def _inside(kind, value):
    """The parts of a node."""
    if kind is op.BRANCH:
        return value[1]
    if kind in _REPEATS:
        return [value[2]]
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.ATOMIC_GROUP:
        return [value]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    return []


def _is_in(char, items):
    negated = items[0][0] is op.NEGATE
    found = False
    for kind, value in items:
        if kind is op.LITERAL:
            found |= char == chr(value)
        elif kind is op.RANGE:
            found |= value[0] <= ord(char) <= value[1]
        elif kind is op.CATEGORY:
            found |= _CATEGORIES[value](char)
    return found != negated


def _members(kind, value, letters):
    """The characters that a node of one character takes."""
    if kind is op.LITERAL:
        return [chr(value)]
    if kind is op.NOT_LITERAL:
        return [c for c in letters if ord(c) != value]
    if kind is op.ANY:
        return list(letters)
    return [c for c in [*letters, *_POOL] if _is_in(c, value)] or [
        next((chr(c) for c in range(1, 0x3000) if _is_in(chr(c), value)), "")
    ]


def _sample(tree, letters, which=0):
    """A text that a part of a pattern takes, as a rule."""
    out = ""
    for kind, value in tree:
        if kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            out += _members(kind, value, letters)[0]
        elif kind is op.BRANCH:
            out += _sample(value[1][which % len(value[1])], letters, which)
        elif kind in _REPEATS:
            out += _sample(value[2], letters, which) * max(1, value[0])
        elif kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
            out += _sample(_inside(kind, value)[0], letters, which)
    return out


def _repetitions(tree, letters, head):
    """What leads to each repetition, and what it repeats."""
    for kind, value in tree:
        if kind in _REPEATS and (value[1] >= MOST):
            inner = value[2]
            if len(inner) == 1 and inner[0][0] in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
                pumps = _members(*inner[0], letters)
            else:
                ways = len(inner[0][1][1]) if inner[0][0] is op.BRANCH else 4
                pumps = [_sample(inner, letters, way) for way in range(min(ways, 8))]
            yield head, [pump for pump in dict.fromkeys(pumps) if pump]
        if kind is not op.ASSERT_NOT:
            for inner in _inside(kind, value):
                yield from _repetitions(inner, letters, head)
        head += _sample([(kind, value)], letters)
