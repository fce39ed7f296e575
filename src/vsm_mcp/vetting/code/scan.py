"""Looks at all files of a package: ``python -m vsm_mcp.vetting.code.scan ROOT`` writes one JSON document.

Run as a process of its own, which limits its own memory and time: whatever a hostile file does to a parser, it does
it there. What was not looked at is counted and said, never passed over.
"""

from __future__ import annotations

import functools
import gc
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.model.finding import CodeProfile, Finding, Severity
from vsm_mcp.vetting.code import bundles, patterns
from vsm_mcp.vetting.code.flow import TooMuch, follow
from vsm_mcp.vetting.code.later_python import earlier
from vsm_mcp.vetting.code.mentions import mentions
from vsm_mcp.vetting.code.program import Node, TooDeep
from vsm_mcp.vetting.code.reach import unreached
from vsm_mcp.vetting.code.read_javascript import parse, read_javascript, read_part
from vsm_mcp.vetting.code.read_python import read_python
from vsm_mcp.vetting.code.rules import TEMPLATED_NOTE, TEMPLATED_SHELL, capabilities, decide, softened
from vsm_mcp.vetting.code.shares import each_in_a_process, shares
from vsm_mcp.vetting.code.sources import Source, find_sources, run_after_all

FILE_BYTES: Final = 24 * 1024 * 1024
PYTHON_BYTES: Final = 3 * 1024 * 1024
TOTAL_BYTES: Final = 128 * 1024 * 1024
SECONDS: Final = 12.0  # of its own processor time: a busy machine is no reason to give up
_MEMORY: Final = 4 * 1024**3
_CPU_SECONDS: Final = 30
_READ_BYTES: Final = 1_000_000
_SHOWN: Final = 20
_MOST_CONSTANTS: Final = 3000


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan saw: ``looked_at`` files, what it found, what it ``skipped`` and why, what the code can do."""

    looked_at: int
    size: int
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]
    profile: CodeProfile


def scan(root: Path, seconds: float = SECONDS) -> Scan:
    """Look at every file below ``root``, what runs first, for at most about ``seconds`` of each processor."""
    sources = find_sources(root)

    def look(names: frozenset[str]) -> Scan:
        return _Scanner(seconds).scan(root, sources, names)

    whole = _whole(each_in_a_process(look, shares(sources), Scan))
    if not any(each.rule == TEMPLATED_SHELL.id for each in whole.findings):
        return whole
    idle = unreached(root, sources)
    found = tuple(_of_nobody(each) if each.where.rpartition(":")[0] in idle else each for each in whole.findings)
    return msgspec.structs.replace(whole, findings=found)


def _of_nobody(finding: Finding) -> Finding:
    """A weakness in a file that nothing leads to is a fact; whatever else is in it counts as it is."""
    return TEMPLATED_NOTE.found(finding.where, finding.text) if finding.rule == TEMPLATED_SHELL.id else finding


def _whole(parts: Sequence[Scan]) -> Scan:
    findings = sorted({each for part in parts for each in part.findings}, key=lambda each: (each.where, each.rule))
    capabilities = {each for part in parts for each in part.profile.capabilities}
    constants = {each for part in parts for each in part.profile.constants}
    return Scan(
        looked_at=sum(part.looked_at for part in parts),
        size=sum(part.size for part in parts),
        findings=tuple(_capped(findings)),
        skipped=tuple(each for part in parts for each in part.skipped),
        profile=CodeProfile(
            capabilities=tuple(sorted(capabilities)), constants=tuple(sorted(constants)[:_MOST_CONSTANTS])
        ),
    )


class _Scanner:
    def __init__(self, seconds: float) -> None:
        self._until = time.process_time() + seconds
        self._findings: dict[tuple[str, str], Finding] = {}
        self._skipped: list[str] = []
        self._capabilities: set[str] = set()
        self._constants: set[str] = set()
        self._texts: dict[str, str] = {}
        self._looked_at = self._size = 0

    def scan(self, root: Path, sources: Sequence[Source], names: frozenset[str]) -> Scan:
        """Look at those of ``sources`` that ``names`` says; the others are read for what they import."""
        aside = any(source.aside and source.name in names for source in sources)
        for source in (each for each in sources if not each.aside):
            if source.name in names:
                self._look(root, source)
            elif aside and source.language and source.size <= _READ_BYTES:
                self._texts[source.name] = (root / source.name).read_text("utf-8", "replace")
        used = run_after_all(sources, self._texts)
        for source in (each for each in sources if each.aside and each.name in names):
            self._look(root, msgspec.structs.replace(source, aside=source.name not in used))
        profile = CodeProfile(capabilities=tuple(self._capabilities), constants=tuple(self._constants))
        return Scan(
            looked_at=self._looked_at,
            size=self._size,
            findings=tuple(self._findings.values()),
            skipped=tuple(self._skipped),
            profile=profile,
        )

    def _look(self, root: Path, source: Source) -> None:
        code = bool(source.language)
        if source.size > FILE_BYTES or self._size + source.size > TOTAL_BYTES or time.process_time() > self._until:
            if code and not source.aside:
                why = "it is too large" if source.size > FILE_BYTES else "there was no time or room left"
                self._skipped.append(f"{source.name}: {why}")
            return
        data = (root / source.name).read_bytes()
        self._size += source.size
        self._looked_at += 1
        try:
            found = patterns.match(source.name, data) if code or source.size < 2_000_000 else []
            found += self._code(source, data) if code else []
        except (TooDeep, TooMuch, TimeoutError, RecursionError, MemoryError) as error:
            self._skipped.append(f"{source.name}: {error or type(error).__name__}")
            return
        for finding in found:
            kept = softened(finding) if source.aside else finding
            if kept is not None:
                self._findings.setdefault((kept.rule, kept.where), kept)

    def _code(self, source: Source, data: bytes) -> list[Finding]:
        text = data.decode("utf-8", "replace")
        if not source.aside:
            self._texts[source.name] = text if len(text) < _READ_BYTES else ""
            self._remember(text)
        found: list[Finding] = []
        for program in self._programs(source, data, text):
            if time.process_time() > self._until:
                self._skipped.append(f"{source.name}: there was no time left for all of it")
                break
            bundled = source.language != "python" and len(data) > bundles.WHOLE_BYTES
            events = follow(program, passes=2) if bundled else follow(program)
            found += decide(source.name, events, bundled=bundled)
            if not source.aside:
                self._capabilities |= capabilities(events)
                self._remember("\n".join(event.text for event in events))
        return found

    def _programs(self, source: Source, data: bytes, text: str) -> Iterator[Sequence[Node]]:
        if source.language == "python":
            if len(data) > PYTHON_BYTES:
                raise TooMuch(f"a Python file of more than {PYTHON_BYTES >> 20} MiB")
            program = _python(text)
            if program is not None:
                yield program
            elif not _another_kind(text):  # broken, maybe on purpose; the patterns looked
                self._skipped.append(f"{source.name}: it is no Python that we can read")
            return
        root = parse(data, typed=source.language == "typescript")
        if len(data) <= bundles.WHOLE_BYTES:
            yield read_javascript(root)
            return
        imports, chosen, left_out = bundles.pieces(root, data)
        once = functools.cache(read_part)
        for piece in chosen:
            yield [*map(once, bundles.visible(imports, piece)), read_part(piece)]
        if left_out:
            self._skipped.append(f"{source.name}: {left_out} of {left_out + len(chosen)} pieces")

    def _remember(self, text: str) -> None:
        if len(self._constants) < _MOST_CONSTANTS * 2:
            self._constants.update(mentions(text))


def _python(text: str) -> Sequence[Node] | None:
    try:
        return read_python(text)
    except (SyntaxError, ValueError):
        pass
    try:
        return read_python(earlier(text))
    except (SyntaxError, ValueError):
        return None


def _another_kind(text: str) -> bool:
    """Whether a file that cannot be read is a template or old Python: then its kind says nothing bad."""
    return "{{" in text or "{%" in text or re.search(r"^\s*(?:print|exec) ['\"\w]", text, re.MULTILINE) is not None


def _capped(findings: list[Finding]) -> Iterator[Finding]:
    order = {Severity.BLOCK: 0, Severity.REVIEW: 1, Severity.NOTE: 2}
    counts: dict[str, int] = {}
    for finding in sorted(findings, key=lambda each: order[each.severity]):
        counts[finding.rule] = counts.get(finding.rule, 0) + 1
        if counts[finding.rule] <= _SHOWN:
            yield finding


def main() -> None:
    """Scan the folder that the first argument names and write the result to stdout."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(12_000)
    gc.disable()  # it would walk the same trees again and again, to free what the end of the process frees anyway
    sys.stdout.buffer.write(msgspec.json.encode(scan(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
