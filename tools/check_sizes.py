"""Checks the sizes that keep a module to one idea: 400 lines a module, 40 lines a function, 6 parameters."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE, FUNCTION, PARAMETERS = 400, 40, 6
ONE_FILE = ("src/vsm_mcp/testing/faulty.py",)  # runs in a sandbox as a plain file, by itself
FORBIDDEN = ("utils", "helpers", "common", "core", "manager", "handler", "impl")


def main() -> int:
    """Print every excess and return 1 if there is one."""
    found = [line for path in sorted(Path("src").rglob("*.py")) for line in excesses(path)]
    print("\n".join(found) or "sizes: every module, function and parameter list is within its limit")
    return 1 if found else 0


def excesses(path: Path) -> Iterator[str]:
    """Yield one sentence for each limit that a file breaks."""
    text = path.read_text("utf-8")
    if (lines := text.count("\n")) > MODULE and str(path) not in ONE_FILE:
        yield f"{path}: {lines} lines (at most {MODULE})"
    if any(part in FORBIDDEN for part in path.stem.split("_")):
        yield f"{path}: the name says nothing"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function(path, node)


def _function(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    length = (body[-1].end_lineno or 0) - body[0].lineno + 1
    where = f"{path}:{node.lineno} {node.name}"
    if length > FUNCTION:
        yield f"{where}: {length} lines (at most {FUNCTION})"
    arguments = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    named = [name for name in arguments if name not in ("self", "cls", "session")]
    is_command = any("command" in ast.dump(decorator) for decorator in node.decorator_list)
    if len(named) > PARAMETERS and not is_command:
        yield f"{where}: {len(named)} parameters (at most {PARAMETERS})"


if __name__ == "__main__":
    sys.exit(main())
