"""Upgrades and the way back: kill -9 before and after every step, what waits for a person, what restores itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios import versions
from tests.scenarios.homes import Home

STEPS = ("resolve", "fetch", "vet", "build", "trial", "activate")
PROGRAM = str(Path(versions.__file__))
pytestmark = pytest.mark.slow


def started(home: Home, operation: str, *words: str, kill: tuple[str, str] = ("-", "-")) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, PROGRAM, operation, *kill, *words],
        env={**home.env, "VSM_MCP_INSTALL_MIN_RELEASE_AGE_DAYS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=180,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode in (0, -signal.SIGKILL), said
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}


def do(home: Home, operation: str, *words: str) -> dict[str, Any]:
    code, document = started(home, operation, *words)
    assert code == 0
    return document


def killed(home: Home, operation: str, *words: str, at: tuple[str, str]) -> None:
    code, _ = started(home, operation, *words, kill=at)
    assert code == -signal.SIGKILL
    home.until(lambda: not home.processes(), seconds=60)


def state(home: Home) -> dict[str, Any]:
    """Open the home, which recovers it, call the server, and return what there is, less what differs each time."""
    found = dict(do(home, "look")["home"])
    assert found.pop("pid")
    assert found["token"] == "hush"
    assert found["frozen"] == []
    return found


FRESH = {
    "version": "1.0.0", "token": "hush", "instructions": "This is 1.0.0.", "frozen": [], "tools": 8,
    "current": "1.0.0", "previous": "", "left": ["1.0.0", "current"], "secrets": 1, "waiting": [],
}  # fmt: skip
"""What there is of the server after it was admitted, and again after every upgrade that was undone."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that serves 1.0.0. Every test leaves it as it found it: that is what most of them are about."""
    made = Home(tmp_path_factory.mktemp("versions") / "home")
    document = do(made, "add", "1.0.0")
    assert document["result"]["outcome"] == "served", document
    yield made
    made.close()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["StepStarted", "StepFinished"])
def test_a_kill_during_an_upgrade_leaves_one_version_in_service_and_nothing_else(
    served: Home, kind: str, step: str
) -> None:
    killed(served, "upgrade", at=(kind, step))
    after = state(served)
    if (kind, step) != ("StepFinished", "activate"):
        assert after == FRESH
        return
    assert (after["version"], after["instructions"], after["secrets"]) == ("2.0.0", "This is 2.0.0.", 2)
    assert (after["current"], after["previous"], after["waiting"]) == ("2.0.0", "1.0.0", [])
    assert after["left"] == ["1.0.0", "2.0.0", "current", "previous"]
    assert do(served, "rollback")["result"]["outcome"] == "restored"


@pytest.mark.parametrize("kind", ["StepStarted", "StepFinished"])
def test_a_kill_during_a_rollback_leaves_one_of_the_two_versions(served: Home, kind: str) -> None:
    before = state(served)
    if before["previous"] == "":
        assert do(served, "upgrade")["result"]["upgrades"][0]["outcome"] == "upgraded"
        assert do(served, "rollback")["result"]["outcome"] == "restored"
        before = state(served)
    assert (before["version"], before["previous"]) == ("1.0.0", "2.0.0")
    killed(served, "rollback", at=(kind, "restore"))
    after = state(served)
    if kind == "StepStarted":
        assert after == before
        return
    assert (after["version"], after["instructions"], after["tools"]) == ("2.0.0", "This is 2.0.0.", 9)
    assert (after["current"], after["previous"]) == ("2.0.0", "1.0.0")
    back = do(served, "rollback")  # a second one goes the other way again
    assert back["result"]["version"] == {"from": "2.0.0", "to": "1.0.0"}
    assert state(served) == before


def test_what_waits_outlives_a_kill_and_is_approved_or_denied_by_its_id(served: Home) -> None:
    before = state(served)
    killed(served, "upgrade", "1.5.0", "wait", at=("AcquisitionFinished", "-"))
    (ident,) = do(served, "look")["home"]["waiting"]
    row = do(served, "upgrade", "1.5.0", "wait")["result"]["upgrades"][0]  # the newer question takes its place
    assert row["outcome"] == "waiting"
    assert row["evidence"] != ident
    difference = row["difference"]
    assert [item["item"] for item in difference["items"]] == ["instructions:"]
    assert difference["dependencies"] == {"scripted": ["1.0.0", "1.5.0"]}
    assert (difference["licence"], difference["permissions"]) == (["MIT", "MIT"], {})
    assert all(size > 10_000 for size in difference["size"])
    denied = do(served, "deny", row["evidence"])
    assert denied["result"]["undone"] is True
    assert {**denied["home"], "pid": 0} == {**before, "pid": 0}
    again = do(served, "upgrade", "1.5.0", "wait")["result"]["upgrades"][0]["evidence"]
    done = do(served, "approve", again)
    assert done["result"]["upgrades"][0]["outcome"] == "upgraded"
    assert (done["home"]["version"], done["home"]["instructions"]) == ("1.5.0", "This is 1.5.0.")
    back = do(served, "rollback")
    assert back["result"]["outcome"] == "restored"
    after = back["home"]
    assert (after["version"], after["previous"], after["left"]) == (
        "1.0.0",
        "1.5.0",
        ["1.0.0", "1.5.0", "current", "previous"],
    )


def test_an_upgrade_that_fails_changes_nothing(served: Home) -> None:
    before = state(served)
    row = do(served, "upgrade", versions.BAD)["result"]["upgrades"][0]
    assert (row["outcome"], row["version"]["from"]) == ("failed", "1.0.0"), row
    assert row["reason"]["message"]
    same = do(served, "upgrade", "1.0.0")["result"]["upgrades"][0]
    assert (same["outcome"], same["reason"]["message"]) == ("current", "victim is at 1.0.0 already")
    assert state(served) == before


def test_an_upgrade_that_does_not_come_up_in_service_restores_the_version_before_it(served: Home) -> None:
    done = do(served, "upgrade", versions.SHY)
    row = done["result"]["upgrades"][0]
    assert (row["outcome"], row["version"]["from"]) == ("failed", "1.0.0"), row
    assert "did not come up in service" in row["reason"]["message"]
    assert "it runs as before, with 1.0.0" in row["reason"]["hint"]
    assert {**done["home"], "pid": 0} == {**FRESH, "pid": 0}  # nothing of it is kept to go forward to
    assert served.run("rollback", "victim").document["error"]["code"] == "no_earlier_version"


def test_without_an_earlier_version_there_is_no_way_back(home: Home) -> None:
    assert do(home, "add", "2.0.0")["result"]["outcome"] == "served"
    refused = home.run("rollback", "victim")
    assert (refused.code, refused.document["error"]["code"]) == (4, "no_earlier_version")
    row = do(home, "upgrade")["result"]["upgrades"][0]
    assert (row["outcome"], row["difference"]) == ("current", None)
    assert row["reason"]["message"] == "there is nothing newer than 2.0.0"
    assert home.run("remove", "victim").code == 0
    assert home.left() == []
