"""One run of an installation in the sandbox, with a report."""

from __future__ import annotations

import msgspec

from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.contact import Contact
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.finding import CheckResult


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a process failed, as far as its exit and its last words tell.

    ``code`` is stable (``missing_env``, ``missing_arg``, ``native_module_missing``, ``python_sdk_2``,
    ``broken_entry``, ``not_a_server``, ``crashed``, ``hung``, ``out_of_memory``, …); ``remedies`` are constraint
    sets to try in order when installing again (``(("mcp<2",), ("mcp<2", "fastmcp<3"))``).
    """

    code: str
    message: str
    hint: str = ""
    inputs: tuple[str, ...] = ()
    remedies: tuple[tuple[str, ...], ...] = ()


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the trial tried: ``verdict`` is pass, warn, fail or skipped."""

    name: str
    verdict: str
    seconds: float
    detail: str = ""


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the trial saw: whether the server is fit to serve, each probe, and what it offers.

    ``transport`` is what carried it all (``stdio``, ``streamable-http``, …). ``contacts`` are what it reached for over
    the network, whether it was allowed or not. ``watch`` says what is to be thought of ``behaviour``, what it did
    meanwhile; both are missing for a server that runs elsewhere.
    """

    passed: bool
    era: str
    protocol: str
    tier: str
    transport: str
    start_seconds: float
    probes: tuple[Probe, ...]
    offer: Offer
    cause: Cause | None = None
    peak_memory: int | None = None
    stderr_tail: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    behaviour: Behaviour | None = None
    watch: CheckResult | None = None
