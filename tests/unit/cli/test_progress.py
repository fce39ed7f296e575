from __future__ import annotations

import pytest

from vsm_mcp.cli.progress import Progress


@pytest.mark.parametrize(("state", "said"), [("ok", False), ("off", False), ("stale", True), ("unavailable", True)])
def test_only_sources_that_should_have_answered_are_spoken_of(
    state: str, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress(quiet=False) as progress:
        progress.show({"event": "SourceAnswered", "source": "community", "state": state, "detail": "why"})
    assert ("community" in capsys.readouterr().err) is said
