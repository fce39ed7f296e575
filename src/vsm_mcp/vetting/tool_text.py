"""Check ``tool_text``: everything of a server that a model will read, at any depth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vsm_mcp.config import Config
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.vetting import folding, phrases
from vsm_mcp.vetting.check import Rule, Stage, Subject, result, unavailable

HIDDEN: Final = Rule(
    "text.hidden_characters", Severity.BLOCK, "holds zero-width, bidi, tag, ANSI or control characters"
)
BLANK_RUN: Final = Rule("text.blank_run", Severity.BLOCK, "pushes text out of sight with a run of 80 blanks or more")
LETTER_SPACED: Final = Rule("text.letter_spaced", Severity.BLOCK, "spells text out letter by letter to hide it")
ENCODED: Final = Rule("text.encoded", Severity.REVIEW, "holds a base64 or hexadecimal passage that decodes to words")
MIXED_SCRIPT: Final = Rule(
    "text.mixed_script", Severity.BLOCK, "writes words with look-alike letters of another script or width"
)
FOREIGN_TOOL: Final = Rule("text.foreign_tool", Severity.REVIEW, "names a tool of another server of this home")
FOREIGN_ORDER: Final = Rule(
    "text.foreign_order", Severity.BLOCK, "says when or how a tool of another server is to be used"
)
EXFIL_PARAMETER: Final = Rule(
    "text.exfil_parameter", Severity.BLOCK, "has a parameter that asks for the conversation, the prompt or the model"
)
READ_ONLY_CLAIM: Final = Rule(
    "text.read_only_claim", Severity.REVIEW, "is annotated as read-only although its name says that it changes things"
)
UNREADABLE: Final = Rule(
    "text.unreadable", Severity.REVIEW, "cannot be read as JSON, or is too deep or too long to judge"
)
RULES: Final = (
    HIDDEN, BLANK_RUN, LETTER_SPACED, ENCODED, MIXED_SCRIPT, FOREIGN_TOOL, FOREIGN_ORDER, EXFIL_PARAMETER,
    READ_ONLY_CLAIM, UNREADABLE, *phrases.RULES,
)  # fmt: skip
_NAME: Final = "tool_text"
_MAX_DEPTH: Final = 64
_MAX_STRINGS: Final = 200_000
_BLANKS: Final = re.compile(r"[^\S\n]{80,}|(?:[^\S\n]*\n){40,}|[\u2800\u3164\u2000-\u200a\u00a0]{40,}")
_EXFIL_NAMES: Final = re.compile(
    r"_+(?:system_?prompt|context|conversation|history|instructions?|thoughts?|metadata|telemetry|memory|secrets?"
    r"|note)_+"
    r"|(?:full_|entire_|complete_|user_|previous_|prior_|current_|raw_)?(?:conversation|chat|message"
    r"|dialog(?:ue)?)_?(?:history|log|transcript|context)"
    r"|side_?notes?|llm_?(?:model_?)?name|(?:llm|ai|calling|caller|agent|assistant)_?model(?:_?name)?"
    r"|(?:your|the|llm|model|agent|assistant)_?system_?prompt|(?:list_?of_?)?(?:all_?)?(?:available|installed"
    r"|other)_?(?:mcp_?)?(?:tools|servers)"
    r"|(?:previous|prior|all|past)_?tool_?(?:calls|outputs?|results?)|chain_?of_?thought|model_?(?:reasoning"
    r"|thoughts?)|content_?from_?reading_?\w+"
    r"|(?:user_?)?(?:ssh|private)_?key_?contents?|environment_?dump|session_?transcript"
)
_EXFIL_SAID: Final = re.compile(
    r"\b(?:name|version|identity) of the (?:llm|language|ai) ?model (?:that|which) (?:calls?|is calling|uses|invokes)"
    r"|\b(?:entire|full|whole|complete) (?:conversation|chat)(?: history| log| transcript)?\b|\byour system prompt\b"
    r"|\bthe system prompt of"
)
_CHANGES: Final = re.compile(
    r"^(?:delete|remove|drop|write|erase|destroy|truncate|overwrite|purge|kill|format|wipe)(?:[_-]|[A-Z]|$)"
)
_ORDER: Final = re.compile(
    r"\b(?:before|after|instead|rather|must|always|never|first|whenever|every time|do not use|prior to|redirect"
    r"|replace|on behalf)\b"
)


class ToolTextCheck:
    """Reads instructions, names, titles, descriptions and schemas of an offer; needs no network and runs nothing."""

    name = _NAME
    stage = Stage.AFTER_TRIAL

    async def check(self, subject: Subject) -> CheckResult:
        """Look at every text of the offer. *Unavailable* without an offer."""
        if subject.offer is None:
            return unavailable(_NAME, "texts", "the trial gave no list of what the server offers")
        return examine(subject.offer, subject.fleet)


def build(_config: Config) -> ToolTextCheck:
    """Make the check: the entry point."""
    return ToolTextCheck()


def examine(offer: Offer, fleet: Mapping[str, tuple[str, ...]]) -> CheckResult:
    """Return the check's answer for one offer. Pure; ``fleet`` maps other servers to their tools' names."""
    findings: list[Finding] = []
    looked_at = 0
    foreign = _foreign(offer, fleet)
    if offer.instructions:
        looked_at += 1
        findings += _in_text("instructions", offer.instructions, foreign)
    for item in offer.items:
        count, found = examine_item(item, foreign)
        looked_at += count
        findings += found
    return result(_NAME, looked_at, "texts", findings)


def examine_item(item: Definition, foreign: Mapping[str, str] | None = None) -> tuple[int, list[Finding]]:
    """Return how many texts one definition holds and what is wrong with them."""
    place = f"{item.kind.value} {item.name[:80]!r}"
    try:
        value = json.loads(item.raw)
        texts = list(_texts(value, ""))
    except (ValueError, RecursionError, OverflowError) as error:
        return 1, [UNREADABLE.found(place, f"its definition cannot be judged: {type(error).__name__}")]
    findings: list[Finding] = []
    for path, text in texts:
        findings += _in_text(f"{place}{path}", text, foreign or {})
    if isinstance(value, dict) and item.kind is ItemKind.TOOL:
        findings += _parameters(place, value)
        findings += _annotations(place, item.name, value)
    whole = "\n".join(text for path, text in texts if not path.endswith(".name"))
    findings += _together(place, whole, findings)
    return len(texts), _distinct(findings)


def _texts(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every string with its path: values and member names alike, for both reach the model."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            if depth and not name.isidentifier():
                yield f"{path}.{name[:40]} (name)", name
            yield from _texts(each, f"{path}.{name[:40]}", depth + 1)


def _in_text(where: str, text: str, foreign: Mapping[str, str]) -> list[Finding]:
    findings = _shape(where, text)
    for how, folded in folding.readings(text):
        suffix = "" if how == "plain" else f" (read as {how})"
        found = phrases.matches(folded)
        if not where.endswith((".description", "instructions")) or "inputSchema" in where:
            found.pop(phrases.HARMFUL, None)  # of the tool as a whole: what a parameter is called says little
        findings += [rule.found(where, f'"{_shown(matched)}"{suffix}') for rule, matched in found.items()]
        findings += _names_foreign(where, folded, foreign)
    return findings


def _shape(where: str, text: str) -> list[Finding]:
    findings: list[Finding] = []
    hidden = folding.hidden_characters(text)
    if hidden:
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(hidden.items()))
        findings.append(HIDDEN.found(where, f"{said} characters"))
    if _BLANKS.search(text):
        findings.append(BLANK_RUN.found(where, "a run of blanks that pushes what follows out of sight"))
    spaced = folding.letter_spaced(text)
    if spaced:
        findings.append(LETTER_SPACED.found(where, f'"{_shown(spaced)}"'))
    if folding.encoded_passages(text):
        findings.append(ENCODED.found(where, "an encoded passage that decodes to words"))
    mixed = folding.disguised_words(text)
    if mixed:
        findings.append(
            MIXED_SCRIPT.found(where, f"{len(mixed)} words in look-alike letters, such as {mixed[0][:40]!a}")
        )
    return findings


def _names_foreign(where: str, folded: str, foreign: Mapping[str, str]) -> list[Finding]:
    findings: list[Finding] = []
    for tool, server in foreign.items():
        match = re.search(rf"(?<![\w-]){re.escape(tool)}(?![\w-])", folded) if tool in folded else None
        if match:
            around = folded[max(0, match.start() - 120) : match.end() + 120]
            rule = FOREIGN_ORDER if _ORDER.search(around) else FOREIGN_TOOL
            findings.append(rule.found(where, f"names {tool!r}, a tool of the server {server!r}"))
    return findings


def _foreign(offer: Offer, fleet: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the names of other servers' tools that can only mean those tools: of two words, and not our own."""
    own = {folding.fold(item.name) for item in offer.items}
    names = ((folding.fold(tool), server) for server, tools in fleet.items() for tool in tools)
    return {tool: server for tool, server in names if re.search(r"\w[_-]\w", tool) and tool not in own}


