"""A document of a measurement as tables: the ratios first, then what they are made of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

Row = tuple[str, ...]

NONE: Final = "-"
UNAVAILABLE: Final = "unavailable"
_MEBIBYTE: Final = 1 << 20


def ratios(result: dict[str, Any]) -> list[Row]:
    """Return the heading and the rows of what is told in ratios to the same server without a gateway, and CPU."""
    compared = [subject for subject in result["subjects"] if subject["baseline"]] or result["subjects"]
    rows: list[Row] = [("", *(subject["title"] for subject in compared))]
    for size, clients in _blocks(result):
        name = _named(size, clients)
        if clients == 1:
            rows.append((f"{name}: p50, × direct", *_cells(compared, size, clients, "times", _times)))
        else:
            rows.append((f"{name}: calls/s, × direct", *_cells(compared, size, clients, "rate_times", _times)))
        rows.append((f"{name}: CPU a call", *_cells(compared, size, clients, "cpu", _microseconds)))
    rows = [row for row in rows if any(cell != NONE for cell in row[1:])]
    rows.append(("memory idle → after", *(_memory(subject) for subject in compared)))
    rows.append(("CPU when idle", *(_idle(subject) for subject in compared)))
    return rows


def durations(result: dict[str, Any]) -> list[Row]:
    """Return the heading and the rows of what was measured itself, of every subject."""
    subjects = result["subjects"]
    rows: list[Row] = [("", *(subject["title"] for subject in subjects))]
    for size, clients in _blocks(result):
        name = _named(size, clients)
        if clients == 1:
            rows.append((f"{name}: p50", *_cells(subjects, size, clients, "p50", _microseconds)))
            rows.append((f"{name}: p99", *_cells(subjects, size, clients, "p99", _microseconds)))
        rows.append((f"{name}: calls/s", *_cells(subjects, size, clients, "rate", _rate)))
    return rows


def answers(result: dict[str, Any]) -> str:
    """Return in one line what became of the calls."""
    counts = result["answers"]
    return ", ".join(f"{count} {fate}" for fate, count in counts.items())


def examples(result: dict[str, Any]) -> list[str]:
    """Return the first words of what went wrong."""
    return [f"{subject['title']}: {words}" for subject in result["subjects"] for words in subject["examples"]]


def launches(result: dict[str, Any]) -> list[Row]:
    """Return the heading and the rows of the times from launch to the first complete list; nothing if not measured."""
    rows = [(name, _seconds(taken)) for name, taken in result["launches"].items() if taken]
    return [("LAUNCH", "FIRST COMPLETE LIST"), *rows] if rows else []


def markdown(rows: Sequence[Row]) -> str:
    """Return a table for a page."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _blocks(result: dict[str, Any]) -> Iterator[tuple[int, int]]:
    seen = dict.fromkeys(
        (block["size"], block["clients"]) for subject in result["subjects"] for block in subject["blocks"]
    )
    yield from seen


def _cells(
    subjects: Sequence[dict[str, Any]], size: int, clients: int, field: str, shown: Callable[[dict[str, float]], str]
) -> Iterator[str]:
    for subject in subjects:
        block = next((each for each in subject["blocks"] if (each["size"], each["clients"]) == (size, clients)), None)
        value = block[field] if block else None
        missing = UNAVAILABLE if field == "cpu" and block and subject["baseline"] else NONE
        yield shown(value) if value else missing


def _named(size: int, clients: int) -> str:
    amount = "as given" if not size else f"{size} B" if size < 1024 else f"{size / 1024:g} KiB"
    if size >= _MEBIBYTE:
        amount = f"{size / _MEBIBYTE:g} MiB"
    return f"{amount}, {clients} client{'s' if clients > 1 else ''}"


def _times(value: dict[str, float]) -> str:
    return f"{value['median']:.2f} [{value['least']:.2f}–{value['most']:.2f}]"


def _microseconds(value: dict[str, float]) -> str:
    median = value["median"]
    return f"{median:.0f} µs" if median < 10_000 else f"{median / 1000:.1f} ms"


def _seconds(value: dict[str, float]) -> str:
    return f"{value['median']:.2f} s [{value['least']:.2f}–{value['most']:.2f}]"


def _rate(value: dict[str, float]) -> str:
    return f"{value['median']:.0f}"


def _memory(subject: dict[str, Any]) -> str:
    idle, after = subject["memory_idle"], subject["memory_after"]
    if idle is None or after is None:
        return UNAVAILABLE
    return f"{idle / _MEBIBYTE:.0f} → {after / _MEBIBYTE:.0f} MiB"


def _idle(subject: dict[str, Any]) -> str:
    return UNAVAILABLE if subject["cpu_idle"] is None else f"{subject['cpu_idle']:.2f} ms/s"
