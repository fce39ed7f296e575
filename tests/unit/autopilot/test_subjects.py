"""What the checks get to look at: a lock as a tree, what a server is given."""

from __future__ import annotations

import json
from pathlib import Path

from vsm_mcp.autopilot.subjects import granted_to, packages_of, tree_of
from vsm_mcp.config import Config
from vsm_mcp.install.installer import Resolved
from vsm_mcp.model.granted import Granted
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.locked import Locked
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server

NPM_LOCK = json.dumps(
    {
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "installation"},
            "node_modules/a": {
                "version": "1.0.0",
                "resolved": "https://me:pw@npm.example:8443/a.tgz",
                "integrity": "x",
            },
            "node_modules/a/node_modules/b": {"version": "2.0.0", "resolved": "git+ssh://git@h.example/b.git#1"},
            "node_modules/x-mcp": {
                "version": "3.0.0",
                "resolved": "https://npm.example/x.tgz",
                "integrity": "x",
                "hasInstallScript": True,
            },
            "node_modules/z": {"name": "real", "version": "4.0.0", "inBundle": True, "os": ["linux"]},
        },
    }
)


def test_a_lock_of_npm() -> None:
    resolved = Resolved(ref=parse_ref("npm:x-mcp@3.0.0"), version="3.0.0", lock=NPM_LOCK)
    tree = tree_of(resolved, {"dependencies": {"a": "^1"}})
    assert tree == (
        Locked(
            ecosystem="npm", name="x-mcp", version="3.0.0", path="x-mcp", source="https://npm.example", scripted=True
        ),
        Locked(ecosystem="npm", name="a", version="1.0.0", path="a", source="https://npm.example:8443", direct=True),
        Locked(ecosystem="npm", name="b", version="2.0.0", path="a/node_modules/b", source="git+ssh", hashed=False),
        Locked(ecosystem="npm", name="real", version="4.0.0", path="z", hashed=False, bundled=True, native=True),
    )
    assert "pw" not in repr(tree)


def test_a_lock_of_python() -> None:
    lock = f"a-b==1.0 \\\n    --hash=sha256:{'0' * 64}\nc==2.0\nx-mcp==3.0 \\\n    --hash=sha256:{'1' * 64}\n"
    resolved = Resolved(ref=parse_ref("pypi:x-mcp==3.0"), version="3.0", lock=lock)
    manifest = {"requires_dist": ["A_B>=1", 'c; extra == "more"', "  "]}
    assert tree_of(resolved, manifest) == (
        Locked(ecosystem="PyPI", name="a-b", version="1.0", direct=True),
        Locked(ecosystem="PyPI", name="c", version="2.0", hashed=False),
        Locked(ecosystem="PyPI", name="x-mcp", version="3.0"),
    )


def test_the_tree_of_a_folder_is_what_the_registries_bring_to_it() -> None:
    host = "npmjs.org"  # in two parts: no address of a registry is in the repository
    public = f"registry.{host}"
    packages = {
        "": {"name": "x"},
        "node_modules/a": {"version": "1.0.0", "resolved": f"https://{public}/a.tgz", "integrity": "i"},
        "node_modules/b": {"version": "2.0.0", "resolved": "https://other.example/b.tgz", "integrity": "i"},
        "node_modules/c": {"version": "3.0.0", "dev": True},
    }
    node = Resolved(ref=parse_ref("dir:/x"), version="1", lock=json.dumps({"packages": packages}))
    assert tree_of(node, {"dependencies": {"a": "^1"}}) == (
        Locked(ecosystem="npm", name="a", version="1.0.0", path="a", direct=True),
        Locked(ecosystem="npm", name="b", version="2.0.0", path="b", source="https://other.example"),
    )
    python = Resolved(ref=parse_ref("git+https://h.example/x"), version="1", lock="c==2.0\n")
    assert tree_of(python, {}) == (Locked(ecosystem="PyPI", name="c", version="2.0", hashed=False),)
    assert tree_of(Resolved(ref=parse_ref("mcpb:/x.mcpb"), version="1"), {}) == ()
    image = Resolved(ref=parse_ref("oci:x/y:1"), version="1", lock='{"id": "sha256:0"}')
    assert tree_of(image, {}) == ()


def test_a_program_of_this_machine_has_no_tree() -> None:
    assert tree_of(Resolved(ref=parse_ref("cmd:true"), version=""), {}) == ()


def test_what_was_kept_of_an_installation() -> None:
    ref = parse_ref("npm:x-mcp@3.0.0")
    packages = {"x-mcp": "3.0.0", "a/node_modules/@s/b": "2.0.0"}
    made = Installation(
        server="x", ref=ref, version="3.0.0", path="/p", entry=Entry(argv=("node",), runtime="node"), packages=packages
    )
    server = Server(name="x", ref=ref, version="3.0.0", installation=made, settings=Settings())
    assert [(each.name, each.version) for each in packages_of(server)] == [("x-mcp", "3.0.0"), ("@s/b", "2.0.0")]


def test_what_a_server_is_given() -> None:
    config = Config(home=Path("/nowhere"))
    assert granted_to(Settings(), config, remote=False) == Granted()
    assert granted_to(Settings(), config, remote=True) == Granted(way_out=True)
    assert granted_to(Settings(hosts=("h.example",)), config, remote=False) == Granted(way_out=True)
    assert granted_to(Settings(paths=(("/a", False),), secrets={"K": "v"}), config, remote=False) == Granted(
        files=True, secrets=True
    )
