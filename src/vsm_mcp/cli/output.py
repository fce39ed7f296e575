"""What a person sees: tables and sentences. Texts of servers are data: control characters never reach the terminal."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Everything that can rewrite, reorder or forge what a terminal shows: C0 and C1 controls, soft hyphens and fillers that
# show nothing, bidi and zero-width characters, line and paragraph separators, tags, surrogates that cannot be written.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def clean(text: object) -> str:
    """Return ``text`` without characters that could steer a terminal; it may have several lines."""
    return _UNSAFE.sub("", str(text).replace("\r\n", "\n"))


def flat(text: object) -> str:
    """Return ``text`` as one line, so that what is in it cannot pass for a line of ours."""
    return " ".join(clean(text).split())


def json_text(document: Any, *, indent: int | None = None) -> str:
    """Return a document as JSON in which whatever could steer a terminal is escaped: it means the same."""
    return _UNSAFE.sub(_escaped, json.dumps(document, ensure_ascii=False, indent=indent))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if ord(found[0]) > 0x7E else found[0]


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console of a stream: colours on a terminal, none in a pipe."""
    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, highlight=False, soft_wrap=not file.isatty(), markup=False, emoji=False)


def when(moment: float) -> str:
    """Return a time (seconds since the epoch) as a person here writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def size(count: float | None) -> str:
    """Return a number of bytes as a person writes it; a dash where nobody knows."""
    if count is None:
        return "-"
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def some(names: Sequence[str], most: int = 12) -> str:
    """Return the first of many names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, wide: int = -1) -> None:
    """Print a table; in a pipe, tab-separated lines with a heading."""
    if not sys.stdout.isatty():
        click.echo("\t".join(headings))
        for row in rows:
            click.echo("\t".join(flat(cell) for cell in row))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        shown.add_column(heading, overflow="fold" if number == wide else "ellipsis", no_wrap=number != wide)
    for row in rows:
        shown.add_row(*(Text(flat(cell)) for cell in row))
    console().print(shown)


def line(text: str, *, style: str = "") -> None:
    """Print data of one line or several; what strangers wrote into one line goes through :func:`one_line`."""
    console().print(Text(clean(text), style=style))


def one_line(text: str, *, style: str = "") -> None:
    """Print exactly one line of data, whatever is in it; blanks at its beginning stay."""
    console().print(Text(_indented(text), style=style))


def note(text: str, *, style: str = "dim") -> None:
    """Print exactly one line for the person, on stderr."""
    console(stderr=True).print(Text(_indented(text), style=style))


def _indented(text: str) -> str:
    return " ".join(part.rstrip() for part in re.split(r"[\n\t]+", clean(text).strip("\n\t")))


def error(document: dict[str, Any]) -> None:
    """Print an error and its hint on stderr."""
    stream = console(stderr=True)
    stream.print(Text("error: ", style="bold red") + Text(flat(document.get("message", "")), style=""))
    if document.get("hint"):
        stream.print(Text("hint:  ", style="bold") + Text(clean(document["hint"])))
