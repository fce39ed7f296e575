"""Which modules code that every Python start runs imports, where it does no more than that. Pure.

``site`` runs the lines of a ``.pth`` file that begin with ``import`` and takes all others for paths
(https://docs.python.org/3/library/site).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Final

NAMES: Final = r"(?:[^/]+\.pth|(?:site|user)customize(?:\.pyc?|(?:\.[\w-]+)*\.(?:so|pyd)|/__init__\.pyc?))$"
"""How the path of a file ends that Python reads at its start, where it lies beside the packages."""
LONGEST: Final = 65536
"""Characters; what is longer is not judged."""

_STANDARD: Final = frozenset({"os", "sys", "types", "importlib", "importlib.util", "importlib.machinery"})
_LOOKED_AT: Final = frozenset(
    [
        *("os.environ", "os.environ.get", "os.getenv", "os.path.join", "os.path.dirname", "os.path.exists"),
        *("sys._getframe", "sys.version_info", "sys.modules.setdefault", "sys.meta_path", "types.ModuleType"),
        *("types.new_module", "importlib.util.module_from_spec", "importlib.machinery.PathFinder.find_spec"),
    ]
)
"""What may be used of the standard library: the environment, and the system of imports."""
_BUILTINS: Final = frozenset(
    ("ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException", "setattr", "hasattr", "len")
)
_CALLED_ONLY: Final = frozenset({"exec", "__import__"})
_OF_OTHERS: Final = frozenset({"setdefault", "append", "__dict__", "__path__", "f_locals"})
"""Attributes of what is no module."""
_NODES: Final = (
    *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.Expr, ast.Assign, ast.Pass, ast.If, ast.IfExp, ast.Try),
    *(ast.ExceptHandler, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Call, ast.keyword, ast.Name, ast.Attribute),
    *(ast.Constant, ast.Tuple, ast.List, ast.Subscript, ast.Starred),
    *(ast.expr_context, ast.boolop, ast.unaryop, ast.cmpop),
)
_PLAIN: Final = re.compile(r"(?:[\t\x20-\x7e]|\r?\n)*")
_DEEPEST: Final = 3


def imported_by_pth(text: str) -> frozenset[str] | None:
    """Return the modules that are no standard ones and that a ``.pth`` file imports; ``None`` where it does more.

    Every line has to be a path, or code that imports, at most under a condition, and calls what it imported. It may
    ``exec`` a literal that keeps to the same. Text is not put together, and nothing but what the code itself binds is
    handed on under another name: what would run can be read. What is no plain ASCII text does more, for what is cut
    into lines here and by Python must be the same.
    """
    if len(text) > LONGEST or not _PLAIN.fullmatch(text):
        return None
    lines = text.replace("\r", "").split("\n")
    found = [_imported_by(line) for line in lines if line.startswith(("import ", "import\t"))]
    known = [each for each in found if each is not None]
    return frozenset().union(*known) if len(known) == len(found) else None


def _imported_by(code: str) -> frozenset[str] | None:
    try:
        return _read(code, frozenset(), 0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _read(code: str, bound: frozenset[str], depth: int) -> frozenset[str] | None:
    tree = ast.parse(code)
    nodes = list(_nodes(tree))
    bound |= {name for node, _ in nodes for name in _binds(node)}
    stored = {node.id for node, _ in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own = bound - stored - _STANDARD
    found: set[str] = set()
    for node, within in nodes:
        if not isinstance(node, _NODES) or not _harmless(node, within, bound, own):
            return None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED_ONLY:
            inner = _run(node, bound, depth)
            if inner is None:
                return None
            found |= inner
        found |= {module for module in _modules(node) if module not in _STANDARD}
    return frozenset(found)


def _nodes(tree: ast.AST, within: ast.AST | None = None) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """Yield every node with the one that holds it."""
    yield tree, within
    for child in ast.iter_child_nodes(tree):
        yield from _nodes(child, tree)


def _binds(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name.partition(".")[0] for alias in names)
        case ast.ImportFrom(names=names):
            yield from (alias.name for alias in names)
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.ExceptHandler(name=str(name)):
            yield name


def _modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or ""


def _harmless(node: ast.AST, within: ast.AST | None, bound: frozenset[str], own: frozenset[str]) -> bool:
    match node:
        case ast.Import(names=names):
            return all(_own(alias.name) and alias.asname is None for alias in names)
        case ast.ImportFrom(module=module, names=names):
            theirs = module is not None and module not in _STANDARD and _own(module)
            return theirs and all(alias.asname is None and _plain_name(alias.name) for alias in names)
        case ast.Constant(value=str(text)):
            return text in {"__path__", "__init__.py"} or not (text.startswith("__") or text in sys.stdlib_module_names)
        case ast.Subscript(value=value, slice=ast.Constant(value=key), ctx=ast.Load()):
            return key == "sitedir" if isinstance(value, ast.Attribute) and value.attr == "f_locals" else True
        case ast.Subscript():
            return False
        case ast.Name(id=name):
            return _named(name, within, node, bound)
        case ast.Attribute():
            return _looks_on(node, within, own)
        case ast.Call(func=ast.Attribute(value=ast.Constant())):
            return False
    return True


def _named(name: str, within: ast.AST | None, node: ast.Name, bound: frozenset[str]) -> bool:
    if name in _CALLED_ONLY:
        return isinstance(within, ast.Call) and within.func is node
    if isinstance(node.ctx, ast.Store):
        return name not in _BUILTINS
    if name in _STANDARD:
        return isinstance(within, ast.Attribute)
    return name in bound or name in _BUILTINS


def _looks_on(node: ast.Attribute, within: ast.AST | None, own: frozenset[str]) -> bool:
    """Whether an attribute is one of what was imported from elsewhere, or is among the few others that may be used."""
    root: ast.AST = node
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id in _STANDARD:
        dotted = ast.unparse(node)
        return isinstance(within, ast.Attribute) or _looked_at(dotted, within)
    if (isinstance(root, ast.Name) and root.id in own) or _imports_own(root):
        return _plain_name(node.attr)
    return node.attr in _OF_OTHERS


def _looked_at(dotted: str, within: ast.AST | None) -> bool:
    return dotted in _LOOKED_AT or (dotted == "sys.modules" and isinstance(within, ast.Subscript))


def _imports_own(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(module))]):
            return module not in _STANDARD and _own(module)
    return False


def _plain_name(name: str) -> bool:
    """Whether a name is neither private nor that of a module of the standard library, which others hold as well."""
    return not name.startswith("_") and name not in sys.stdlib_module_names


def _own(module: str) -> bool:
    return module in _STANDARD or module.partition(".")[0] not in sys.stdlib_module_names


def _run(call: ast.Call, bound: frozenset[str], depth: int) -> frozenset[str] | None:
    """Return the modules that a call of ``exec`` or ``__import__`` imports, where its only argument is a literal."""
    assert isinstance(call.func, ast.Name)  # noqa: S101 - the caller has looked
    text = call.args[0].value if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) else None
    if not isinstance(text, str) or call.keywords:
        return None
    if call.func.id == "__import__":
        return frozenset({text} - _STANDARD) if _own(text) else None
    return _read(text, bound, depth + 1) if depth < _DEEPEST else None
