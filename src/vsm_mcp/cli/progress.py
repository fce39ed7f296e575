"""Progress of an operation on stderr: a live line on a terminal, plain lines in a pipe, nothing with ``--json``."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from vsm_mcp.cli.output import clean, console, note
from vsm_mcp.cli.plan_text import plan_lines
from vsm_mcp.model.counted import counted

if TYPE_CHECKING:
    from rich.status import Status

_STEPS: Final = {
    "resolve": "resolving versions",
    "fetch": "fetching without executing",
    "vet": "vetting",
    "build": "installing",
    "trial": "trying it in the sandbox",
    "activate": "taking it into service",
}


class Progress:
    """Shows events as they come; a context manager. ``browse`` opens a browser where a person is to agree."""

    def __init__(self, *, quiet: bool, browse: bool = False) -> None:
        self._quiet = quiet
        self._browse = browse
        self._live: Status | None = None
        self._waits = False
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._rest()

    def waits(self, why: str) -> None:
        """Say once why nothing happens yet."""
        if not (self._quiet or self._waits):
            self._rest()
            note(f"{why}: waiting for it; with a daemon (vsm-mcp serve) several install at once")
        self._waits = True

    def show(self, event: dict[str, Any]) -> None:
        """Show one event, in its wire form."""
        if self._quiet and event["event"] != "ConsentAsked":  # nothing goes on before somebody has seen that one
            return
        show = getattr(self, f"_on_{event['event']}", None)
        if show is not None:
            show(event)

    def _on_AcquisitionStarted(self, event: dict[str, Any]) -> None:  # noqa: N802 - named like the event
        note(f"→ {event['subject']}", style="bold")

    def _on_SourceAnswered(self, event: dict[str, Any]) -> None:  # noqa: N802
        # What is off was never set up, or is not to be asked now: `search --explain` and `doctor` say so.
        if event["state"] not in ("ok", "off"):
            note(f"  source {event['source']}: {event['state']} {event['detail']}")

    def _on_ConsentAsked(self, event: dict[str, Any]) -> None:  # noqa: N802
        self._rest()
        note(f"{event['server']} wants you to agree; open this address in a browser on this machine:")
        sys.stderr.write(clean(event["url"]) + "\n")  # in one piece: a wrapped address is no address
        sys.stderr.flush()
        if self._browse:
            import webbrowser  # noqa: PLC0415 - few commands need one

            webbrowser.open(event["url"])

    def _on_StepStarted(self, event: dict[str, Any]) -> None:  # noqa: N802
        if self._terminal:
            self._rest()
            self._live = console(stderr=True).status(
                f"{_STEPS.get(event['step'], event['step'])} {clean(event['detail'])}"
            )
            self._live.start()

    def _on_StepFinished(self, event: dict[str, Any]) -> None:  # noqa: N802
        self._rest()
        note(f"  ✓ {event['step']:<9}{event['seconds']:6.1f} s  {event['detail']}", style="")

    def _on_StepFailed(self, event: dict[str, Any]) -> None:  # noqa: N802
        self._rest()
        note(f"  ✗ {event['step']:<9}          {event['message']}", style="red")

    def _on_SandboxPlanned(self, event: dict[str, Any]) -> None:  # noqa: N802
        self._rest()
        note("  it is started for the first time, with:", style="")
        for line in plan_lines(event["plan"]):
            note(f"      {line}")

    def _on_RemedyApplied(self, event: dict[str, Any]) -> None:  # noqa: N802
        note(f"  ↻ {event['reason']}: again with {event['remedy']}", style="yellow")

    def _on_CandidateRejected(self, event: dict[str, Any]) -> None:  # noqa: N802
        self._rest()
        note(f"  ✗ {event['ref']}: {event['message']}", style="yellow")

    def _on_CandidatesLeftOut(self, event: dict[str, Any]) -> None:  # noqa: N802
        note(f"  {counted(event['count'], 'candidates')} left out for what is required: {event['reasons']}")

    def _on_Recovered(self, event: dict[str, Any]) -> None:  # noqa: N802
        note(f"  an interrupted acquisition was {event['result']}", style="yellow")

    def _on_UndoFailed(self, event: dict[str, Any]) -> None:  # noqa: N802
        note(f"  could not undo {event['step']}: {event['message']}", style="bold red")

    def _rest(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
