"""Python source → the small language, by the standard library's ``ast``."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from typing import Final

from vsm_mcp.vetting.code.program import (
    MAX_DEPTH,
    Assign,
    Branch,
    Call,
    Function,
    Group,
    Import,
    Index,
    Join,
    Member,
    Mix,
    Name,
    Node,
    Record,
    Return,
    Text,
    TooDeep,
)  # fmt: skip

_OPENING: Final = re.compile(r"[(\[{]|[)\]}]")
_NESTED: Final = 180


def read_python(source: str) -> list[Node]:
    """Return the program of a module. Raises ``SyntaxError``, ``ValueError`` or :class:`TooDeep`.

    Deep nesting is looked for before the parser sees it: its own guard is a crash of the C stack in old versions.
    """
    _check_nesting(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    return _Reader().body(tree.body)


def _check_nesting(source: str) -> None:
    depth = 0
    for found in _OPENING.finditer(source):
        depth += 1 if found[0] in "([{" else -1
        if depth > _NESTED:
            raise TooDeep(f"more than {_NESTED} brackets are open at once")
        depth = max(depth, 0)


_NO_TEXT: Final = frozenset({"int", "float", "bool", "Decimal", "UUID", "date", "datetime", "time", "timedelta"})


class _Reader:
    def __init__(self) -> None:
        self._depth = 0

    def body(self, statements: Sequence[ast.stmt]) -> list[Node]:
        found: list[Node] = []
        for statement in statements:
            found += self._statement(statement)
        return found

    def _statement(self, node: ast.stmt) -> list[Node]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooDeep("statements are nested too deep")
        try:
            return self._of(node)
        finally:
            self._depth -= 1

    def _of(self, node: ast.stmt) -> list[Node]:
        line = node.lineno
        match node:
            case ast.Expr():
                return [self.expr(node.value)]
            case ast.Assign():
                return [Assign(line, self.expr(target), self.expr(node.value)) for target in node.targets]
            case ast.AnnAssign():
                return [Assign(line, self.expr(node.target), self.expr(node.value))] if node.value else []
            case ast.AugAssign():
                target = self.expr(node.target)
                return [Assign(line, target, Join(line, [target, self.expr(node.value)]))]
            case ast.Return():
                return [Return(line, self.expr(node.value))] if node.value else []
            case ast.Import():
                return [
                    Import(line, name.name if name.asname else name.name.partition(".")[0],
                           [(name.asname or name.name.partition(".")[0], "")])
                    for name in node.names
                ]  # fmt: skip
            case ast.ImportFrom():
                module = "." * node.level + (node.module or "")
                return [Import(line, module, [(name.asname or name.name, name.name) for name in node.names])]
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return [*map(self.expr, node.decorator_list), self._function(node)]
            case ast.ClassDef():
                return [*map(self.expr, node.bases), *self._class(node)]
            case _:
                return self._compound(node)

    def _class(self, node: ast.ClassDef) -> list[Node]:
        """A class: calling its name is calling its constructor."""
        members = self.body(node.body)
        made = [each for each in members if isinstance(each, Function) and each.name == "__init__"]
        return [*members, *(Assign(node.lineno, Name(node.lineno, node.name), each) for each in made[:1])]

    def _compound(self, node: ast.stmt) -> list[Node]:
        line = node.lineno
        match node:
            case ast.If():
                return self._if(node)
            case ast.For() | ast.AsyncFor():
                each = Mix(line, [self.expr(node.iter)])
                return [Assign(line, self.expr(node.target), each), *self.body(node.body), *self.body(node.orelse)]
            case ast.While():
                return [self.expr(node.test), *self.body(node.body), *self.body(node.orelse)]
            case ast.With() | ast.AsyncWith():
                found: list[Node] = []
                for item in node.items:
                    value = self.expr(item.context_expr)
                    named = item.optional_vars
                    found.append(Assign(line, self.expr(named), value) if named else value)
                return found + self.body(node.body)
            case ast.Try() | ast.TryStar():
                handlers = [each for handler in node.handlers for each in self.body(handler.body)]
                return [*self.body(node.body), *handlers, *self.body(node.orelse), *self.body(node.finalbody)]
            case ast.Match():
                subject = self.expr(node.subject)
                return [Branch(line, subject, self.body(case.body)) for case in node.cases]
            case _:
                return [self.expr(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]

    def _if(self, node: ast.If) -> list[Node]:
        found: list[Node] = []
        while True:  # a chain of elif nests in the tree, not in the text
            test = self.expr(node.test)
            found.append(Branch(node.lineno, test, self.body(node.body)))
            if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
                break
            node = node.orelse[0]
        if node.orelse:
            found.append(Branch(node.lineno, test, self.body(node.orelse)))
        return found

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
        body = [*self._defaults(node.args), *self.body(node.body)]
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        closed = frozenset(each.arg for each in every if _holds_no_text(each.annotation))
        return Function(node.lineno, node.name, self._params(node.args), body, bool(node.decorator_list), closed)

    def _params(self, args: ast.arguments) -> list[Node]:
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        every += [each for each in (args.vararg, args.kwarg) if each]
        return [Name(each.lineno, each.arg) for each in every]

    def _defaults(self, args: ast.arguments) -> list[Node]:
        plain = [*args.posonlyargs, *args.args]
        pairs = list(zip(plain[len(plain) - len(args.defaults) :], args.defaults, strict=True))
        pairs += [(each, value) for each, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value]
        return [Assign(each.lineno, Name(each.lineno, each.arg), self.expr(value)) for each, value in pairs]

    def expr(self, node: ast.expr) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooDeep("an expression is nested too deep")
        try:
            return self._plain(node) or self._composed(node)
        finally:
            self._depth -= 1

    def _plain(self, node: ast.expr) -> Node | None:  # noqa: C901 - one case a kind of node
        line = node.lineno
        match node:
            case ast.Constant():
                return Text(line, _constant(node.value))
            case ast.Name():
                return Name(line, node.id)
            case ast.Attribute():
                return Member(line, self.expr(node.value), node.attr)
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call():
                named = [(each.arg or "**", self.expr(each.value)) for each in node.keywords]
                return Call(line, self.expr(node.func), [self.expr(each) for each in node.args], named)
            case ast.JoinedStr():
                return Join(line, [self.expr(each) for each in node.values])
            case ast.FormattedValue():
                return self.expr(node.value)
            case ast.BinOp():
                return self._binary(node)
            case ast.Dict():
                keys = [self.expr(key) if key else None for key in node.keys]
                return Record(line, list(zip(keys, map(self.expr, node.values), strict=True)))
            case ast.List() | ast.Tuple() | ast.Set():
                return Group(line, [self.expr(each) for each in node.elts])
            case ast.Lambda():
                return Function(line, "", self._params(node.args), [Return(line, self.expr(node.body))])
            case _:
                return None

    def _composed(self, node: ast.expr) -> Node:
        line = node.lineno
        match node:
            case ast.Await() | ast.Starred() | ast.YieldFrom():
                return self.expr(node.value)
            case ast.NamedExpr():
                return Assign(line, self.expr(node.target), self.expr(node.value))
            case ast.IfExp():
                return Mix(line, [self.expr(node.body), self.expr(node.orelse), self.expr(node.test)])
            case ast.BoolOp():
                return Mix(line, [self.expr(each) for each in node.values])
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return self._comprehension(node, [self.expr(node.elt)])
            case ast.DictComp():
                return self._comprehension(node, [self.expr(node.key), self.expr(node.value)])
            case _:
                return Mix(line, [self.expr(each) for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)])

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, made: list[Node]
    ) -> Node:
        line = node.lineno
        bound: list[Node] = []
        for each in node.generators:
            bound.append(Assign(line, self.expr(each.target), Mix(line, [self.expr(each.iter)])))
            bound += map(self.expr, each.ifs)
        return Mix(line, [*bound, *made])

    def _subscript(self, node: ast.Subscript) -> Node:
        base = self.expr(node.value)
        step = node.slice.step if isinstance(node.slice, ast.Slice) else None
        if isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub):
            return Call(node.lineno, Member(node.lineno, base, "reversed"), [])
        return Mix(node.lineno, [base]) if isinstance(node.slice, ast.Slice) else Index(
            node.lineno, base, self.expr(node.slice)
        )  # fmt: skip

    def _binary(self, node: ast.BinOp) -> Node:
        """Flatten long chains: ``a + b + c …`` nests to the left, a thousand times in honest code."""
        kind, parts, left = type(node.op), [], node  # type: tuple[type[ast.operator], list[ast.expr], ast.expr]
        while isinstance(left, ast.BinOp) and type(left.op) is kind:
            parts.append(left.right)
            left = left.left
        values = [self.expr(each) for each in (left, *reversed(parts))]
        if kind is ast.BitXor:
            return Call(node.lineno, Name(node.lineno, "#xor"), values)
        if kind in {ast.Add, ast.Mod, ast.Div}:
            return Join(node.lineno, values, "/" if kind is ast.Div else "")
        return Mix(node.lineno, values)


def _holds_no_text(annotation: ast.expr | None) -> bool:
    """Whether an annotation lets in numbers or a fixed choice alone: what offers tools checks what it is given."""
    match annotation:
        case ast.Name() | ast.Attribute():
            return (annotation.id if isinstance(annotation, ast.Name) else annotation.attr) in _NO_TEXT
        case ast.Constant():
            return annotation.value is None or annotation.value in _NO_TEXT
        case ast.BinOp():
            return _holds_no_text(annotation.left) and _holds_no_text(annotation.right)
        case ast.Subscript(value=ast.Name(id=kind) | ast.Attribute(attr=kind), slice=inner):
            if kind in {"Optional", "Annotated"}:
                return _holds_no_text(inner.elts[0] if isinstance(inner, ast.Tuple) else inner)
            return kind == "Literal"
        case _:
            return False


def _constant(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
