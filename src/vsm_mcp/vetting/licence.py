"""Check ``licence``: whether the package says under which licence it may be used, and whether that is one you let in.

What it says is read as an SPDX expression (by ``packaging``), or as one of the spellings of ``data/licences.toml``;
where it says nothing, the texts that come with it are looked at.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.model.ref import RefKind
from vsm_mcp.vetting.check import Rule, Stage, Subject, result

NOT_LISTED: Final = Rule("licence.not_listed", Severity.REVIEW, "its licence is none of those that the settings let in")
UNKNOWN: Final = Rule("licence.unknown", Severity.REVIEW, "nobody can tell under which licence it may be used")
UNSTATED: Final = Rule("licence.unstated", Severity.NOTE, "it says nothing of a licence, and the settings let that in")
DIFFERS: Final = Rule(
    "licence.differs", Severity.REVIEW, "it brings the text of a licence that is not let in, and says another one"
)
ELSEWHERE: Final = Rule(
    "licence.elsewhere", Severity.NOTE, "it refers to the text of its licence, and does not bring one that is known"
)
DESCRIBED: Final = Rule("licence.in_description", Severity.NOTE, "it says its licence in its description alone")
RULES: Final = (NOT_LISTED, UNKNOWN, DIFFERS, ELSEWHERE, DESCRIBED, UNSTATED)
_NAME: Final = "licence"
_UNIT: Final = "statements and texts"
_PUBLISHED: Final = frozenset({RefKind.NPM, RefKind.PYPI, RefKind.GIT, RefKind.MCPB})
_MAX_TEXT: Final = 64 * 1024
_FILES: Final = re.compile(r"(?:licen[cs]e|copying|unlicense)(?:[.\-_].*)?\Z", re.IGNORECASE)
_OWN: Final = re.compile(r"(?:licen[cs]e|copying)(?:\.(?:md|txt|rst))?\Z", re.IGNORECASE)
_SHORT: Final = 120
_NOTHING: Final = frozenset({"", "unknown", "none", "license", "other", "osi approved", "other/proprietary license"})
_IN_FILE: Final = re.compile(r"\s*(?:see licen[cs]e|licen[cs]e file|see the )", re.IGNORECASE)
_DESCRIPTIONS: Final = re.compile(r"(?:METADATA|readme(?:\.(?:md|txt|rst))?)\Z", re.IGNORECASE)
_SENTENCE: Final = re.compile(
    r"\b(?:licen[cs]ed|released|distributed|published|available|open[ -]sourced?)\s+under\s+"
    r"(?:the\s+)?(?:terms\s+of\s+the\s+)?"
    r"(?P<name>(?:[^\n.;]|\.(?=\d)){2,60})",
    re.IGNORECASE,
)
_TITLE: Final = re.compile(
    r"^(?:#{1,6}[ \t]*licen[cs]e[ \t]*|licen[cs]e[ \t]*\n[-=]{3,}[ \t]*)\n\s*(?P<name>[^\n]{2,60})$",
    re.MULTILINE | re.IGNORECASE,
)
_MARKUP: Final = re.compile(r"\[([^\]\n]{0,80})\]\([^)\n]{0,200}\)|[*_`]")
_NO_WORD: Final = "NOASSERTION"  # SPDX's word for it
_TOKEN: Final = re.compile(r"\(|\)|[^\s()]+")


class LicenceCheck:
    """Compares a package's licence with the patterns that are let in; needs no network."""

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    def __init__(self, allowed: Iterable[str]) -> None:
        """``allowed`` are patterns over SPDX identifiers."""
        self._allowed = tuple(pattern.lower() for pattern in allowed)

    async def check(self, subject: Subject) -> CheckResult:
        """Look at what the package says of its licence, then at the texts in it."""
        if subject.ref.kind not in _PUBLISHED:
            return result(_NAME, 0, _UNIT, (), "no licence is looked for in this kind of reference")
        texts = await asyncio.to_thread(_texts, subject.root) if subject.root is not None else []
        said = _said(subject, texts)
        expression = next(filter(None, map(expression_of, said)), "")
        found = {name: licence for name, text in texts if _FILES.match(name) and (licence := licence_of(text))}
        where = subject.ref.identity
        looked_at = len(said) + len(texts)
        if not expression:
            expression = " AND ".join(sorted(set(found.values())))
        findings: list[Finding] = []
        if not expression and (not said or _IN_FILE.match(said[0])):
            expression = described(text for name, text in texts if _DESCRIPTIONS.match(name))
            findings = [DESCRIBED.found(where, expression[:_SHORT])] if expression else []
        silent = not said and not any(_FILES.match(name) for name, _ in texts)
        if not expression and silent and admits(_NO_WORD, self._allowed):
            findings = [UNSTATED.found(where, "it says nothing, and brings no text of one")]
        else:
            findings += self._judged(expression, where, said, found)
        return result(_NAME, looked_at, _UNIT, findings, expression or "no licence was found")

    def _judged(self, expression: str, where: str, said: list[str], found: Mapping[str, str]) -> list[Finding]:
        if not expression and said and _IN_FILE.match(said[0]):
            return [ELSEWHERE.found(where, f"it says {said[0][:_SHORT]!a}")]
        if not expression:
            words = (
                f"it says {said[0][:_SHORT]!a}" if said else "it says nothing, and brings no text of one that is known"
            )
            return [UNKNOWN.found(where, words)]
        if not admits(expression, self._allowed):
            return [NOT_LISTED.found(where, f"{expression[:_SHORT]} is not in [vetting] licences")]
        others = [
            (name, licence)
            for name, licence in found.items()
            if _OWN.match(name) and not admits(licence, self._allowed) and licence not in expression
        ]
        return [DIFFERS.found(name, f"it says {expression[:_SHORT]}; this is {licence}") for name, licence in others]


