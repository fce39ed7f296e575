"""Which way something is turned: "markdown into pdf" is not "pdf to markdown", though the words are the same.

A *turn* is a pair of stems, (from, to), that stand around a "to" in one clause: an enumeration may go before it ("Word,
PowerPoint, PDF and other files into Markdown"), up to two words of content follow. Around a "from" it is the reverse,
if no "to" follows ("a PDF from Markdown"). Some verbs say both sides: what transcribes turns speech into text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import product
from typing import Final

from vsm_mcp.matching.tokens import MAX_TEXT, stem_of, words

Turn = tuple[str, str]

BACKWARDS: Final = 0.65
"""What is left of the score of a thing that turns the other way round."""

_TO: Final = frozenset({"to", "into", "2"})
_FROM: Final = "from"
_SPEECH, _TEXT, _IMAGE = map(stem_of, ("speech", "text", "image"))
_VERBS: Final = {
    word: turn
    for turn, said in {
        (_SPEECH, _TEXT): "transcribe transcribes transcribing transcriber transcription stt asr dictation",
        (_TEXT, _SPEECH): "speak speaks speaking narrate narrates narrator tts",
        (_IMAGE, _TEXT): "ocr",
    }.items()
    for word in said.split()
}
_MAYBE: Final = re.compile(f"to|2|from|{'|'.join(_VERBS)}", re.IGNORECASE)
_GLUED: Final = re.compile(r"([a-z]{2,})2([a-z]{2,})")
_CLAUSE: Final = re.compile(r"[.;:!?()\n]")
_BEFORE, _AFTER = 12, 2
_SAME: Final = {"md": "markdown", "txt": "text", "yml": "yaml", "docx": "word", "doc": "word", "xlsx": "excel"}


def turns(text: str) -> frozenset[Turn]:
    """Return what a text says is turned into what, in stems: ``pdf2md`` as well as "convert PDF files to Markdown"."""
    if _MAYBE.search(text) is None:
        return frozenset()
    return frozenset(turn for clause in _CLAUSE.split(text[:MAX_TEXT]) for turn in _turns(clause))


def _turns(clause: str) -> Iterator[Turn]:
    parts = [part for word in words(clause) for part in _parts(word)]
    for place, part in enumerate(parts):
        if part in _TO:
            sides = _content(parts[:place][::-1], _BEFORE), _content(parts[place + 1 :], _AFTER)
        elif part == _FROM and _TO.isdisjoint(parts[place:]):
            sides = _content(parts[place + 1 :], _AFTER), _content(parts[:place][::-1], _AFTER)
        else:
            if part in _VERBS:
                yield _VERBS[part]
            continue
        yield from ((one, other) for one, other in product(*sides) if one != other)


def backwards(wanted: AbstractSet[Turn], done: AbstractSet[Turn]) -> bool:
    """Return whether what is ``done`` is the reverse of what is ``wanted``, and not that as well."""
    return any((other, one) in done for one, other in wanted) and not wanted & done


def kept(wanted: AbstractSet[Turn], done: AbstractSet[Turn]) -> float:
    """Return what a thing keeps of its score: all of it, or :data:`BACKWARDS` where it does the reverse."""
    return BACKWARDS if backwards(wanted, done) else 1.0


def _parts(word: str) -> tuple[str, ...]:
    glued = _GLUED.fullmatch(word)
    return (word,) if glued is None else (glued[1], "2", glued[2])


def _content(parts: list[str], most: int) -> list[str]:
    """Return the stems of the first words that say something, up to the next "to" or "from"."""
    found: list[str] = []
    for part in parts:
        if part in _TO or part == _FROM or len(found) == most:
            break
        if stem := stem_of(_SAME.get(part, part)):
            found.append(stem)
    return found
