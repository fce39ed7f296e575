"""The rules on code: a capability and a threat in one place. Pure: events in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from vsm_mcp.model.finding import Finding, Severity
from vsm_mcp.vetting.check import Rule
from vsm_mcp.vetting.code.calls import Event
from vsm_mcp.vetting.code.constant import UNKNOWN

SECRETS_SENT: Final = Rule("code.secrets_sent", Severity.BLOCK, "reads keys or passwords and sends them away")
SECRETS_READ: Final = Rule(
    "code.secrets_near_network", Severity.REVIEW, "reads keys or passwords in a file that also uses the network"
)
ENVIRONMENT_SENT: Final = Rule("code.environment_sent", Severity.BLOCK, "sends the whole environment away")
DECODED_RUN: Final = Rule("code.decoded_run", Severity.BLOCK, "runs code or a command that it first decodes")
FETCHED_RUN: Final = Rule("code.fetched_run", Severity.BLOCK, "runs code or a command that comes over the network")
FETCHED_PROGRAM: Final = Rule("code.fetched_program", Severity.REVIEW, "downloads a program to a file and starts it")
DOWNLOAD_RUN: Final = Rule("code.download_run", Severity.BLOCK, "starts a command that downloads a program and runs it")
CLIENT_CONFIG: Final = Rule(
    "code.client_config", Severity.BLOCK, "changes the settings of AI clients by itself, as soon as it is loaded"
)
CLIENT_CONFIG_LATER: Final = Rule(
    "code.client_config_on_demand", Severity.NOTE, "can change the settings of AI clients"
)
STARTUP: Final = Rule(
    "code.startup", Severity.BLOCK, "has itself started with the machine or the shell, as soon as it is loaded"
)
STARTUP_LATER: Final = Rule(
    "code.startup_on_demand", Severity.REVIEW, "can have something started with the machine or the shell"
)
COLLECTOR: Final = Rule(
    "code.collector",
    Severity.BLOCK,
    "sends to a place that collects whatever is sent, or to a hook with a built-in key",
)
BARE_ADDRESS: Final = Rule("code.bare_address", Severity.REVIEW, "sends to a public address that has no name")
TEMPLATED_SHELL: Final = Rule(
    "code.templated_shell", Severity.REVIEW, "puts what others say into a line for a shell, unquoted"
)
REVERSE_SHELL: Final = Rule("code.reverse_shell", Severity.BLOCK, "connects a shell to the network")
CLIPPER: Final = Rule(
    "code.clipper", Severity.BLOCK, "exchanges addresses of wallets in the clipboard or in what pages send"
)
SPREADS: Final = Rule(
    "code.spreads", Severity.BLOCK, "publishes packages, with keys it finds or as soon as it is loaded"
)
SPREADS_LATER: Final = Rule("code.spreads_on_demand", Severity.REVIEW, "can publish packages")
WIPES: Final = Rule("code.wipes", Severity.BLOCK, "deletes somebody's home or disk")
BLIND_COPY: Final = Rule("code.blind_copy", Severity.REVIEW, "sends a hidden copy of mail to a fixed address")
SPELLED_HOST: Final = Rule("code.hidden_address", Severity.BLOCK, "sends to an address that it keeps encoded")
OBFUSCATED: Final = Rule("code.obfuscated", Severity.BLOCK, "is made unreadable by a tool that hides what code does")
INVISIBLE: Final = Rule("code.invisible", Severity.BLOCK, "holds code in characters that cannot be seen")
PUSHED_ASIDE: Final = Rule("code.pushed_aside", Severity.REVIEW, "holds code far to the right of a line, out of sight")
MINER: Final = Rule("code.miner", Severity.BLOCK, "mines coins")
PROTECTED: Final = Rule("code.protected", Severity.REVIEW, "is encrypted by its publisher, so that nobody can read it")
TEMPLATED_NOTE: Final = Rule(
    "code.templated_command",
    Severity.NOTE,
    "puts values into a line for a shell that only it or a library chooses, whose giver may run anything, or in a file"
    " that nothing leads to",
)
RULES: Final = (
    SECRETS_SENT, SECRETS_READ, ENVIRONMENT_SENT, DECODED_RUN, FETCHED_RUN, FETCHED_PROGRAM, DOWNLOAD_RUN,
    CLIENT_CONFIG, CLIENT_CONFIG_LATER, STARTUP, STARTUP_LATER, COLLECTOR, BARE_ADDRESS, TEMPLATED_SHELL,
    TEMPLATED_NOTE, REVERSE_SHELL, CLIPPER, SPREADS, SPREADS_LATER, WIPES,
    BLIND_COPY, SPELLED_HOST, OBFUSCATED, INVISIBLE, PUSHED_ASIDE, MINER, PROTECTED,
)  # fmt: skip
_RUNS: Final = frozenset({"shell", "program"})
# how programs show a page to a person; what is shown is seldom a stranger's word
_OPENER: Final = re.compile(
    r"\W*(?:xdg-open|open|start|rundll32|explorer|wslview|cmd(?:\.exe)? /c start)\b", re.IGNORECASE
)
_HOOKED: Final = ("fetch", "XMLHttpRequest.prototype", "ethereum", "navigator.clipboard", "solana")


def decide(file: str, events: Sequence[Event], *, bundled: bool = False) -> list[Finding]:
    """Return the findings on one file, or on one piece of a bundle, whose libraries call what nobody else does."""
    kinds = {event.kind for event in events}
    whole = [event.tags for event in events if event.kind in _RUNS and _is_whole(event)]
    found: list[Finding] = []
    for event in events:
        for named, text in _of(event, kinds, events):
            library = bundled and "tool" not in event.tags
            nothing_new = named is TEMPLATED_SHELL and (library or _may_run_anything(event, whole))
            rule = TEMPLATED_NOTE if nothing_new else named
            found.append(rule.found(f"{file}:{event.line}", text or ascii(event.what[:80])[1:-1]))
    return [*found, *_together(file, events)]


def _of(event: Event, kinds: set[str], events: Sequence[Event]) -> Iterator[tuple[Rule, str]]:
    match event.kind:
        case "send":
            yield from _sent(event)
        case "evaluate":
            yield from _evaluated(event)
        case "shell" | "program":
            yield from _run(event)
        case "write":
            yield from _written(event)
        case "read_secret" if "hard" in event.tags and "send" in kinds:
            if not any(each.kind == "send" and _carries_secret(each) for each in events):
                yield SECRETS_READ, f"reads {_shown(event.text)}"
        case "joined":
            yield REVERSE_SHELL, ""
        case "blind_copy":
            yield BLIND_COPY, f"{event.what}: {_shown(event.text)}"


def _is_whole(event: Event) -> bool:
    """Whether a line for a shell is all somebody else's: running commands is what it is for."""
    return {"by_shell", "caller"} <= event.tags and not event.text.strip(UNKNOWN + " ")


