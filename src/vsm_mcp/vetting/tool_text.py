"""Check ``tool_text``: everything of a server that a model will read, at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import CheckResult, Finding
from vsm_mcp.vetting import composition, folding
from vsm_mcp.vetting import text_rules as rules
from vsm_mcp.vetting.check import Stage, Subject, result, unavailable
from vsm_mcp.vetting.parameters import fields_of, named_fields
from vsm_mcp.vetting.texts import Text, parse, properties, texts

RULES: Final = rules.RULES
_NAME: Final = "tool_text"
_SLIPS: Final = 8
_BLANKS: Final = re.compile(r"[^\S\n]{80,}|(?:[^\S\n]{0,80}\n){40,}|[\u2800\u3164\u2000-\u200a\u00a0]{40,}")
_EXFIL_NAMES: Final = re.compile(
    r"_+(?:system_?prompt|context|conversation|history|instructions?|thoughts?|metadata|telemetry|memory|secrets?"
    r"|note)_+"
    r"|(?:full_|entire_|complete_|user_|previous_|prior_|current_|raw_|all_){0,3}(?:conversation|chat|message"
    r"|dialog(?:ue)?)s?_?(?:history|log|transcript|context|so_far)"
    r"|side_?notes?|llm_?(?:model_?)?name|(?:llm|calling|caller|your)_?model(?:_?(?:name|identity|version))?"
    r"|model_?identity|(?:your|the|llm|assistant)_?system_?prompt|(?:list_?of_?)?(?:all_?)?(?:available|installed"
    r"|other)_?(?:mcp_?)?(?:tools|servers)|tools_?(?:available|installed)"
    r"|(?:previous|prior|all|past)_?tool_?(?:calls|outputs?|results?)|chain_?of_?thought|model_?(?:reasoning"
    r"|thoughts?)|content_?from_?reading_?\w{1,40}"
    r"|(?:user_?)?(?:ssh|private)_?key_?contents?|(?:env|environment)_?dump|session_?transcript"
)
_PLAIN_NAME: Final = re.compile(r"[\w.:/-]{1,64}")
_CHANGES: Final = re.compile(
    r"^(?:delete|remove|drop|write|erase|destroy|truncate|overwrite|purge|kill|format|wipe)(?:[_-]|[A-Z]|$)"
)
_ORDER: Final = re.compile(
    r"\b(?:before|after|instead|rather|must|always|never|first|whenever|every time|do not use|prior to|redirect"
    r"|replace|on behalf)\b"
)
_IDENTIFIER: Final = re.compile(
    r"(?<![\w./$-])(?:send|create|get|read|write|transfer|delete|update|list|search|add|set|make|post|upload|fetch|run"
    r"|execute|edit|save|store|pay|buy|book|call|query|find|open|push|commit|export|import|move|copy|remove|start|stop)(?:_[a-z0-9]{1,30}){1,6}(?![\w/.=-])"
)


class Surroundings(msgspec.Struct, frozen=True):
    """What is known around a definition: other servers' tools (folded name to server), and its own server's names.

    ``fields`` maps its parameters to the family that naming one of them is of (``parameters.fields_of``).
    """

    foreign: Mapping[str, str] = {}
    own: frozenset[str] = frozenset()
    fields: Mapping[str, str] = {}


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
    around = Surroundings(_foreign(offer, fleet), frozenset(folding.fold(item.name) for item in offer.items))
    findings: list[Finding] = []
    looked_at = 0
    if offer.instructions:
        looked_at += 1
        found = list(_in_text(Text("", "instructions", offer.instructions), around))
        findings += _summed(found, "instructions")
    for item in offer.items:
        count, found = examine_item(item, around)
        looked_at += count
        place = f"{item.kind.value} {item.name[:80]!r}"
        findings += [msgspec.structs.replace(each, where=f"{place} {each.where}".rstrip()) for each in found]
    return result(_NAME, looked_at, "texts", findings)


def examine_item(item: Definition, around: Surroundings | None = None) -> tuple[int, list[Finding]]:
    """Return how many texts one definition holds and what is wrong with them; places are JSON pointers (RFC 6901)."""
    try:
        value = parse(item.raw)
        read = list(texts(value))
    except (ValueError, RecursionError, OverflowError) as error:
        return 1, [rules.UNREADABLE.found("", f"its definition cannot be judged: {type(error).__name__}")]
    around = around or Surroundings()
    given = [folding.fold(each.name) for each in properties(value)]
    around = Surroundings(around.foreign, around.own.union(given, [folding.fold(item.name)]), fields_of(given))
    findings = [finding for text in dict.fromkeys(read) for finding in _in_text(text, around)]
    if isinstance(value, dict):
        findings += _parameters(value)
        findings += _annotations(item, value)
    return len(read), _summed(findings, "")


def _in_text(text: Text, around: Surroundings) -> Iterator[Finding]:
    yield from _shape(text.pointer, text.said)
    if text.pointer == "/name" and _PLAIN_NAME.fullmatch(text.said):
        return  # what a tool is called orders nothing
    for how, folded in folding.readings(text.said):
        suffix = "" if how == "plain" else f" (read as {how})"
        extra = [("named", *each) for each in _named(folded, around.own)]
        if text.role == "description":
            extra += named_fields(folded, around.fields)
        for match in composition.matches(composition.read(folded, extra), text.role):
            if match.rule in _OF_THE_WHOLE and text.role == "other" and text.pointer != "/title":
                continue  # what a value or a schema deals in says little of the tool
            yield rules.BY_ID[match.rule].found(text.pointer, f'"{shown(match.said)}"{suffix}')
        yield from _names_foreign(text.pointer, folded, around.foreign)


_OF_THE_WHOLE: Final = frozenset({"text.harmful_purpose", "text.hostile_purpose", "text.command"})


def _shape(where: str, text: str) -> Iterator[Finding]:
    hidden = folding.hidden_characters(text)
    if hidden:
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(hidden.items()))
        slip = hidden.keys() == {"control"} and hidden["control"] <= _SLIPS and "\x1b" not in text
        yield (rules.CONTROL if slip else rules.HIDDEN).found(where, f"{said} characters")
    if _BLANKS.search(text):
        yield rules.BLANK_RUN.found(where, "a run of blanks that pushes what follows out of sight")
    if len(text) > folding.MAX_TEXT:
        yield rules.UNREADABLE.found(where, f"a text of {len(text)} characters: only the beginning was judged")
    spaced = folding.letter_spaced(text)
    if spaced:
        yield rules.LETTER_SPACED.found(where, f'"{shown(spaced)}"')
    if folding.encoded_passages(text):
        yield rules.ENCODED.found(where, "an encoded passage that decodes to words")
    mixed = folding.disguised_words(text)
    if mixed:
        yield rules.MIXED_SCRIPT.found(where, f"{len(mixed)} words in look-alike letters, such as {mixed[0][:40]!a}")


def _named(folded: str, own: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield where a text names something that looks like a tool and is none of this server's names."""
    for match in _IDENTIFIER.finditer(folded):
        if match[0] not in own:
            yield match.span()


