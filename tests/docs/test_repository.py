from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in (ROOT / "src" / "vsm_mcp").glob("*/__init__.py"))
OUTSIDE_THE_MODEL = {"app", "bench", "cli", "events", "model", "testing"}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    return [ROOT / name for name in listed.stdout.decode().splitlines() if (ROOT / name).is_file()]


def test_no_address_of_a_package_registry_is_in_the_repository() -> None:
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("registry", "npmjs", "org"), ("files", "pythonhosted", "org"))
    ]
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked()
        for host in hosts
        if host.encode() in path.read_bytes()
    ]
    assert found == []


def test_no_path_of_a_workplace_is_in_the_repository() -> None:
    needles = [f"/{folder}/{part}".encode() for folder in ("work",) for part in ("main", "shared", ".library")]
    this = Path(__file__)
    assert [str(path) for path in tracked() if path != this and any(n in path.read_bytes() for n in needles)] == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_package_names_its_system_and_the_table_agrees(package: Path) -> None:
    first = (package / "__init__.py").read_text("utf-8").split("\n", 1)[0]
    if package.name in OUTSIDE_THE_MODEL:
        return
    match = re.match(r'"""System (\d), (\w+)', first)
    assert match, f"{package.name}: {first}"
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| {match[1]} {match[2]} |"))
    assert f"`{package.name}`" in row


def test_the_layers_in_the_documentation_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    checked = [line.replace("(", "").replace(")", "") for line in contracts[0]["layers"]]
    section = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("## Layers", 1)[1].split("\n## ", 1)[0]
    assert [line.split("  ")[0] for line in re.findall(r"^    (\S.*)", section, re.MULTILINE)] == checked


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    broken = []
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        local = [target for target in targets if "://" not in target]
        broken += [f"{page.relative_to(ROOT)}: {name}" for name in local if not (page.parent / name).exists()]
    assert broken == []


def test_every_check_that_a_decision_names_exists() -> None:
    missing = []
    for page in sorted((ROOT / "docs" / "adr").glob("*.md")):
        text = page.read_text("utf-8")
        assert "**Enforced by**" in text, page.name
        missing += [
            f"{page.name}: {name}" for name in re.findall(r"`(tests/[\w/.]+)`", text) if not (ROOT / name).exists()
        ]
    assert missing == []


def test_every_reference_page_is_reached_from_the_readme_or_another_page() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text("utf-8") for page in pages)
    lonely = [page.name for page in (ROOT / "docs" / "reference").glob("*.md") if f"{page.name})" not in text]
    assert lonely == []


def product() -> dict[str, ast.Module]:
    root = ROOT / "src" / "vsm_mcp"
    return {str(path.relative_to(root)): ast.parse(path.read_text("utf-8")) for path in root.rglob("*.py")}


def test_only_the_store_speaks_sql() -> None:
    users = {
        name
        for name, tree in product().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(alias.name == "sqlite3" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "sqlite3")
    }
    assert {name.split("/")[0] for name in users} == {"store"}


def test_only_the_configuration_reads_the_environment() -> None:
    readers = {
        name
        for name, tree in product().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and ast.unparse(node.value) == "os"
    }
    # A person's --secret NAME is taken from the environment of that one command line; test doubles read their own.
    assert {name for name in readers if not name.startswith("testing/")} <= {"config.py", "cli/settings_options.py"}
