"""How a document was read, in words for the page."""

from xnai.locale import Texts
from xnai.types import Document


def report_lines(document: Document, texts: Texts) -> list[str]:
    """Say how a document was read: what was counted, left out, hidden, or went wrong."""
    told = document.report
    counted = {
        texts.say_number(
            "{number} page was read", "{number} pages were read", told.pages_read
        ): told.pages_read,
        texts.say_number(
            "{number} page was a picture and was recognised",
            "{number} pages were pictures and were recognised",
            told.pages_ocr,
        ): told.pages_ocr,
        texts.say_number("{number} table", "{number} tables", told.tables): told.tables,
        texts.say_number("{number} form", "{number} forms", told.forms): told.forms,
        texts.say_number(
            "{number} picture could not be read",
            "{number} pictures could not be read",
            told.pictures_unread,
        ): told.pictures_unread,
    }
    lines = [words for words, count in counted.items() if count]
    hidden, removed = told.hidden, told.removed_lines
    lines += [texts.say("Hidden where it was made: {what}", what=what) for what in hidden]
    lines += [texts.say("Left out as header or footer: {what}", what=what) for what in removed]
    return [*lines, *dict.fromkeys((*document.notes, *told.warnings))]
