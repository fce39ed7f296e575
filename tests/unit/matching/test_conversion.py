from __future__ import annotations

import pytest

from vsm_mcp.matching.conversion import backwards, turns


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("turn markdown into pdf", ("markdown", "pdf")),
        ("convert PDF files to Markdown", ("pdf", "markdown")),
        ("pdf2md-mcp", ("pdf", "markdown")),
        ("Turns Word, Excel, PowerPoint, PDF, HTML and other files into Markdown", ("pdf", "markdown")),
        ("pdf_to_markdown", ("pdf", "markdown")),
        ("text-to-speech", ("text", "speech")),
        ("create a pdf from markdown", ("markdown", "pdf")),
        ("extract text from an image", ("imag", "text")),
        ("convert from markdown to pdf", ("markdown", "pdf")),
        ("transcribe_audio", ("speech", "text")),
        ("kokoro-tts", ("text", "speech")),
        ("Speaks what you write", ("text", "speech")),
        ("OCR of scans", ("imag", "text")),
        ("make an audio file out of a text: text to speech, quickly", ("text", "speech")),
    ],
)
def test_what_is_turned_into_what(text: str, turn: tuple[str, str]) -> None:
    assert turn in turns(text)
    assert turn[::-1] not in turns(text)


@pytest.mark.parametrize("text", ["", "to", "into the", "read a pdf", "mp3", "h2o", "to pdf", "from", "a letter from"])
def test_nothing_is_turned(text: str) -> None:
    assert turns(text) == frozenset()


@pytest.mark.parametrize(
    ("need", "thing", "reverse"),
    [
        ("turn markdown into pdf", "pdf-to-markdown-mcp", True),
        ("turn markdown into pdf", "markdown2pdf", False),
        ("turn markdown into pdf", "Converts markdown to pdf and pdf to markdown", False),
        ("turn markdown into pdf", "Writes markdown. PDF to text; HTML to markdown", False),
        ("turn markdown into pdf", "Converts documents between markdown and pdf", False),
        ("speech to text", "text-to-speech", True),
        ("create a pdf from markdown", "pdf-to-markdown", True),
        ("create a pdf from markdown", "Makes PDF from Markdown", False),
        ("find papers", "pdf to markdown", False),
        ("send a message to a channel", "channel-to-message", True),
    ],
)
def test_what_does_the_reverse_and_that_alone_goes_backwards(need: str, thing: str, reverse: bool) -> None:
    assert backwards(turns(need), turns(thing)) is reverse
