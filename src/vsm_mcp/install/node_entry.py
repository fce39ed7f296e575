"""How a program of node's is started: read from its first line, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.executable import interpreter_of
from vsm_mcp.install.tools import Node
from vsm_mcp.model.launch import Entry


def node_entry(name: str, root: Path, path: str, into: Path, node: Node) -> Entry:
    """Return how the program at ``path`` below the package's ``root`` is started; ``into`` is the installation.

    What the package says is known from before its scripts ran: they may have put links in the place of its files.
    Raises :class:`InstallFailed`.
    """
    program = (root / path).resolve()
    if not program.is_relative_to(root) or not program.is_file():
        raise InstallFailed(f"{name} declares the program {path}, but it is not in the package", _BROKEN)
    words = interpreter_of(program)
    runs = words[0] if words else "node"
    roots = (str(into), *node.roots)
    if runs == "native":
        return Entry(argv=(str(program),), runtime="native", roots=roots)
    if runs in {"sh", "bash"}:
        return Entry(argv=(f"/bin/{runs}", str(program)), runtime="node", roots=roots)
    if runs not in {"node", "nodejs"}:
        raise InstallFailed(f"{name} runs with {runs}, and only node is supported", "choose another package")
    return Entry(argv=(node.path, *words[1:], str(program)), runtime="node", roots=roots)


_BROKEN: Final = "this version of the package is broken; choose another version"
