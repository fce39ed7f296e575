from __future__ import annotations

from vsm_mcp.autopilot.verdicts import unconfined
from vsm_mcp.install.installer import Built
from vsm_mcp.model.launch import Entry


def test_what_ran_outside_of_the_sandbox_is_said_with_the_reason() -> None:
    entry = Entry(argv=("/bin/true",), runtime="native")
    assert unconfined(Built(entry=entry, confined=True)) == ()
    assert unconfined(Built(entry=entry)) == ()  # nothing was run at all
    (warning,) = unconfined(Built(entry=entry, unconfined="[install] confined is off"))
    assert warning.endswith("ran outside of the sandbox while it was installed: [install] confined is off")