def _may_run_anything(event: Event, whole: Sequence[frozenset[str]]) -> bool:
    """Whether who fills a part of a line may have any line run beside it: breaking out of the part gains nothing."""
    return "net" not in event.tags and any("tool" in tags or "tool" not in event.tags for tags in whole)


def _carries_secret(event: Event) -> bool:
    return {"secret_read", "hard"} <= event.tags


def _sent(event: Event) -> Iterator[tuple[Rule, str]]:
    tags, way = event.tags, ascii(event.what[:60])[1:-1]
    if _carries_secret(event):
        yield SECRETS_SENT, f"what it read goes to {way}"
    if "env" in tags:
        yield ENVIRONMENT_SENT, f"the environment goes to {way}"
    if tags & {"collector", "hook"}:
        yield COLLECTOR, f"{way} to {_shown(event.text)}"
    elif "spelled" in tags and (tags & {"address", "messenger"} or event.text.startswith(("http", "ws"))):
        yield SPELLED_HOST, f"{way} to {_shown(event.text)}"
    elif "address" in tags:
        yield BARE_ADDRESS, f"{way} to {_shown(event.text)}"


def _evaluated(event: Event) -> Iterator[tuple[Rule, str]]:
    if event.tags & {"decoded", "spelled"}:
        yield DECODED_RUN, ""
    elif "net" in event.tags:
        yield FETCHED_RUN, ""


