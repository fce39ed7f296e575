"""Whether a ``.pth`` file does no more at the start of Python than import modules of its own distribution. Pure.

``site`` runs the lines that begin with ``import`` and takes all others for paths (https://docs.python.org/3/library/site).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Final

_STANDARD: Final = frozenset({"os", "sys", "types", "importlib", "importlib.util", "importlib.machinery"})
_LOOKED_AT: Final = frozenset(
    [
        *("os.environ", "os.environ.get", "os.getenv", "os.path.join", "os.path.dirname", "os.path.exists"),
        *("sys._getframe", "sys.version_info", "sys.modules.setdefault", "sys.meta_path", "types.ModuleType"),
        *("types.new_module", "importlib.util.module_from_spec", "importlib.machinery.PathFinder.find_spec"),
    ]
)
"""What may be used of the standard library: the environment, and the system of imports."""
_REACHES_ALL: Final = frozenset(
    [
        *("eval", "compile", "open", "input", "getattr", "delattr", "globals", "locals", "vars", "breakpoint"),
        *("__builtins__", "f_globals", "f_builtins", "f_back"),
    ]
)
_NODES: Final = (
    *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.Expr, ast.Assign, ast.Pass, ast.If, ast.IfExp, ast.Try),
    *(ast.ExceptHandler, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Call, ast.keyword, ast.Name, ast.Attribute),
    *(ast.Constant, ast.Tuple, ast.List, ast.Subscript, ast.Starred),
    *(ast.expr_context, ast.boolop, ast.unaryop, ast.cmpop),
)
_DEEPEST: Final = 3


def only_imports(text: str) -> bool:
    """Whether every line is a path, or code that imports, at most under a condition, and calls what it imported.

    It may ``exec`` a literal that keeps to the same. Text is not put together, and no module of the standard library
    is handed on under another name: what would run can be read.
    """
    return all(_plain(line, 0) for line in text.splitlines() if line.startswith(("import ", "import\t")))


def _plain(code: str, depth: int) -> bool:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _NODES) and _harmless(node, within, depth) for node, within in _nodes(tree))


def _nodes(tree: ast.AST, within: ast.AST | None = None) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """Yield every node with the one that holds it."""
    yield tree, within
    for child in ast.iter_child_nodes(tree):
        yield from _nodes(child, tree)


def _harmless(node: ast.AST, within: ast.AST | None, depth: int) -> bool:
    match node:
        case ast.Import(names=names):
            return all(_own(alias.name) and alias.asname is None for alias in names)
        case ast.ImportFrom(module=module):
            return module is not None and module not in _STANDARD and _own(module)
        case ast.Constant(value=str(text)):
            return text not in sys.stdlib_module_names
        case ast.Name(id=name):
            return name not in _REACHES_ALL and (name not in _STANDARD or _looks(within))
        case ast.Attribute(attr=name):
            return name not in _REACHES_ALL and _looks_on(node, within)
        case ast.Call():
            return _call(node, depth)
    return True


def _looks(within: ast.AST | None) -> bool:
    """Whether the name of a module stands where something of it is looked up, or where it is set."""
    return isinstance(within, ast.Attribute | ast.Assign) and not (
        isinstance(within, ast.Assign) and isinstance(within.value, ast.Name)
    )


def _looks_on(node: ast.Attribute, within: ast.AST | None) -> bool:
    if isinstance(within, ast.Attribute):
        return True  # judged with the whole of it
    root: ast.AST = node
    while isinstance(root, ast.Attribute):
        root = root.value
    dotted = ast.unparse(node)
    if not isinstance(root, ast.Name) or root.id not in _STANDARD:
        return not node.attr.startswith("__") or node.attr in {"__dict__", "__path__"}
    return dotted in _LOOKED_AT or (dotted == "sys.modules" and isinstance(within, ast.Subscript))


def _own(module: str) -> bool:
    return module in _STANDARD or module.partition(".")[0] not in sys.stdlib_module_names


def _call(call: ast.Call, depth: int) -> bool:
    if isinstance(call.func, ast.Name) and call.func.id in {"exec", "__import__"}:
        text = call.args[0].value if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) else None
        if not isinstance(text, str):
            return False
        return _own(text) if call.func.id == "__import__" else depth < _DEEPEST and _plain(text, depth + 1)
    return not (isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant))
