"""Generates mutants of a module: small changes, one at a time.

Each change is made in the syntax tree, in place: who applies one throws its process away. Left
alone: types, decorators, docstrings, and the texts of a `Rule`, which the page of checks
holds word for word.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_UNTOUCHED = ("annotation", "returns", "decorator_list", "bases", "keywords", "type_params")
_TYPES = {"Callable", "Literal", "Mapping", "Sequence"}
_UNTRIED = ("None", "False")  # arguments for which no `None` is tried
_DISPLAYS = (ast.Tuple, ast.List, ast.Set)

Put = Callable[[ast.AST], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the old and the new text, and the top-level definition around it."""

    module: str
    line: int
    end: int
    was: str
    now: str
    owner: ast.stmt
    inside: ast.stmt  # the function or method to make anew; the statement itself at module level
    apply: Callable[[], None]

    @property
    def name(self) -> str:
        """A name that changes only with the line."""
        return f"{self.module}:{self.line}: {self.was} → {self.now}"


def mutants(module: str, tree: ast.Module) -> Iterator[Mutant]:
    """All mutants, in the order of the source."""
    sources = {
        part.id
        for node in ast.walk(tree)
        if _is_rule(node)
        for part in ast.walk(node)
        if isinstance(part, ast.Name)
    }
    for owner in tree.body:
        if not (isinstance(owner, ast.Assign) and _is_word(owner, sources)):
            yield from _of_statement(module, owner, owner)


def _is_word(assigned: ast.Assign, sources: set[str]) -> bool:
    """The source of rules, one or several at once; or a type."""
    value = assigned.value
    if isinstance(value, ast.Subscript) and ast.unparse(value.value) in _TYPES:
        return True
    names = {n.id for each in assigned.targets for n in ast.walk(each) if isinstance(n, ast.Name)}
    return _is_text(value) and names <= sources


def _is_text(value: ast.expr) -> bool:
    """Text, or several in a tuple: a number that a rule mentions is no source."""
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    return all(ast.unparse(part).startswith(("'", '"', "f'", 'f"')) for part in parts)


def _of_statement(module: str, owner: ast.stmt, inside: ast.stmt) -> Iterator[Mutant]:
    if isinstance(inside, ast.ClassDef):
        for statement in inside.body:
            yield from _of_statement(module, owner, statement)
    elif isinstance(inside, ast.FunctionDef):
        for node, put, around in _places(inside, inside):
            yield from _made(module, owner, inside, (node, put, around))
    elif isinstance(inside, ast.Assign | ast.AnnAssign) and inside is owner:
        for node, put, around in _places(inside, inside):
            yield from _made(module, owner, inside, (node, put, around), displays=True)


def _made(
    module: str,
    owner: ast.stmt,
    inside: ast.stmt,
    place: tuple[ast.AST, Put, ast.AST],
    displays: bool = False,
) -> Iterator[Mutant]:
    node, put, around = place
    changed = [*_changes(node), *(_shorter(node) if displays else ())]
    for new in changed:
        ast.copy_location(new, node)
        ast.fix_missing_locations(new)
        yield Mutant(
            module=module,
            line=getattr(around, "lineno", 0),
            end=getattr(around, "end_lineno", 0),
            was=_short(node),
            now=_short(new),
            owner=owner,
            inside=inside,
            apply=lambda new=new: put(new),  # type: ignore[misc]
        )


def _short(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr | ast.FormattedValue):
        return "f-string"
    return " ".join(ast.unparse(node).split())


def _places(node: ast.AST, around: ast.AST) -> Iterator[tuple[ast.AST, Put, ast.AST]]:
    """Every part of `node` that can be replaced, with the statement around it."""
    for field, value in ast.iter_fields(node):
        if field in _UNTOUCHED and not isinstance(node, ast.Call):
            continue
        if isinstance(value, ast.AST):
            yield from _place(value, _setter(node, field), around)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST) and not _is_docstring(node, field, index):
                    yield from _place(item, _item_setter(value, index), around)


def _place(node: ast.AST, put: Put, around: ast.AST) -> Iterator[tuple[ast.AST, Put, ast.AST]]:
    if isinstance(node, ast.stmt):
        around = _head(node)
    yield node, put, around
    if not _is_rule(node):
        yield from _places(node, around)


