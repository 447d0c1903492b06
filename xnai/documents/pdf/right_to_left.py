"""Lines of Hebrew and Arabic in the order in which they are read, by where their characters stand.

A PDF has glyphs and places; in which order their producer wrote them, and which way a library turns
brackets, differs. Read from the right, numbers and Latin words from the left (the rule that shows
them so, UAX 9, turned around), a line has its order whatever its producer did.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_LINE_ENDS = frozenset((0x0A, 0x0D))
_SPACE, _NONE = 0x20, -1  # a space that is put in has no index
_BLANKS = frozenset((0x09, _SPACE, 0xA0))
_SPACES = _BLANKS | {0x00, 0x02, 0xFFFE}
_RIGHT_TO_LEFT = {"R", "AL"}
_LEFT_TO_RIGHT = {"L", "EN", "AN"}
_WITH_FIGURES = "ET"  # signs of currencies and of per cent
_BLOCKS = (range(0x0590, 0x0900), range(0xFB1D, 0xFE00), range(0xFE70, 0xFEFF))
_PAIRS = {0x28: 0x29, 0x5B: 0x5D, 0x7B: 0x7D, 0xAB: 0xBB}
_MIRRORED = _PAIRS | {closing: opening for opening, closing in _PAIRS.items()}

Place = Callable[[int], tuple[float, float, float, float]]  # of a character, by its index


class Ordered(NamedTuple):
    """Characters in the order of reading, and the index that the library gives each of them."""

    codes: list[int]
    indices: list[int]


def has_any(codes: Sequence[int]) -> bool:
    """Whether there is a character that runs from right to left."""
    return any(code in block for block in _BLOCKS for code in codes)


def is_main(codes: Sequence[int]) -> bool:
    """Whether most letters run from right to left."""
    letters = [code for code in codes if chr(code).isalpha()]
    return 2 * sum(_runs_left(code) for code in letters) > len(letters)


def ordered(codes: Sequence[int], place: Place) -> Ordered:
    """Put the lines of a page into the order of reading; ``place`` gives boxes as they stand."""
    result = Ordered([], [])
    start, all_lines = 0, is_main(codes)
    for at in range(len(codes) + 1):
        if at < len(codes) and codes[at] not in _LINE_ENDS:
            continue
        line = codes[start:at]
        if has_any(line) and (all_lines or is_main(line)):
            _add_line(result, codes, range(start, at), place)
        else:
            result.codes.extend(line)
            result.indices.extend(range(start, at))
        if at < len(codes):
            result.codes.append(codes[at])
            result.indices.append(at)
        start = at + 1
    return result


def _runs_left(code: int) -> bool:
    return unicodedata.bidirectional(chr(code)) in _RIGHT_TO_LEFT


def _add_line(result: Ordered, codes: Sequence[int], line: range, place: Place) -> None:
    words: list[list[int]] = [[]]
    spaces = [i for i in line if codes[i] in _BLANKS]
    unseen = [i for i in line if codes[i] in _SPACES and codes[i] not in _BLANKS]
    for index in line:
        if codes[index] in _SPACES:
            words += [[]] if words[-1] else []
        else:
            words[-1].append(index)
    words = [word for word in words if word]
    middle = {i: sum(place(i)[::2]) / 2 for word in words for i in word}
    words.sort(key=lambda word: -max(middle[i] for i in word))
    indices: list[int] = []
    for number, word in enumerate(_with_latin(words, codes)):
        indices += (spaces[number - 1 : number] or [_NONE]) if number else []
        indices += _word(word, codes, middle)
    indices += [*spaces[max(len(words) - 1, 0) :], *unseen]
    said = [_SPACE if index == _NONE else codes[index] for index in indices]
    result.codes.extend(_with_brackets(said))
    result.indices.extend(indices)


def _with_latin(words: Sequence[list[int]], codes: Sequence[int]) -> Iterator[list[int]]:
    """Words from the right, those of other scripts beside each other from the left."""
    run: list[list[int]] = []
    for word in [*words, []]:
        if word and not any(_runs_left(codes[i]) for i in word):
            run.append(word)
            continue
        is_latin = any(chr(codes[i]).isalpha() for one in run for i in one)
        yield from reversed(run) if is_latin else run
        run = []
        if word:
            yield word


def _word(word: Sequence[int], codes: Sequence[int], middle: dict[int, float]) -> list[int]:
    """The characters of a word from the right, figures and Latin letters in it from the left."""
    units: list[list[int]] = []
    for index in word:  # a mark stays with its letter
        is_mark = unicodedata.bidirectional(chr(codes[index])) == "NSM"
        if is_mark and units:
            units[-1].append(index)
        else:
            units.append([index])
    units.sort(key=lambda unit: -round(middle[unit[0]], 1))
    kinds = [unicodedata.bidirectional(chr(codes[unit[0]])) for unit in units]
    result: list[int] = []
    at = 0
    while at < len(units):
        end = _end_of_run(kinds, at)
        run = units[at:end]
        result += [index for unit in (reversed(run) if len(run) > 1 else run) for index in unit]
        at = end
    return result


def _end_of_run(kinds: Sequence[str], at: int) -> int:
    """Where a run of characters that are read from the left ends; one further if none begins."""
    end = last = at
    while end < len(kinds) and kinds[end] not in _RIGHT_TO_LEFT:
        if kinds[end] in _LEFT_TO_RIGHT or (
            kinds[end] == _WITH_FIGURES and _is_beside_figure(kinds, end)
        ):
            last = end + 1
        elif end == at:
            break
        end += 1
    return max(last, at + 1)


def _is_beside_figure(kinds: Sequence[str], at: int) -> bool:
    around = (*kinds[max(at - 1, 0) : at], *kinds[at + 1 : at + 2])
    return any(kind in {"EN", "AN"} for kind in around)


def _with_brackets(codes: Sequence[int]) -> list[int]:
    """The characters of a line; brackets that close before they open are turned around."""
    found = [code for code in codes if code in _MIRRORED]
    if found and found[0] in _PAIRS.values():
        return [_MIRRORED.get(code, code) for code in codes]
    return list(codes)
