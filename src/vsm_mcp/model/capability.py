"""What a server can do, in the words of one taxonomy: how sure that is, what it takes, what it changes, its place."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from vsm_mcp.model.definition import ItemKind


class System(StrEnum):
    """The places in the model; see ``routing/data/places.toml`` for what each means and who is given it."""

    OPERATIONS = "operations"
    COORDINATION = "coordination"
    CONTROL = "control"
    INTELLIGENCE = "intelligence"
    POLICY = "policy"
    CROSS_SYSTEM = "cross-system"
    EXTERNAL = "external interface"


class Known(StrEnum):
    """Where an effect is known from.

    ``PROTOCOL``: the kind of item leaves no other (a resource is only read). ``NOTHING``: nobody says, so the value is
    the one that the specification has a client assume (2025-11-25, "ToolAnnotations"): the worst.
    """

    ANNOTATION = "annotation"
    TRIAL = "trial"
    PROTOCOL = "protocol"
    NOTHING = "nothing"


class Effect(msgspec.Struct, frozen=True):
    """One side effect, and where it is known from."""

    value: bool
    known: Known = Known.NOTHING


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What calling an item may do, as the four hints of the protocol name it."""

    read_only: Effect = Effect(value=False)
    destructive: Effect = Effect(value=True)
    idempotent: Effect = Effect(value=False)
    open_world: Effect = Effect(value=True)


class CapabilityParameter(msgspec.Struct, frozen=True):
    """One parameter: ``type`` is the schema's, several joined by ``|``, or ``any``."""

    name: str
    type: str
    required: bool


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a server can do: ``kind`` and ``name`` say by which of its items.

    ``tag`` is of the taxonomy, or empty where nothing in it fits; ``confidence`` (0…1) says how sure that is.
    ``reason`` says by which rule ``system`` is its place in the model.
    """

    tag: str
    confidence: float
    server: str
    kind: ItemKind
    name: str
    parameters: tuple[CapabilityParameter, ...]
    effects: Effects
    system: System
    reason: str
