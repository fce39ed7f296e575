"""What calling an item may do: by its annotations, and by what a trial saw of its server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.capability import Effect, Effects, Known
from vsm_mcp.model.definition import ItemKind

_HINTS: Final = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}
_READING: Final = Effects(
    read_only=Effect(value=True, known=Known.PROTOCOL),
    destructive=Effect(value=False, known=Known.PROTOCOL),
    idempotent=Effect(value=True, known=Known.PROTOCOL),
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial saw of a whole server: it calls no tool, so by itself it says nothing of a single one.

    ``reached`` says that it tried to reach something over the network, ``wrote`` that it changed files, ``caught`` that
    it looked for other people's secrets: its word is not believed then.
    """

    reached: bool = False
    wrote: bool = False
    caught: bool = False


def seen_of(behaviour: Behaviour | None, *, contacts: bool = False) -> Seen:
    """Return what a trial saw; ``contacts`` says that the network's side noticed an attempt."""
    if behaviour is None:
        return Seen(reached=contacts)
    return Seen(
        reached=contacts or bool(behaviour.hosts or behaviour.names),
        wrote=bool(behaviour.writes),
        caught=bool(behaviour.sought or behaviour.decoys),
    )


def effects_of(kind: ItemKind, annotations: object, seen: Seen, *, writes: bool = False) -> Effects:
    """Return the effects of an item; ``writes`` says that its name has it change something.

    What a tool says of itself counts, unless the trial saw its server do otherwise: one that reaches out may take along
    what it is given. What nobody knows is taken for the worst, as the specification has it (2025-11-25, schema of
    ``ToolAnnotations``); of what is read-only, the other two hints mean nothing, so it is taken for harmless and
    repeatable.
    """
    if kind is not ItemKind.TOOL:
        return msgspec.structs.replace(_READING, open_world=Effect(True, Known.TRIAL) if seen.reached else Effect(True))
    told: Mapping[str, Any] = annotations if isinstance(annotations, dict) and not seen.caught else {}
    found = {
        name: Effect(told[hint], Known.ANNOTATION) for name, hint in _HINTS.items() if isinstance(told.get(hint), bool)
    }
    if found.get("read_only") == Effect(True, Known.ANNOTATION):
        found |= {"destructive": Effect(False, Known.ANNOTATION), "idempotent": Effect(True, Known.ANNOTATION)}
    if seen.reached:
        found["open_world"] = Effect(True, Known.TRIAL)
    if seen.wrote and writes and "read_only" not in found:
        found["read_only"] = Effect(False, Known.TRIAL)
    return Effects(**found)
