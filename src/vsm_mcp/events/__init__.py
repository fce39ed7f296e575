"""Every fact that can be published: frozen, in the past tense, primitive fields only.

Kernels take an ``emit`` callable and never log; logging, journal, progress on a terminal, metrics and the event
stream subscribe. ``to_dict`` gives the wire form: ``{"event": "StepStarted", …fields}``.
"""

from __future__ import annotations

from vsm_mcp.events.acquisition import (
    AcquisitionFinished,
    AcquisitionStarted,
    CandidateRejected,
    CandidatesLeftOut,
    Ranked,
    RemedyApplied,
    SandboxPlanned,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUndone,
    UndoFailed,
)
from vsm_mcp.events.daemon import (
    AccessInClear,
    AccessRefused,
    ActionDecided,
    CleanedUp,
    ConfigRejected,
    ConfigReloaded,
    GatewayListening,
    Recovered,
    SpaceFreed,
)
from vsm_mcp.events.discovery import (
    SourceAnswered,
    SourceRefreshed,
)
from vsm_mcp.events.event import (
    Emit,
    Event,
    ignore,
)
from vsm_mcp.events.health import (
    ConditionChanged,
    Escalated,
    RemedyTried,
    RestartsHeld,
    ServerReplaced,
)
from vsm_mcp.events.servers import (
    ConsentAsked,
    ContactRefused,
    CpuLimitReached,
    GaveUp,
    HealthChecked,
    LockNotWritten,
    PinChanged,
    PinsApproved,
    ServerAdded,
    ServerCrashed,
    ServerFoundStateful,
    ServerRemoved,
    ServerRolledBack,
    ServerStarted,
    ServerStopped,
    ServerUpgraded,
    ToolsChanged,
)
from vsm_mcp.events.telemetry import (
    ExportFailed,
    ExportResumed,
)
from vsm_mcp.events.traffic import (
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    FailedOver,
)

__all__ = [
    "AccessInClear",
    "AccessRefused",
    "AcquisitionFinished",
    "AcquisitionStarted",
    "ActionDecided",
    "BreakerClosed",
    "BreakerHalfOpened",
    "BreakerOpened",
    "CandidateRejected",
    "CandidatesLeftOut",
    "CleanedUp",
    "ConditionChanged",
    "ConfigRejected",
    "ConfigReloaded",
    "ConsentAsked",
    "ContactRefused",
    "CpuLimitReached",
    "Emit",
    "Escalated",
    "Event",
    "ExportFailed",
    "ExportResumed",
    "FailedOver",
    "GatewayListening",
    "GaveUp",
    "HealthChecked",
    "LockNotWritten",
    "PinChanged",
    "PinsApproved",
    "Ranked",
    "Recovered",
    "RemedyApplied",
    "RemedyTried",
    "RestartsHeld",
    "SandboxPlanned",
    "ServerAdded",
    "ServerCrashed",
    "ServerFoundStateful",
    "ServerRemoved",
    "ServerReplaced",
    "ServerRolledBack",
    "ServerStarted",
    "ServerStopped",
    "ServerUpgraded",
    "SourceAnswered",
    "SourceRefreshed",
    "SpaceFreed",
    "StepFailed",
    "StepFinished",
    "StepStarted",
    "StepUndone",
    "ToolsChanged",
    "UndoFailed",
    "ignore",
]
