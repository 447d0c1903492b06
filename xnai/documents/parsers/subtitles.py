"""Subtitles (SRT, WebVTT): what is said, and when; used in the worker process only."""

import re
from pathlib import Path

from xnai.documents.parsers.media_type import CUE
from xnai.documents.parsers.plain import decoded, tidy
from xnai.documents.parsers.seen import Seen
from xnai.types import Page

_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")


def subtitles_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read subtitles as one page, a line for each with the time at which it begins.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    lines: list[str] = []
    time = ""
    said: list[str] = []
    for line in [*tidy(decoded(path, limit, seen)).split("\n"), ""]:
        text = line.strip()
        if match := CUE.match(text):
            lines += _cue(time, said)
            time, said = match["start"], []
        elif not text:
            lines += _cue(time, said)
            time, said = "", []
        elif time:
            said.append(" ".join(_TAG.sub("", text).split()))
        elif text.startswith("WEBVTT") and (title := text.removeprefix("WEBVTT").strip(" -")):
            lines.append(f"# {title}\n")
    return Page(None, "\n".join(lines))


def _cue(time: str, said: list[str]) -> list[str]:
    text = " ".join(filter(None, said))
    return [f"[{time}] {text}"] if time and text else []
