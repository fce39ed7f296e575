"""What a process printed before it failed, made readable: the fatal part, masked values, clean lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)?|[@-_])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Python 3.11 draws exception groups with a margin of "|", "+" and dashes.
_GROUP_MARGIN: Final = re.compile(r"^[ ]*[|+](?:[|+ -]*(?:-{6,} ?\d* ?-{6,})?)[ ]?")
_EXCEPTION: Final = re.compile(
    r"^(?:\[?[\w:. -]{0,40}\]?:? ?)??(?P<type>(?:[A-Za-z_]\w{0,80}\.){0,6}(?:[A-Z]\w{0,80})?"
    r"(?:Error|Exception|Exit|Interrupt|Warning|Timeout|Value|Failure|Refused|Configured|NotFound|NotSet))"
    r"(?: \[(?P<code>[A-Z_]{3,60})\])?(?::\s?(?P<message>.*))?$"
)
_BARE_ERROR: Final = re.compile(
    r"^\W{0,6}(?:uncaught |fatal |unhandled |startup |configuration |config |server )?"
    r"(?:error|fatal|panic|failed)\b.{0,40}?:",
    re.IGNORECASE,
)
_FRAME: Final = re.compile(r'^\s+File "(?P<file>[^"]{1,400})", line \d{1,7}(?:, in (?P<where>\S{1,120}))?')
_NODE_FRAME: Final = re.compile(r"^\s+at\s")
_VALUE: Final = r"""(?:"[^"\n]{1,400}"|'[^'\n]{1,400}'|[^\s"',;)\]}]{1,400})"""
# NAME=value with an upper-case name is how environments are printed.
_ENVIRONMENT: Final = re.compile(rf"(?P<key>(?<![A-Za-z0-9])[A-Z][A-Z0-9_]{{1,60}}=){_VALUE}")
_SECRET_WORDS: Final = (
    r"(?:key|token|secret|passw(?:or)?d|pwd|credentials?|auth(?:orization)?|session|cookie|dsn|signature|database_url"
    r"|db_url|connection_string|conn_str)"
)
_SECRET: Final = re.compile(
    rf"(?P<key>(?<![A-Za-z0-9])[\w.-]{{0,40}}{_SECRET_WORDS}[\w.-]{{0,20}}[\"']?\s?(?:=|:(?!//))\s?)(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_URL_USER: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{1,20}://)[^/\s@'\"]{1,200}@", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(?P<word>bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_TOKEN: Final = re.compile(
    r"\b(?:sk|pk|ghp|gho|ghs|ghu|github_pat|glpat|xox[abprs]|AKIA|ASIA|AIza|eyJ)[-_A-Za-z0-9.]{12,}|\b[0-9a-f]{32,}\b"
)
_MAX_LINE: Final = 1000
_MAX_TEXT: Final = 16 * 1024


class Frame(msgspec.Struct, frozen=True):
    """One frame of a Python traceback."""

    file: str
    where: str


class LastWords(msgspec.Struct, frozen=True, kw_only=True):
    """The tail of a process's output.

    ``lines`` are clean (no escape sequences, no margins); ``fatal`` is the text of the last error from its first line
    to the end, or all of it where no error can be made out; ``type`` and ``message`` are that error's own, ``code``
    its Node code; ``frames`` are the Python frames that led to it.
    """

    lines: tuple[str, ...]
    fatal: str
    type: str = ""
    message: str = ""
    code: str = ""
    frames: tuple[Frame, ...] = ()

    @property
    def text(self) -> str:
        """All lines as one text."""
        return "\n".join(self.lines)


def mask(text: str) -> str:
    """Return ``text`` without what may be a secret: values of secret-like names, users in URLs, tokens.

    ``NAME=value`` with an upper-case name is always masked.
    """
    text = _URL_USER.sub(r"\g<scheme>***@", text)
    text = _BEARER.sub(r"\g<word> ***", text)
    text = _ENVIRONMENT.sub(r"\g<key>***", text)
    text = _SECRET.sub(_masked, text)
    return _TOKEN.sub("***", text)


def _masked(match: re.Match[str]) -> str:
    """Mask the value, unless it is a word of a sentence ("api key: missing"), a placeholder or an error's message."""
    key, value = match["key"], match["value"]
    prose = ":" in key and value.isalpha() and value.islower() and len(value) < 24
    placeholder = value.lstrip("\"'").startswith(("<", "[", "$", "…", "*"))
    return match[0] if prose or placeholder or re.search(r"(?:Error|Exception)\W*$", key) else f"{key}***"


def clean(line: str) -> str:
    """Return one line without escape sequences, control characters and the margin of exception groups."""
    line = _CONTROL.sub("", _ANSI.sub("", line[: _MAX_LINE * 4]))[:_MAX_LINE].rstrip()
    if line.lstrip()[:1] in {"|", "+"}:
        return _GROUP_MARGIN.sub("", line)
    return line


def read(tail: Sequence[str]) -> LastWords:
    """Read the tail of an output (newest line last) and find what ended the process."""
    every = [line for raw in tail for part in raw.splitlines() for line in [clean(part)] if line.strip()]
    lines = _last(every)
    start = _fatal_line(lines)
    if start is None:
        return LastWords(lines=lines, fatal="\n".join(lines))
    found = _EXCEPTION.match(lines[start])
    kind, message, code = (found["type"], found["message"] or "", found["code"] or "") if found else ("", "", "")
    rest = _continuation(lines[start + 1 :])
    frames = tuple(
        Frame(match["file"], match["where"] or "") for line in lines[:start] if (match := _FRAME.match(line))
    )
    return LastWords(
        lines=lines,
        fatal="\n".join((lines[start], *lines[start + 1 :])),
        type=kind.rpartition(".")[2],
        message="\n".join((message or lines[start], *rest)).strip(),
        code=code,
        frames=frames[-40:],
    )


def _last(lines: Sequence[str]) -> tuple[str, ...]:
    """Keep the newest lines, up to a size that is read in milliseconds whatever it says."""
    kept: list[str] = []
    size = 0
    for line in reversed(lines):
        size += len(line) + 1
        if kept and size > _MAX_TEXT:
            break
        kept.append(line)
    return tuple(reversed(kept))


def _fatal_line(lines: Sequence[str]) -> int | None:
    """Return the index of the last line that opens an error; exceptions proper win over lines that say "error:"."""
    bare = None
    after_frames = max((index for index, line in enumerate(lines) if _FRAME.match(line)), default=len(lines))
    for index in range(after_frames + 1, len(lines)):
        if not lines[index][:1].isspace():
            return index
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index]
        found = _EXCEPTION.match(line)
        if found and not found["type"].endswith(("Warning", "ExceptionGroup")) and not _quoted_in_group(found):
            return index
        if bare is None and _BARE_ERROR.match(line):
            bare = index
    return bare


def _quoted_in_group(found: re.Match[str]) -> bool:
    return "unhandled errors in a TaskGroup" in (found["message"] or "")


def _continuation(lines: Sequence[str]) -> list[str]:
    """Return the lines that still belong to an error's message: up to the first stack frame, at most twelve."""
    kept: list[str] = []
    for line in lines[:12]:
        if _NODE_FRAME.match(line) or _FRAME.match(line) or line.startswith("Node.js v"):
            break
        kept.append(line)
    return kept
