"""Puts a Python project into an environment without building it: its folder is named there, its programs are written.

Nothing of the project is executed for that. Formats: "Recording installed projects", "Entry points specification".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.files import home_errors
from vsm_mcp.install.tree.python_project import PythonProject

_TARGET: Final = re.compile(r"\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*(?:\[.*\])?\s*\Z")
_PROGRAM: Final = """#!{python}
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.argv[0] = {name!r}
    sys.exit({function}())
"""


def root_of(tree: Path, project: PythonProject, module: str) -> Path | None:
    """Return the folder of the tree in which the package or module lies; ``None`` where it is in none that is known."""
    top, real = module.split(".", 1)[0], tree.resolve()
    for name in project.roots:
        folder = (tree / name).resolve()
        if folder.is_relative_to(real) and ((folder / top).is_dir() or (folder / f"{top}.py").is_file()):
            return folder
    return None


def place(tree: Path, project: PythonProject, venv: Path) -> None:
    """Make the project known to the environment ``venv``, with its programs. Raises :class:`InstallFailed`."""
    packages = next(venv.glob("lib/python*/site-packages"))
    targets = {name: _target(project, name, text) for name, text in project.scripts.items()}
    modules = [module for module, _ in targets.values()] or [project.module]
    found = {module: root_of(tree, project, module) for module in modules}
    missing = [module for module, root in found.items() if root is None and project.scripts]
    if missing:
        raise InstallFailed(
            f"{project.name} has its program in {missing[0]}, which is not in its folders {', '.join(project.roots)}",
            "--allow-scripts lets its build backend say where it is, inside the sandbox",
        )
    roots = dict.fromkeys(str(root) for root in found.values() if root is not None)
    info = packages / f"{project.module}-{re.sub(r'[^A-Za-z0-9.+!]', '_', project.version)}.dist-info"
    with home_errors(venv):
        (packages / "_vsm_mcp_project.pth").write_text("".join(f"{root}\n" for root in roots), "utf-8")
        info.mkdir()
        (info / "METADATA").write_text(_metadata(project), "utf-8")
        (info / "INSTALLER").write_text("vsm-mcp\n", "utf-8")
        (info / "RECORD").write_text("", "utf-8")
        lines = "".join(f"{name} = {text}\n" for name, text in project.scripts.items())
        (info / "entry_points.txt").write_text(f"[console_scripts]\n{lines}", "utf-8")
        for name, (module, function) in targets.items():
            program = venv / "bin" / name
            text = _PROGRAM.format(
                python=venv / "bin" / "python",
                module=module,
                first=function.split(".")[0],
                function=function,
                name=name,
            )
            program.write_text(text, "utf-8")
            program.chmod(0o755)


def _target(project: PythonProject, name: str, text: str) -> tuple[str, str]:
    found = _TARGET.match(text)
    if found is None or "/" in name or name.startswith("."):
        raise InstallFailed(f"{project.name} declares the program {name[:40]!r} as {text[:80]!r}", "mend its metadata")
    return found[1], found[2]


def _metadata(project: PythonProject) -> str:
    needs = "".join(f"Requires-Dist: {each}\n" for each in project.dependencies or ())
    summary = " ".join(project.summary.split())
    return f"Metadata-Version: 2.1\nName: {project.name}\nVersion: {project.version}\nSummary: {summary}\n{needs}"
