"""What a person sees: tables and sentences. Texts of servers are data: control characters never reach the terminal."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:  # it takes as long to load as a small command takes in all, and only a terminal needs it
    from rich.console import Console

# Everything that can rewrite, reorder or forge what a terminal shows: C0 and C1 controls, soft hyphens and fillers that
# show nothing, bidi and zero-width characters, line and paragraph separators, tags, surrogates that cannot be written.
_GAP: Final = 2  # blanks between the columns of a table
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
    """Return the console of a stream that is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - see above

    return Console(file=sys.stderr if stderr else sys.stdout, highlight=False, markup=False, emoji=False)


def terminal(*, stderr: bool = False) -> bool:
    """Say whether a stream is a terminal; one that was closed for us is none."""
    stream = sys.stderr if stderr else sys.stdout
    return stream is not None and stream.isatty()


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
    if not terminal():
        click.echo("\t".join(headings))
        for row in rows:
            click.echo("\t".join(flat(cell) for cell in row))
        return
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415

    shown = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[Text(flat(cell)) for cell in row] for row in rows]
    widths = [max(len(heading), *(row[at].cell_len for row in cells), 0) for at, heading in enumerate(headings)]
    widths = fitted(widths, console().width - _GAP * (len(headings) - 1))
    for number, heading in enumerate(headings):
        folds = number == wide
        most = None if wide >= 0 else widths[number]
        shown.add_column(heading, overflow="fold" if folds else "ellipsis", no_wrap=not folds, max_width=most)
    for row in cells:
        shown.add_row(*row)
    console().print(shown)


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return widths that fit into ``room`` together: the widest gives way first, so that short columns stay whole."""
    found = list(widths)
    while sum(found) > room and max(found) > 1:
        found[found.index(max(found))] -= 1
    return found


def line(text: str, *, style: str = "") -> None:
    """Print data of one line or several; what strangers wrote into one line goes through :func:`one_line`."""
    _print((clean(text), style))


def one_line(text: str, *, style: str = "") -> None:
    """Print exactly one line of data, whatever is in it; blanks at its beginning stay."""
    _print((_indented(text), style))


def note(text: str, *, style: str = "dim") -> None:
    """Print exactly one line for the person, on stderr."""
    _print((_indented(text), style), stderr=True)


def error(document: dict[str, Any]) -> None:
    """Print an error and its hint on stderr."""
    _print(("error: ", "bold red"), (flat(document.get("message", "")), ""), stderr=True)
    if document.get("hint"):
        _print(("hint:  ", "bold"), (clean(document["hint"]), ""), stderr=True)


def _print(*parts: tuple[str, str], stderr: bool = False) -> None:
    """Print texts, each in its style, and end the line: with colours on a terminal, as they are in a pipe."""
    if not terminal(stderr=stderr):
        click.echo("".join(text for text, _ in parts), err=stderr)
        return
    from rich.text import Text  # noqa: PLC0415 - see above

    console(stderr=stderr).print(Text.assemble(*parts))


def _indented(text: str) -> str:
    return " ".join(part.rstrip() for part in re.split(r"[\n\t]+", clean(text).strip("\n\t")))