def _parameters(place: str, definition: dict[str, Any]) -> list[Finding]:
    findings: list[Finding] = []
    for path, name, schema in _properties(definition.get("inputSchema"), "", 0):
        said = schema.get("description") if isinstance(schema, dict) else None
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
        if _EXFIL_NAMES.fullmatch(folding.fold(plain).replace("-", "_")):
            findings.append(EXFIL_PARAMETER.found(f"{place}{path}", f"the parameter {name[:60]!r}"))
        elif isinstance(said, str) and _EXFIL_SAID.search(folding.fold(said)):
            findings.append(EXFIL_PARAMETER.found(f"{place}{path}", f'the parameter {name[:60]!r}: "{_shown(said)}"'))
    return findings


def _properties(schema: Any, path: str, depth: int) -> Iterator[tuple[str, str, Any]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(schema, list):
        for each in schema:
            yield from _properties(each, path, depth + 1)
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, each in properties.items():
            yield f"{path}.{name[:40]}", name, each
            yield from _properties(each, f"{path}.{name[:40]}", depth + 1)
    for word in ("items", "anyOf", "oneOf", "allOf", "additionalProperties", "$defs", "definitions"):
        nested = schema.get(word)
        inner = list(nested.values()) if word in {"$defs", "definitions"} and isinstance(nested, dict) else nested
        yield from _properties(inner, path, depth + 1)


def _annotations(place: str, name: str, definition: dict[str, Any]) -> list[Finding]:
    annotations = definition.get("annotations")
    if isinstance(annotations, dict) and annotations.get("readOnlyHint") is True and _CHANGES.match(name):
        return [READ_ONLY_CLAIM.found(place, "readOnlyHint is true")]
    return []


def _together(place: str, whole: str, findings: list[Finding]) -> list[Finding]:
    """What only shows when a definition is read as one text: a demand in one field, its concealment in another."""
    rules = {finding.rule for finding in findings}
    if phrases.CONCEAL.id in rules and phrases.CONCEALED_ACT.id not in rules:
        found = phrases.matches(folding.fold(whole))
        if phrases.CONCEALED_ACT in found:
            return [phrases.CONCEALED_ACT.found(place, f'"{_shown(found[phrases.CONCEALED_ACT])}"')]
    return []


def _distinct(findings: list[Finding]) -> list[Finding]:
    return list({(finding.rule, finding.where): finding for finding in findings}.values())


def _shown(text: str) -> str:
    """Return untrusted text for a person: escaped, on one line, short."""
    flat = " ".join(text.split())
    return ascii(flat[:120])[1:-1] + ("…" if len(flat) > 120 else "")
