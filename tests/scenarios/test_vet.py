"""``vsm-mcp vet``: a real package is judged and nothing of it stays but the evidence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.scenarios.homes import MODULE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def vet(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = (*MODULE, "vet", *words, "--home", str(home), "--json")
    return subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize(
    "ref", ["npm:@modelcontextprotocol/server-memory@2026.8.31", "pypi:mcp-server-time==2026.10.19"]
)
def test_a_real_server_is_judged_and_nothing_is_admitted(tmp_path: Path, ref: str) -> None:
    done = vet(tmp_path, ref)
    document = json.loads(done.stdout)
    assert (done.returncode, document["judgement"], document["ref"]) == (0, "admit", ref)
    code = next(check for check in document["checks"] if check["check"] == "code")
    assert (code["status"], code["findings"]) == ("pass", [])
    assert code["looked_at"] > 0
    assert document["seconds"].keys() == {"resolve", "fetch", "vet"}
    assert list((tmp_path / "installations").glob("*/*")) == []
    shown = subprocess.run(
        (*MODULE, "evidence", document["evidence"], "--home", str(tmp_path), "--json"),
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [record["kind"] for record in json.loads(shown.stdout)["records"]] == ["request", "vetted", "judged"]


def test_a_package_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = vet(tmp_path, "npm:@modelcontextprotocol/server-memory@0.0.0-none")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (4, "unknown_package")


def test_what_would_wait_for_a_person_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    manifest = {"name": "finder-of-files", "version": "1.0.0", "license": "MIT", "bin": "index.js"}
    (package / "package.json").write_text(json.dumps(manifest))
    (package / "index.js").write_text(
        "const { exec } = require('child_process');\n"
        "server.tool('find', {}, ({ name }) => exec(`find . -name ${name}`));\n"
    )
    done = vet(tmp_path / "home", f"dir:{package}")
    assert (done.returncode, json.loads(done.stdout)["judgement"]) == (3, "quarantine")
    allowed = vet(tmp_path / "home", f"dir:{package}", "--allow-review")
    assert (allowed.returncode, json.loads(allowed.stdout)["judgement"]) == (0, "quarantine")
