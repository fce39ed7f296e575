"""What an admission is asked for, and how it ended."""

from __future__ import annotations

import msgspec

from vsm_mcp.errors import Refused, VsmError
from vsm_mcp.install.lockfile import LockedServer
from vsm_mcp.model.action import Action
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.model.server import Server


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One reference to admit, by whom, with what was given for it.

    ``known`` is what the catalogue says about it; ``approved`` means that a person agreed; ``need`` is set when the
    reference was chosen for a need, not named. ``origin`` is kept with the server: nobody looks on while what a file
    asks for is admitted, so findings that want a look hold it back, agreed or not. ``method`` is the kind of reference
    that a candidate for a need is to be installed by (empty: any). ``locked`` is what a lock holds of it: exactly that
    is admitted, or nothing. ``confidence`` is that of its appraisal, where there was one. What ``must_suit`` is only
    admitted if one of its tools plainly does what is needed; with ``nearest`` the best that does not is taken where no
    other comes. ``asks`` says that a person is there who can give what the
    best candidate lacks.
    """

    ref: Ref
    settings: Settings = Settings()
    name: str = ""
    actor: str = "cli"
    approved: bool = False
    known: Candidate | None = None
    need: str = ""
    origin: str = ""
    method: str = ""
    locked: LockedServer | None = None
    confidence: float | None = None
    must_suit: bool = False
    nearest: bool = False
    asks: bool = False


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why an admission did not end in service; ``inputs`` are values that somebody must give."""

    code: str
    message: str
    hint: str = ""
    inputs: tuple[dict[str, str], ...] = ()


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that did not come into service, and why; of one that was not even tried there is no ``evidence``."""

    ref: str
    code: str
    message: str
    evidence: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an admission ended: ``served``, ``quarantined``, ``rejected`` or ``failed``; ``evidence`` is its id.

    ``plan`` is what the server may see and reach, or would if it were let, as far as that came to be known. ``asked``
    is what a person has to agree to, where that is why it ended. ``attempts`` are the candidates of a need that
    were tried in vain, and better ones that could not be tried.
    """

    outcome: str
    ref: str
    evidence: str
    server: str = ""
    version: str = ""
    tier: str = ""
    tools: tuple[str, ...] = ()
    reason: Reason | None = None
    warnings: tuple[str, ...] = ()
    plan: SandboxPlan | None = None
    admitted: Server | None = None
    asked: Action | None = None
    attempts: tuple[Attempt, ...] = ()


def reason_of(error: VsmError) -> Reason:
    """Return an error as a reason."""
    inputs = tuple(value._asdict() for value in getattr(error, "values", ()))
    return Reason(code=error.code, message=error.message, hint=error.hint, inputs=inputs)


def outcome_of(error: VsmError, request: Request, evidence: str, plan: SandboxPlan | None = None) -> Outcome:
    """Return the outcome that an error amounts to: refusals are rejections, everything else is a failure."""
    word = "rejected" if isinstance(error, Refused) else "failed"
    return Outcome(outcome=word, ref=str(request.ref), evidence=evidence, reason=reason_of(error), plan=plan)
