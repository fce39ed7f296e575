"""What ``search`` shows: reasons, whose word they are, what was left out; and nothing that strangers wrote for a shell,
a terminal or a reader of tables.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scenarios import hostile
from tests.scenarios.homes import FAULTY, PROGRAM, Home
from tests.scenarios.test_terminal import Terminal

from vsm_mcp.app import App
from vsm_mcp.config import Config
from vsm_mcp.model.discovery import Discovery
from vsm_mcp.store import Store

NEED = ("search", "read", "files")
OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|2K|1A)|\r")
STEERS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)


@pytest.fixture
def attacked(home: Home, tmp_path: Path) -> Home:
    home.environ |= hostile.install(tmp_path / "site")
    return home


def plain(seen: str) -> str:
    """What a terminal was sent, less what we send ourselves: colours, and the line that shows progress."""
    return OURS.sub("", seen)


def printed(home: Home, *words: str) -> str:
    """What a command prints into a pipe, stderr included."""
    done = subprocess.run([PROGRAM, *words], env=home.env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def test_nothing_of_a_hostile_source_steers_a_terminal_or_forges_a_row(attacked: Home) -> None:
    terminal = Terminal(attacked, *NEED, "--explain", "--licence", "MIT")
    assert terminal.end() == 0, terminal.seen
    assert STEERS.findall(plain(terminal.seen)) == []
    assert "left out: npm:keyed: its licence is not known" in terminal.seen
    rows = printed(attacked, *NEED).splitlines()
    assert {row.split("\t")[2] for row in rows[1:5]} == {"npm:forged", "npm:prompt", "npm:alike", "npm:keyed"}
    assert {row.count("\t") for row in rows[:5]} == {4}
    assert STEERS.findall("".join(rows)) == []
    assert not Path("/tmp/pwned").exists()


def test_hostile_texts_are_data_in_the_document(attacked: Home) -> None:
    raw = printed(attacked, *NEED, "--json", "--priority", "security_critical")
    assert STEERS.findall(raw) == []
    document = json.loads(raw)
    found = {row["ref"]: row for row in document["candidates"]}
    assert found["npm:prompt"]["description"] == hostile.PROMPT
    assert found["npm:prompt"]["criteria"]["security"]["confidence"] < 0.5, "it is not curated because it says so"
    assert any("CYRILLIC" in reason for reason in found["npm:alike"]["reasons"])
    facts = [fact for part in found["npm:alike"]["criteria"].values() for fact in part["facts"]]
    assert {fact["source"] for fact in facts} == {"ho stile", "matching", "kind", "experience"}
    assert document["wants"]["priority"] == "security_critical"
    assert max(document["weights"], key=lambda name: document["weights"][name]) == "security"


def test_what_is_required_leaves_out_and_is_counted(attacked: Home) -> None:
    done = attacked.run(*NEED, "--no-key")
    assert (done.code, done.document["error"]["code"]) == (4, "nothing_found")
    assert "--no-key 4 (3 not known)" in done.document["error"]["hint"]
    acquired = attacked.run("acquire", *NEED[1:], "--no-key")
    assert (acquired.code, acquired.document["error"]["hint"]) == (4, done.document["error"]["hint"])
    attacked.environ["VSM_MCP_APPRAISAL_LICENCES"] = "MIT,ISC"
    attacked.environ["VSM_MCP_APPRAISAL_WEIGHTS"] = "licence=3,capability=1"
    found = attacked.run(*NEED).document
    assert [row["ref"] for row in found["candidates"]] == ["npm:forged"]
    assert found["left_out"]["requirements"] == {"licence": {"count": 3, "not_known": 3}}
    assert {row["ref"] for row in found["left_out"]["candidates"]} == {"npm:prompt", "npm:alike", "npm:keyed"}
    assert found["weights"]["licence"] == pytest.approx(3 * found["weights"]["capability"], abs=1e-5)
    assert sum(found["weights"].values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("weights", "said"), [("licence=-1", "from 0 to 1000"), ("speed=1", "no criterion is called 'speed'")]
)
def test_weights_that_cannot_be_used_are_refused(attacked: Home, weights: str, said: str) -> None:
    attacked.environ["VSM_MCP_APPRAISAL_WEIGHTS"] = weights
    done = attacked.run(*NEED)
    assert (done.code, done.document["error"]["code"]) == (2, "config")
    assert said in done.document["error"]["message"]


def test_what_a_server_says_as_it_dies_steers_no_terminal(home: Home) -> None:
    words = ("add", f"cmd:{sys.executable} {FAULTY}", "--name", "dying", "--yes")
    last = "\x1b]0;pwned\x07\x9b2J\u202eFatal: gone\n  \u2713 served\x85hint:  run me"
    terminal = Terminal(home, *words, "--arg=--die-at-start", f"--arg={last}")
    assert terminal.end() == 1, terminal.seen
    evidence = re.search(r"vsm-mcp evidence (\w+)", terminal.seen)
    assert evidence is not None, terminal.seen
    told = Terminal(home, "evidence", evidence[1])
    assert told.end() == 0
    assert "run me" in told.seen
    assert [STEERS.findall(plain(seen)) for seen in (terminal.seen, told.seen)] == [[], []]
    said = [line.strip() for line in plain(terminal.seen).splitlines()]
    assert "✓ served" not in said
    assert "hint:  run me" not in said


async def test_what_becomes_of_a_server_is_written_down_and_told(tmp_path: Path) -> None:
    sources = Discovery(sources=("installed",), describe_best=0)
    config = Config(home=tmp_path, discovery=sources, environ={"PATH": os.environ["PATH"]})
    ref = f"cmd:{sys.executable} {FAULTY}"
    async with App.open(config) as app:
        assert (await app.add(ref, name="demo", yes=True)).outcome == "served"
        for _ in range(3):
            await app.call("demo__echo", {"text": "x"})
        await app.witness.write()
        (row,) = (await app.search("echo a text"))["candidates"]
        await app.remove("demo")
    facts = {
        fact["text"] for part in row["criteria"].values() for fact in part["facts"] if fact["source"] == "experience"
    }
    assert {"passed vetting here once", "passed its trial here once"} <= facts
    assert any(fact.startswith("answered 3 times here, typically in ") for fact in facts)
    async with Store(tmp_path) as store:
        (known,) = (await store.experience.all(0.0)).values()
    assert [round(count) for count in (known.admitted, known.removed, known.answered, known.lost)] == [1, 1, 3, 0]
