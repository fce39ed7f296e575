"""The work on a large package shared out between processes: one for each processor, up to four."""

from __future__ import annotations

import heapq
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from vsm_mcp.vetting.code.sources import Source

T = TypeVar("T")
_WORTH_BYTES: Final = 1_000_000  # of code: for less, starting another one takes longer
_MOST: Final = 4


def shares(sources: Sequence[Source]) -> list[frozenset[str]]:
    """Return the names of the files for each process, of about as many bytes of code; one share for a small package."""
    size = sum(each.size for each in sources if each.language)
    count = min(_MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    if size < _WORTH_BYTES or count < 2:
        return [frozenset(each.name for each in sources)]
    heaps: list[tuple[int, int, list[str]]] = [(0, place, []) for place in range(count)]
    for source in sorted(sources, key=lambda each: (-each.size if each.language else 0, each.name)):
        taken, place, names = heapq.heappop(heaps)
        names.append(source.name)
        heapq.heappush(heaps, (taken + (source.size if source.language else 0), place, names))
    return [frozenset(names) for _, _, names in sorted(heaps, key=lambda each: each[1])]


def each_in_a_process(work: Callable[[frozenset[str]], T], parts: Iterable[frozenset[str]], kind: type[T]) -> list[T]:
    """Return what ``work`` makes of each part: of the first here, of the others in forks of this process.

    Raises :class:`ChildProcessError` where a fork ends without an answer: a limit that it met is met for all.
    """
    first, *others = parts
    forks = [_forked(work, part) for part in others]
    found = [work(first)]
    for process, reader in forks:
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        if os.waitpid(process, 0)[1] or not answer:
            raise ChildProcessError("a part of the files was not looked at")
        found.append(msgspec.json.decode(answer, type=kind))
    return found


def _forked(work: Callable[[frozenset[str]], T], part: frozenset[str]) -> tuple[int, int]:
    """Return the fork's process, and the end of a pipe that its answer comes by."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return process, reader
    code = 1
    try:
        os.close(reader)
        with os.fdopen(writer, "wb") as stream:
            stream.write(msgspec.json.encode(work(part)))
        code = 0
    except BaseException as error:  # noqa: BLE001 - nothing of the parent's may run here
        sys.stderr.write(f"{type(error).__name__}\n")
    finally:
        os._exit(code)