def _head(statement: ast.stmt) -> ast.AST:
    """The part of a statement that runs with it: of an `if`, the condition."""
    inner = getattr(statement, "test", None) or getattr(statement, "iter", None)
    return inner if isinstance(inner, ast.AST) else statement


def _is_rule(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    return node.func.id in {"Rule", "TypeVar"}


def _is_docstring(node: ast.AST, field: str, index: int) -> bool:
    return field == "body" and index == 0 and bool(_has_docstring(node))


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
        return False
    return ast.get_docstring(node) is not None


def _setter(node: ast.AST, field: str) -> Put:
    return lambda new: setattr(node, field, new)


def _item_setter(items: list[ast.AST], index: int) -> Put:
    def put(new: ast.AST) -> None:
        items[index] = new

    return put


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    if not _is_rule(node):
        change = _CHANGES.get(type(node))
        yield from change(node) if change else ()


def _copy_with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _copy_without(items: list[ast.expr], index: int) -> list[ast.expr]:
    return items[:index] + items[index + 1 :]


def _none() -> ast.expr:
    return ast.Constant(None)


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for index, operator in enumerate(node.ops):
        for other in _COMPARED[type(operator)]:
            yield _copy_with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])


def _boolean(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _copy_with(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    for index in range(len(node.values)):
        left = _copy_without(node.values, index)
        yield left[0] if len(left) == 1 else _copy_with(node, values=left)


def _computed(node: ast.BinOp | ast.AugAssign) -> Iterator[ast.AST]:
    if type(node.op) in _COMPUTED:
        yield _copy_with(node, op=_COMPUTED[type(node.op)]())


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int():
            yield ast.Constant(node.value + 1)
            yield ast.Constant(node.value - 1)
        case str():
            yield ast.Constant("XX" + node.value)
        case bytes():
            yield ast.Constant(b"XX" + node.value)
        case _:
            return


def _call(node: ast.Call) -> Iterator[ast.AST]:
    for index, argument in enumerate(node.args):
        if not isinstance(argument, ast.Starred) and ast.unparse(argument) not in _UNTRIED:
            yield _copy_with(node, args=[*node.args[:index], _none(), *node.args[index + 1 :]])
    for index in range(len(node.keywords)):
        yield _copy_with(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])


def _slice(node: ast.Slice) -> Iterator[ast.AST]:
    for side in ("lower", "upper"):
        if getattr(node, side) is not None:
            yield _copy_with(node, **{side: None})


def _value(node: ast.Assign | ast.AnnAssign | ast.Return) -> Iterator[ast.AST]:
    if node.value and ast.unparse(node.value) != "None" and not _is_rule(node.value):
        yield _copy_with(node, value=_none())


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.BoolOp):
        yield _copy_with(node, test=ast.UnaryOp(ast.Not(), node.test))


def _comprehension(node: ast.comprehension) -> Iterator[ast.AST]:
    for index in range(len(node.ifs)):
        yield _copy_with(node, ifs=_copy_without(node.ifs, index))


def _shorter(node: ast.AST) -> Iterator[ast.AST]:
    """A table at module level without one of its entries."""
    if isinstance(node, ast.Dict):
        for index in range(len(node.values)):
            keys = node.keys[:index] + node.keys[index + 1 :]
            yield _copy_with(node, keys=keys, values=_copy_without(node.values, index))
    elif isinstance(node, _DISPLAYS) and len(node.elts) > 1:
        for index in range(len(node.elts)):
            yield _copy_with(node, elts=_copy_without(node.elts, index))


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _dropped(_: ast.AST) -> Iterator[ast.AST]:
    yield ast.Pass()


def _dropped_call(node: ast.Expr) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Call):
        yield ast.Pass()


def _broken(_: ast.Continue) -> Iterator[ast.AST]:
    yield ast.Break()


_CHANGES: dict[type[ast.AST], Callable[..., Iterator[ast.AST]]] = {
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.BinOp: _computed,
    ast.AugAssign: _computed,
    ast.Constant: _constant,
    ast.Call: _call,
    ast.Slice: _slice,
    ast.Assign: _value,
    ast.AnnAssign: _value,
    ast.Return: _value,
    ast.If: _condition,
    ast.While: _condition,
    ast.IfExp: _condition,
    ast.comprehension: _comprehension,
    ast.UnaryOp: _unary,
    ast.Raise: _dropped,
    ast.Expr: _dropped_call,
    ast.Continue: _broken,
}