def _names_foreign(where: str, folded: str, foreign: Mapping[str, str]) -> Iterator[Finding]:
    for tool, server in foreign.items():
        match = re.search(rf"(?<![\w-]){re.escape(tool)}(?![\w-])", folded) if tool in folded else None
        if match:
            around = folded[max(0, match.start() - 120) : match.end() + 120]
            rule = rules.FOREIGN_ORDER if _ORDER.search(around) else rules.FOREIGN_TOOL
            yield rule.found(where, f"names {tool!r}, a tool of the server {server!r}")


def _foreign(offer: Offer, fleet: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the names of other servers' tools that can only mean those tools: of two words, and not our own."""
    own = {folding.fold(item.name) for item in offer.items}
    names = ((folding.fold(tool), server) for server, tools in fleet.items() for tool in tools)
    return {tool: server for tool, server in names if re.search(r"\w[_-]\w", tool) and tool not in own}


def _parameters(definition: dict[str, Any]) -> Iterator[Finding]:
    for each in properties(definition):
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", each.name[:100])
        if _EXFIL_NAMES.fullmatch(re.sub(r"[- ]", "_", folding.fold(plain))):
            yield rules.EXFIL_PARAMETER.found(each.pointer, f"the parameter {each.name[:60]!a}")


def _annotations(item: Definition, definition: dict[str, Any]) -> Iterator[Finding]:
    annotations = definition.get("annotations")
    claims = isinstance(annotations, dict) and annotations.get("readOnlyHint") is True
    if item.kind is ItemKind.TOOL and claims and _CHANGES.match(item.name):
        yield rules.READ_ONLY_CLAIM.found("/annotations/readOnlyHint", "readOnlyHint is true")


def _summed(findings: Iterable[Finding], where: str) -> list[Finding]:
    """Return each rule and place once, and what the signs of one definition amount to together."""
    kept = list({(finding.rule, finding.where): finding for finding in findings}.values())
    signs = frozenset(finding.rule for finding in kept)
    if rules.several(signs):
        kept.append(rules.SEVERAL.found(where, ", ".join(sorted(signs))))
    return [msgspec.structs.replace(each, where=where) if where and not each.where else each for each in kept]


def shown(text: str) -> str:
    """Return untrusted text for a person: escaped, on one line, short."""
    flat = " ".join(text[:400].split())
    return ascii(flat[:160])[1:-1] + ("..." if len(flat) > 160 else "")