def _run(event: Event) -> Iterator[tuple[Rule, str]]:
    tags, text = event.tags, event.text
    unknown = not text.strip(UNKNOWN + " \"'")
    if "spelled" in tags or ("decoded" in tags and unknown):
        yield DECODED_RUN, f"the command {_shown(text)}"
    if "reverse_command" in tags:
        yield REVERSE_SHELL, _shown(text)
    if "download_command" in tags and event.reached:
        yield DOWNLOAD_RUN, _shown(text)
    if "startup_command" in tags:
        yield (STARTUP if event.reached else STARTUP_LATER), _shown(text)
    if "spread_command" in tags:
        yield (SPREADS if event.reached else SPREADS_LATER), _shown(text)
    if "wipe_command" in tags and event.reached:
        yield WIPES, _shown(text)
    if "net" in tags and unknown and tags & {"by_shell", "inline"}:
        yield FETCHED_RUN, ""
    if "by_shell" in tags and UNKNOWN in text and not unknown and tags & {"caller", "net"}:
        opens = _OPENER.match(text) is not None and "tool" not in tags
        yield (TEMPLATED_NOTE if opens else TEMPLATED_SHELL), _shown(text)


def _written(event: Event) -> Iterator[tuple[Rule, str]]:
    if "client" in event.tags:
        yield (CLIENT_CONFIG if event.reached else CLIENT_CONFIG_LATER), f"writes {_shown(event.text)}"
    if "startup" in event.tags:
        yield (STARTUP if event.reached else STARTUP_LATER), f"writes {_shown(event.text)}"


def _together(file: str, events: Sequence[Event]) -> Iterator[Finding]:
    """What only several things in one place amount to."""
    kinds = {event.kind for event in events}
    tags = frozenset[str]().union(*(event.tags for event in events))
    shells = [event for event in events if event.kind in _RUNS and "shell_program" in event.tags]
    if "dup2" in kinds and "send" in kinds and shells:
        yield REVERSE_SHELL.found(f"{file}:{shells[0].line}", "a shell on a socket")
    yield from _dropped(file, events)
    clips = [event for event in events if event.kind == "clipboard"]
    if clips and tags & {"wallet", "wallet_pattern"}:
        yield CLIPPER.found(f"{file}:{clips[0].line}", "the clipboard and wallets")
    hooked = [event for event in events if event.kind == "replace" and any(each in event.what for each in _HOOKED)]
    if hooked and tags & {"wallet", "wallet_pattern"}:
        yield CLIPPER.found(f"{file}:{hooked[0].line}", f"replaces {ascii(hooked[0].what[:60])[1:-1]}")


def _dropped(file: str, events: Sequence[Event]) -> Iterator[Finding]:
    """What is written to a file and run from there: decoded, or fetched."""
    for event in events:
        if event.kind != "write_file" or not event.text.strip(UNKNOWN) or not event.tags & {"decoded", "net"}:
            continue
        runs = any(each.kind in {"load", *_RUNS} and event.text in each.text for each in events)
        if runs:
            rule = DECODED_RUN if "decoded" in event.tags else FETCHED_PROGRAM
            yield rule.found(f"{file}:{event.line}", f"from the file {_shown(event.text)}")


def _shown(text: str) -> str:
    return ascii(text.replace(UNKNOWN, "…")[:100]).replace("\\u2026", "…")


def softened(finding: Finding) -> Finding | None:
    """Return a finding in a file that nothing runs (tests, examples): a block is for a person, the rest is a note."""
    lower = {Severity.BLOCK: Severity.REVIEW, Severity.REVIEW: Severity.NOTE}.get(finding.severity)
    return Finding(rule=finding.rule, where=finding.where, severity=lower, text=finding.text) if lower else None


def capabilities(events: Sequence[Event]) -> frozenset[str]:
    """Return the capabilities that events show, in words for a person."""
    found = {_CAPABILITIES[event.kind] for event in events if event.kind in _CAPABILITIES}
    tags = frozenset[str]().union(*(event.tags for event in events))
    found |= {word for tag, word in _BY_TAG.items() if tag in tags}
    return frozenset(found)


_CAPABILITIES: Final = {
    "send": "network",
    "shell": "programs",
    "program": "programs",
    "evaluate": "evaluates code",
    "read_secret": "reads keys",
    "write_file": "writes files",
    "write": "writes files",
    "clipboard": "clipboard",
    "blind_copy": "hidden copies of mail",
}
_BY_TAG: Final = {
    "env": "whole environment",
    "by_shell": "shell",
    "decoded": "decodes data",
    "client": "settings of AI clients",
    "startup": "starts with the machine",
}
