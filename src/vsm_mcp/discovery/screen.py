"""What sources say is data of strangers: cut to size, freed of everything that is not plain text, checked.

A title with terminal escapes, a name with a path in it, a relevance of 10⁹ or a claim to be curated must reach neither
a terminal nor a decision.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any, Final

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import Input, LaunchFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

NAME_LENGTH: Final = 120
DESCRIPTION_LENGTH: Final = 400
TEXT_LENGTH: Final = 8_000
_TAGS: Final = 16
_INPUTS: Final = 40
_TOOLS, _SAID = 200, 300
_TAG: Final = re.compile(r"[a-z][a-z0-9.-]{0,63}\Z")
# ECMA-48: CSI, OSC and other string sequences (ended by BEL or ST, or by nothing), then two-character escapes.
_ESCAPE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b."
)
_NO_TEXT: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Sources that speak for this machine and this package; the others' word on these two flags does not count.
_CURATORS: Final = frozenset({"catalogue"})
_INSTALLERS: Final = frozenset({"installed"})
_NAMERS: Final = frozenset({"mcp-registry"})
# server.json, "name": reverse DNS, a slash, a name.
_REGISTRY_NAME: Final = re.compile(r"[a-zA-Z0-9.-]{1,128}/[a-zA-Z0-9._-]{1,128}\Z")
_ADVISERS: Final = frozenset({"research"})
# Sources that read what the user has on this machine: they may name programs of it. Nobody elsewhere may.
_OF_THIS_MACHINE: Final = frozenset({"installed", "clients", "kits", "local"})


def clean(text: str, limit: int) -> str:
    """Return ``text`` as one line of at most ``limit`` characters.

    Terminal escapes, control, invisible and direction-changing characters are dropped, white space is one space.
    """
    text = text[: 4 * limit + 200]
    if not (text.isascii() and text.isprintable()):
        text = _shown(_ESCAPE.sub(" ", text))
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _shown(text: str) -> str:
    kept = (" " if char.isspace() else char for char in text if char.isspace() or _shows(char))
    return "".join(kept)


def _shows(char: str) -> bool:
    return (char.isascii() and char.isprintable()) or unicodedata.category(char) not in _NO_TEXT


def screen(candidate: object, source: str) -> Candidate | None:
    """Return a candidate as the engine may use it, or ``None`` for something that is none.

    ``sources`` and ``provenance`` are the engine's to say: they are set to ``source`` for every field that is filled.
    """
    try:
        return _screened(candidate, source) if isinstance(candidate, Candidate) else None
    except (VsmError, AttributeError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _screened(candidate: Candidate, source: str) -> Candidate | None:
    ref = parse_ref(str(candidate.ref))
    if ref != candidate.ref or (_is_local(ref) and source not in _OF_THIS_MACHINE):
        return None
    fields: dict[str, Any] = {
        "ref": ref,
        "name": clean(candidate.name, NAME_LENGTH) or clean(ref.name, NAME_LENGTH),
        "description": clean(candidate.description, DESCRIPTION_LENGTH),
        "tags": tuple(sorted({tag for tag in candidate.tags[:_TAGS] if _TAG.match(tag)})),
        "terms": clean(candidate.terms, TEXT_LENGTH),
        "text": clean(candidate.text, TEXT_LENGTH),
        "tools": tuple((clean(name, NAME_LENGTH), clean(said, _SAID)) for name, said in candidate.tools[:_TOOLS]),
        "launch": _launch(candidate.launch),
        "facts": _facts(candidate.facts, source),
        "curated": bool(candidate.curated) and source in _CURATORS,
        "installed": bool(candidate.installed) and source in _INSTALLERS,
        "variants": max(0, min(10_000, int(candidate.variants))),
        "registry_name": _registry_name(candidate.registry_name, source),
    }
    screened = Candidate(**fields, sources=(source,))
    return msgspec.structs.replace(screened, provenance=dict.fromkeys(_filled(screened), source))


def _registry_name(name: str, source: str) -> str:
    """Only a registry of servers says what a server is called there: it has looked whose the name is."""
    return name if source in _NAMERS and _REGISTRY_NAME.match(name) else ""


def _is_local(ref: Ref) -> bool:
    """Return whether a reference names something of this machine: a program, a folder, a file."""
    return ref.kind in (RefKind.CMD, RefKind.DIR) or (ref.kind is RefKind.MCPB and "://" not in ref.name)


def _filled(candidate: Candidate) -> list[str]:
    plain = [
        field
        for field in ("ref", "name", "description", "tags", "terms", "text", "tools", "launch", "registry_name")
        if getattr(candidate, field)
    ]
    facts = [
        f"facts.{name}" for name, value in msgspec.structs.asdict(candidate.facts).items() if value not in (None, "")
    ]
    return plain + facts


def _launch(launch: LaunchFacts | None) -> LaunchFacts | None:
    if launch is None:
        return None
    args = tuple(_word(arg) for arg in launch.args[:_INPUTS])
    env = {_word(name): _word(value) for name, value in list(launch.env.items())[:_INPUTS]}
    inputs = tuple(_input(one) for one in launch.inputs[:_INPUTS])
    network = launch.network if launch.network in (None, True, False) else None
    return LaunchFacts(
        args=args, env=env, inputs=inputs, network=network, executable=clean(launch.executable, NAME_LENGTH)
    )


def _input(one: Input) -> Input:
    return msgspec.structs.replace(
        one, name=_word(one.name), purpose=clean(one.purpose, DESCRIPTION_LENGTH), default=_word(one.default)
    )


def _word(text: str) -> str:
    """Return a launch value unchanged; one that cannot be passed on as it is makes the whole candidate unusable."""
    if len(text) > 4096 or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError(text[:20])
    return text


def _facts(facts: PackageFacts, source: str) -> PackageFacts:
    kept: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(facts).items():
        if isinstance(value, str):
            kept[name] = clean(value, DESCRIPTION_LENGTH)
        elif isinstance(value, bool) or (isinstance(value, int) and 0 <= value < 10**12):
            kept[name] = value
        elif isinstance(value, float) and math.isfinite(value) and value >= 0:
            kept[name] = int(value)
    if source not in _ADVISERS or not 0 <= kept.get("recommended", 0) <= 100:
        kept.pop("recommended", None)
    return msgspec.convert(kept, PackageFacts)
