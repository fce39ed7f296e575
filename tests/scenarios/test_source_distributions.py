"""A project that is published as source only: refused, or built inside the sandbox where someone allowed it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios import loopback
from tests.scenarios.homes import Home
from tests.scenarios.loopback import Front
from tests.source_trees import PYTHON_SERVER, addresses_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SETUP = """
import os, socket
from setuptools import setup
seen = []
try:
    open({canary!r}, "w").write("setup.py")
except OSError:
    seen.append("closed")
try:
    socket.create_connection(("127.0.0.1", {port}), 5)
except OSError:
    seen.append("no network")
setup(
    name="told-mcp", version="0.3.0", py_modules=["told_mcp", "told_seen"],
    install_requires=[{needs}], entry_points={{"console_scripts": ["told-mcp = told_mcp:main"]}},
)
"""

OLD = "Metadata-Version: 1.2\nName: told-mcp\nVersion: 0.3.0\n"


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    with loopback.front("") as made:
        yield made


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def indexed(front: Front, home: Home, tmp_path: Path) -> Home:
    """A home whose index is the one on loopback, with this machine's own beside it, which have setuptools."""
    addresses = asyncio.run(addresses_of(dict(os.environ)))
    home.environ |= front.environ(tmp_path)
    home.environ["PIP_EXTRA_INDEX_URL"] = " ".join([addresses.pypi_index, *addresses.pypi_extra])
    home.environ["PIP_FIND_LINKS"] = " ".join(addresses.find_links)
    home.environ["PIP_CERT"] = addresses.ca_file
    return home


def source(front: Front, canary: Path, *needs: str) -> dict[str, str]:
    setup = SETUP.format(canary=str(canary), port=front.address.rpartition(":")[2], needs=", ".join(map(repr, needs)))
    seen = "open('told_seen.py', 'w').write(f'SEEN = {seen!r}')\n"
    return {"setup.py": setup.replace("setup(\n", f"{seen}setup(\n"), "told_mcp.py": PYTHON_SERVER}


def test_it_is_built_only_where_that_is_allowed(front: Front, indexed: Home, canary: Path) -> None:
    """Without network, and with nothing of the machine to write to; what it needs is locked."""
    files = source(front, canary, "idna")
    front.publish_source("told-mcp", "0.3.0", files, ("idna", 'nowhere-to-be-found; extra == "more"'))
    for ref in ("pypi:told-mcp", "pypi:told-mcp==0.3.0"):
        reason = indexed.run("add", ref, "--name", "told", "--yes").document["reason"]
        assert "published as source only" in reason["message"] and "--allow-scripts" in reason["hint"]
        assert not canary.exists() and indexed.left() == []
    looked = indexed.run("vet", "pypi:told-mcp").document
    assert "--allow-scripts" in str(looked) and not canary.exists()
    looked = indexed.run("vet", "pypi:told-mcp", "--allow-scripts").document
    assert "setup.py" in str(looked["checks"]) and not canary.exists()
    done = indexed.run("add", "pypi:told-mcp", "--name", "told", "--yes", "--allow-scripts", timeout=300).document
    assert done["outcome"] == "served", done
    assert not canary.exists()
    assert indexed.run("call", "told__told").code == 0
    records = indexed.run("evidence", done["evidence"]).document["records"]
    built = next(each["body"] for each in records if each["kind"] == "built")
    assert [(row["package"], row["name"], row["ran"]) for row in built["scripts"]] == [("told-mcp", "build", True)]
    assert "archive.install_script" in str([each for each in records if each["kind"] == "vetted"])
    root = indexed.path / "installations/told/current"
    seen = next(root.glob("venv/lib/python*/site-packages/told_seen.py")).read_text()
    assert seen == "SEEN = ['closed', 'no network']"
    lock = (root / "requirements.lock").read_text()
    assert "told-mcp==0.3.0" in lock and "idna==" in lock and "--hash=sha256:" in lock
    assert list(root.glob("venv/lib/python*/site-packages/idna-*.dist-info"))
    assert indexed.run("remove", "told").code == 0
    assert indexed.left() == []


@pytest.mark.parametrize("trouble", ["garbled", "dependency", "builder", "outside", "address", "other"])
def test_what_is_refused(front: Front, indexed: Home, canary: Path, trouble: str) -> None:
    """And nothing of it ran, though building is allowed."""
    name, version = f"bad-{trouble}", "1.0.0"
    front.publish_source("only-source", "1.0", {"setup.py": f"open({str(canary)!r}, 'w')"})
    needs: tuple[str, ...] = ()
    files = source(front, canary)
    if trouble == "dependency":
        needs = ("only-source",)
    if trouble == "address":
        needs = ("idna @ https://example.org/idna-1.tar.gz",)
    if trouble == "builder":
        files["pyproject.toml"] = '[build-system]\nrequires = ["setuptools", "only-source"]\n'
    if trouble == "outside":
        files["../../outside"] = "x"
    file = front.publish_source(name if trouble != "other" else "bad-another", version, files, needs)
    if trouble == "other":
        front.files["bad_other-1.0.0.tar.gz"] = front.files[file]
    front.faults = {file: "garble"} if trouble == "garbled" else {}
    done = indexed.run("add", f"pypi:{name}", "--name", "told", "--yes", "--allow-scripts", timeout=300).document
    said = {
        "garbled": "does not match its hash",
        "dependency": "only-source is published as source only",
        "builder": "only-source is published as source only",
        "outside": "leads outside",
        "address": "from an address",
        "other": "calls itself",
    }
    assert said[trouble] in done["reason"]["message"], done
    assert done["reason"]["hint"] and not canary.exists() and indexed.left() == []


def test_needs_that_only_a_build_tells_are_locked_after_it(
    front: Front, indexed: Home, canary: Path, tmp_path: Path
) -> None:
    files = source(front, canary, "idna")
    front.publish_source("told-mcp", "0.3.0", {**files, "PKG-INFO": OLD})
    done = indexed.run("add", "pypi:told-mcp", "--name", "told", "--yes", "--allow-scripts", timeout=300).document
    assert done["outcome"] == "served", done
    assert "idna==" in (indexed.path / "installations/told/current/requirements.lock").read_text()
    locked = tmp_path / "kept.lock"
    locked.write_bytes((indexed.path / "vsm-mcp.lock").read_bytes())
    assert indexed.run("remove", "told").code == 0
    again = indexed.run("lock", "--install", str(locked), "--yes", timeout=300)
    assert again.code == 0, again
    assert not canary.exists()
