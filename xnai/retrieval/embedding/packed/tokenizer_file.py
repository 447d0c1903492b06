"""Writes a packed encoder's tokenizer as the library ``tokenizers`` reads it."""

import json
import unicodedata
from typing import Any

from xnai.retrieval.embedding.packed.packed_file import PackedVocabulary

_MARK = "\u2581"  # what SentencePiece puts before a word in place of the space


def tokenizer_json(vocabulary: PackedVocabulary) -> str:
    """Return the content of ``tokenizer.json``.

    The characters that are replaced are those of SentencePiece's ``nmt_nfkc``: NFKC does for most
    of them what it says there, and composes what stands apart as well, as SentencePiece does. What
    it does not do (control characters, other white space) is replaced before.
    """
    first, last, padding, unknown = vocabulary.special
    begin, end = vocabulary.pieces[first], vocabulary.pieces[last]
    mask = len(vocabulary.pieces) - 1
    special = {first, last, padding, unknown} | ({mask} if _is_mask(vocabulary) else set())
    spaced = {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": "always", "split": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(number, vocabulary.pieces[number]) for number in sorted(special)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                *(_replacing(vocabulary, by) for by in ("", " ")),
                {"type": "NFKC"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, spaced],
        },
        "post_processor": _framed(begin, first, end, last),
        "decoder": spaced,
        "model": {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": list(zip(vocabulary.pieces, vocabulary.scores.tolist(), strict=True)),
            "byte_fallback": False,
        },
    }
    return json.dumps(content, ensure_ascii=False)


def _is_mask(vocabulary: PackedVocabulary) -> bool:
    return vocabulary.pieces[-1] == "<mask>"


def _added(number: int, content: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": content, **flags, "special": True}


def _replacing(vocabulary: PackedVocabulary, by: str) -> dict[str, Any]:
    """What replaces the characters for which NFKC has something else than ``by``."""
    found = [
        f"\\x{{{ord(character):X}}}"
        for character, other in vocabulary.replaced.items()
        if other == by and unicodedata.normalize("NFKC", character) != by
    ]
    # No character is in an empty set's place: U+0000 reaches no tokenizer.
    pattern = "".join(found) or "\\x{0}"
    return {"type": "Replace", "pattern": {"Regex": f"[{pattern}]"}, "content": by}


def _framed(begin: str, first: int, end: str, last: int) -> dict[str, Any]:
    def token(content: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": content, "type_id": 0}}

    def text(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": 0}}

    single = [token(begin), text("A"), token(end)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, token(end), text("B"), token(end)],
        "special_tokens": {
            content: {"id": content, "ids": [number], "tokens": [content]}
            for content, number in ((begin, first), (end, last))
        },
    }
