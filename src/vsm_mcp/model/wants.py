"""What a user wants of candidates besides the need: what counts most, and what must hold at any rate."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta


class Priority(StrEnum):
    """What counts more than it does by default."""

    BALANCED = "balanced"
    SECURITY = "security_critical"
    PERFORMANCE = "performance_critical"


class Requirement(StrEnum):
    """What a candidate can be asked to meet; one that is not known to meet it is left out."""

    NO_KEY = "no_key"
    NO_NETWORK = "no_network"
    OFFLINE = "offline"
    LICENCE = "licence"
    RUNTIME = "runtime"


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for one need; see :class:`Appraising` for what each field means. Nothing given asks for nothing.

    ``method`` is the kind of reference that the best candidates are to be installed by (empty: any). ``asks`` wants to
    be asked for what the best candidate lacks before a worse one is tried; ``ref`` is the one that it shall be (empty:
    any), where a person gave what that one needs.
    """

    priority: Priority | None = None
    no_key: bool = False
    no_network: bool = False
    offline: bool = False
    licences: tuple[str, ...] = ()
    runtime: bool = False
    method: Literal["", "npm", "pypi", "git", "dir", "mcpb", "oci", "remote", "cmd"] = ""
    asks: bool = False
    ref: str = ""

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """What has to be met."""
        asked = {
            Requirement.NO_KEY: self.no_key,
            Requirement.NO_NETWORK: self.no_network,
            Requirement.OFFLINE: self.offline,
            Requirement.LICENCE: bool(self.licences),
            Requirement.RUNTIME: self.runtime,
        }
        return tuple(requirement for requirement, wanted in asked.items() if wanted)


ANYTHING: Final = Wants()
MOST: Final = 1000.0


class Appraising(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[appraisal]``: how candidates are weighed, and what each of them must meet.

    The options of ``search`` and ``acquire`` add to the requirements that are set here; ``--priority`` and
    ``--licence`` take the place of what is set. A candidate of which it is not known whether it meets a requirement is
    left out. In the environment, weights are written ``capability=0.5,security=0.3``.
    """

    priority: Annotated[
        str, Meta(description="What counts more: balanced, security_critical or performance_critical.")
    ] = "balanced"
    weights: Annotated[
        dict[str, float],
        Meta(description="Weights by criterion, in place of the priority's; all are scaled so that they add up to 1."),
    ] = {}
    no_key: Annotated[bool, Meta(description="Only what needs no key and no account.")] = False
    no_network: Annotated[bool, Meta(description="Only what works without the network once it is installed.")] = False
    offline: Annotated[
        bool, Meta(description="Only what can be had and works without the network: what is here already.")
    ] = False
    licences: Annotated[
        tuple[str, ...], Meta(description="Only these licences: SPDX identifiers, with * and ? as file names have.")
    ] = ()
    runtime: Annotated[
        bool, Meta(description="Only what the Python, Node or container runtime of this machine can run.")
    ] = False

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not (math.isfinite(weight) and 0 <= weight <= MOST):
                raise ValueError(f"the weight of {name} is {weight}; it is from 0 to {MOST:g}")

    def wanted(self, asked: Wants) -> Wants:
        """Return what holds for one need: what is set here with what was asked for it."""
        return Wants(
            priority=asked.priority or Priority(self.priority),
            no_key=self.no_key or asked.no_key,
            no_network=self.no_network or asked.no_network,
            offline=self.offline or asked.offline,
            licences=asked.licences or self.licences,
            runtime=self.runtime or asked.runtime,
            method=asked.method,
            asks=asked.asks,
            ref=asked.ref,
        )
