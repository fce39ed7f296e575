"""The conformance suite against the gateway: it must not show whether a server is behind it, nor of which era."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.conformance.suite import GATEWAY, MODERN, SECONDS, Verdict, judge, legacy, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 50)]

REVISIONS = ["2026-07-28", "2025-11-25"]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("backend", ["modern", "modern-http", "legacy"])
def test_gateway(backend: str, revision: str, tmp_path: Path) -> None:
    verdict = judged(backend, revision, tmp_path)
    assert not verdict.problems, str(verdict)


def judged(backend: str, revision: str, out: Path) -> Verdict:
    with ExitStack() as running:
        if backend == "modern-http":
            server = [running.enter_context(serving([*MODERN, "--http"]))]
        else:
            server = MODERN if backend == "modern" else ["--stateful", *legacy()]  # it asks in the middle of calls
        url = running.enter_context(serving([*GATEWAY, *server]))
        expected = f"{backend.removesuffix('-http')}-{revision}"  # the way to a server makes no difference
        return judge("server", ["--url", url], revision, out, expected=expected)


@pytest.mark.parametrize(("fixture", "revision"), [*(("modern", each) for each in REVISIONS), ("legacy", "2025-11-25")])
def test_fixtures_pass_by_themselves(fixture: str, revision: str, tmp_path: Path) -> None:
    with serving([*(MODERN if fixture == "modern" else legacy()), "--http"]) as url:
        verdict = judge("server", ["--url", url], revision, tmp_path)
    assert not verdict.problems, str(verdict)
