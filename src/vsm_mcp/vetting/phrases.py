"""What hidden instructions say: the patterns of ``data/phrases.toml``, each of one rule, over folded text. Pure."""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.check import Rule

OVERRIDE: Final = Rule(
    "text.override", Severity.BLOCK, "tells the model to ignore or replace its instructions or safety rules"
)
CONCEAL: Final = Rule("text.conceal", Severity.REVIEW, "asks to hide something from the person")
CONCEALED_ACT: Final = Rule(
    "text.concealed_act", Severity.BLOCK, "asks for something to be done or taken along and hidden from the person"
)
SENSITIVE: Final = Rule("text.sensitive_place", Severity.REVIEW, "names a place where keys or passwords lie")
HARVEST: Final = Rule(
    "text.harvest", Severity.BLOCK, "asks for secrets, private files or the conversation to be collected or sent on"
)
SEND_ON: Final = Rule("text.send_on", Severity.REVIEW, "says that data goes to third parties or is kept elsewhere")
PSEUDO_TAG: Final = Rule("text.pseudo_tag", Severity.REVIEW, "holds a tag that poses as an instruction to the model")
COMMANDING_TAG: Final = Rule(
    "text.commanding_tag", Severity.BLOCK, "holds an instruction in a tag that poses as the system's or hides it"
)
PREFERENCE: Final = Rule("text.preference", Severity.REVIEW, "praises itself or asks to be preferred over other tools")
ORDERING: Final = Rule(
    "text.ordering", Severity.REVIEW, "asks to be called before, after or instead of other tools, or to change results"
)
COMMAND: Final = Rule("text.command", Severity.REVIEW, "holds a shell command or code for the model to run")
HARMFUL: Final = Rule("text.harmful_purpose", Severity.REVIEW, "openly offers an attack on somebody")

RULES: Final = (
    OVERRIDE, CONCEAL, CONCEALED_ACT, SENSITIVE, HARVEST, SEND_ON, PSEUDO_TAG, COMMANDING_TAG, PREFERENCE, ORDERING,
    COMMAND, HARMFUL,
)  # fmt: skip
# Said of the tool itself these words promise the opposite: "never asks for your seed phrase".
_NEGATED: Final = re.compile(
    r"\b(?:never|not|cannot|no longer|does not|doesn't|without|only the public|public half)\b[^.!?\n]{0,60}$"
)


def matches(folded: str) -> dict[Rule, str]:
    """Return the rules whose pattern ``folded`` (text from :func:`folding.fold`) holds, with what matched."""
    found: dict[Rule, str] = {}
    for rule, pattern in _compiled():
        if rule in found:
            continue
        for match in pattern.finditer(folded):
            if rule not in {HARVEST, SENSITIVE} or not _NEGATED.search(
                folded[max(0, match.start() - 80) : match.start()]
            ):
                found[rule] = match[0][:200]
                break
    if CONCEAL in found and (found.keys() & {SENSITIVE, ORDERING, COMMAND, SEND_ON, PSEUDO_TAG} or _demands(folded)):
        found[CONCEALED_ACT] = found.pop(CONCEAL)
    return found


def _demands(folded: str) -> bool:
    return _demand().search(folded) is not None


@cache
def _demand() -> re.Pattern[str]:
    pattern = r"\b(?:you must|must first|first (?:read|access|check|call)|{VERB}\b[^.!?\n]{0,80}{SECRETS})"
    return re.compile(_filled(pattern, _table()["words"]))


@cache
def _compiled() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    table, rules = _table(), {rule.id: rule for rule in RULES}
    return tuple(
        (rules[row["rule"]], re.compile(_filled(row["pattern"], table["words"]), re.MULTILINE))
        for row in table["phrase"]
    )


def rule_set() -> str:
    """Return the SHA-256 (hex) of the phrases, for evidence: which rules looked."""
    return hashlib.sha256(_source()).hexdigest()


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_source().decode())


@cache
def _source() -> bytes:
    return files("vsm_mcp.vetting").joinpath("data/phrases.toml").read_bytes()


def _filled(pattern: str, words: dict[str, str]) -> str:
    joined = pattern.replace("\n", "")
    for name, text in words.items():
        joined = joined.replace(f"{{{name}}}", text.replace("\n", ""))
    return joined
