"""One run of an installation in the sandbox, with a report."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.contact import Contact
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.finding import CheckResult, CheckStatus, Severity, VetReport
from vsm_mcp.model.retry import Retry


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a process failed, as far as its exit and its last words tell.

    ``code`` is stable (``missing_env``, ``missing_arg``, ``native_module_missing``, ``python_sdk_2``,
    ``broken_entry``, ``not_a_server``, ``crashed``, ``hung``, ``out_of_memory``, …); ``remedies`` are what to try,
    in order.
    """

    code: str
    message: str
    hint: str = ""
    inputs: tuple[str, ...] = ()
    remedies: tuple[Retry, ...] = ()

    @property
    def listens(self) -> bool:
        """Whether the program said where it listens, instead of speaking over its pipes."""
        return any(each.listens for each in self.remedies)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the trial tried: ``verdict`` is pass, warn, fail or skipped."""

    name: str
    verdict: str
    seconds: float
    detail: str = ""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a server was and what it took, on one machine, once: times as named, ``peak_memory`` in bytes.

    ``asked`` is how many answers the latency (median, and what 95 of 100 stay below) is of; ``None`` where nothing was
    measured.
    """

    start_seconds: tuple[float, ...] = ()
    asked: int = 0
    latency_ms: float | None = None
    latency_p95_ms: float | None = None
    requests_per_second: float | None = None
    peak_memory: int | None = None


class Compliance(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the protocol asks of a server, and whether it does so.

    ``era`` is the one it was asked in, ``source`` the passage of the specification, ``severity`` what a failure of
    it means.
    """

    check: str
    era: str
    status: CheckStatus
    severity: Severity
    meaning: str
    source: str
    detail: str = ""
    seconds: float = 0.0


class Recommendation(StrEnum):
    """What to do with a server."""

    ADMIT = "admit"
    CARE = "admit with care"
    REJECT = "reject"


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a server, and why; the weightiest reason first."""

    recommendation: Recommendation
    reasons: tuple[str, ...] = ()


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the trial saw: whether the server is fit to serve, each probe, and what it offers.

    ``transport`` is what carried it all (``stdio``, ``streamable-http``, …). ``contacts`` are what it reached for over
    the network, whether it was allowed or not. ``watch`` says what is to be thought of ``behaviour``, what it did
    meanwhile; both are missing for a server that runs elsewhere. ``conduct`` says whether its definitions stayed as
    they were.
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
    conduct: CheckResult | None = None
    figures: Figures = Figures()


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``vsm-mcp trial`` found out: vetting, the trial, the protocol, figures, and what follows.

    ``vetting`` is missing where nothing was fetched; ``calls_watch`` says what is to be thought of what it did while
    the protocol was looked at.
    """

    ref: str
    version: str
    advice: Advice
    vetting: VetReport | None = None
    trial: TrialReport | None = None
    compliance: tuple[Compliance, ...] = ()
    calls_watch: CheckResult | None = None
    figures: Figures = Figures()