def build(config: Config) -> LicenceCheck:
    """Make the check: the entry point."""
    return LicenceCheck(config.vetting.licences)


def expression_of(text: str) -> str:
    """Return the SPDX expression that a statement stands for, or ``""``."""
    text = text.strip()
    if text.lower() in _NOTHING or _IN_FILE.match(text) or text.upper().startswith("UNLICENSED"):
        return ""
    if "\n" in text or len(text) > _SHORT:
        return licence_of(text)
    spelled = _table()["aliases"].get(_plain(text))
    try:
        return str(canonicalize_license_expression(spelled or text))
    except InvalidLicenseExpression:
        return ""


def described(descriptions: Iterable[str]) -> str:
    """Return the SPDX expression of the licences that descriptions name in words or under a heading, or ``""``."""
    found: set[str] = set()
    for text in descriptions:
        plain = _MARKUP.sub(lambda match: match[1] or "", text)
        for match in (*_SENTENCE.finditer(plain), *_TITLE.finditer(plain)):
            words = re.sub(r"[(),:]", " ", match["name"]).split()[:6]
            starts = (" ".join(words[:count]) for count in range(len(words), 0, -1))
            found.add(next(filter(None, map(expression_of, starts)), ""))
    return " AND ".join(sorted(found - {""}))


def licence_of(text: str) -> str:
    """Return the licence whose text this is, or ``""``."""
    words = re.sub(r"[\s*#>]+", " ", text[:_MAX_TEXT]).lower()
    return next((row["is"] for row in _table()["text"] if all(phrase in words for phrase in row["holds"])), "")


def admits(expression: str, allowed: Iterable[str]) -> bool:
    """Return whether a canonical SPDX expression can be met with licences that are let in: all of AND, one of OR."""
    patterns = tuple(allowed)
    tokens = _TOKEN.findall(expression)

    def either() -> bool:
        met = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            met = both() or met
        return met

    def both() -> bool:
        met = one()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            met = one() and met
        return met

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            met = either()
            tokens.pop(0)
            return met
        if tokens[:1] == ["WITH"]:  # an exception only ever allows more
            del tokens[:2]
        return any(fnmatchcase(token.lower(), pattern) for pattern in patterns)

    return either()


def _said(subject: Subject, texts: list[tuple[str, str]]) -> list[str]:
    """Return what is said of the licence, the package's own words first."""
    manifest = subject.manifest
    given: list[Any] = [manifest.get("license")]
    old = manifest.get("licenses")
    given += old if isinstance(old, list) else [old]
    words = [each.get("type") if isinstance(each, Mapping) else each for each in given]
    for name, text in texts:
        if name == "METADATA":
            words += [
                line.rsplit("::", 1)[-1] for line in text.splitlines() if line.startswith("Classifier: License ::")
            ]
    words.append(subject.facts.licence)
    return [word.strip() for word in words if isinstance(word, str) and word.strip().lower() not in _NOTHING]


def _texts(root: Path) -> list[tuple[str, str]]:
    """Return ``(name, text)`` of the files at the top of a package or wheel's metadata that may name a licence."""
    folders = [root, *root.glob("*.dist-info"), *root.glob("*.dist-info/licenses")]
    found: list[tuple[str, str]] = []
    for folder in folders:
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            wanted = _FILES.match(file.name) or (
                _DESCRIPTIONS.match(file.name) and (file.name != "METADATA" or folder != root)
            )
            if wanted and file.is_file() and not file.is_symlink():
                with file.open("rb") as opened:
                    found.append((file.name, opened.read(_MAX_TEXT).decode("utf-8", "replace")))
    return found


def _plain(text: str) -> str:
    words = re.sub(r"[\s,_-]+", " ", text).strip().lower()
    words = words.removeprefix("the ").removeprefix("osi approved :: ")
    return words if words in _table()["aliases"] else re.sub(r" ?licen[cs]e$", "", words)


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files("vsm_mcp.vetting").joinpath("data/licences.toml").read_text("utf-8"))
