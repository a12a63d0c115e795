"""Put a mutant into the loaded verifier: replace one function's code, or run a statement again."""

import ast
import importlib
import sys
from pathlib import Path
from types import FunctionType, ModuleType

from mutations import Mutant

PACKAGE = "ccgpu.attest"


def change(mutant: Mutant) -> None:
    """Apply the change to the loaded module."""
    mutant.apply()
    module = importlib.import_module(_name(mutant.module))
    if isinstance(mutant.inside, ast.FunctionDef):
        _replace(module, mutant.owner, mutant.inside)
    else:
        _again(module, mutant)


def _name(file: str) -> str:
    return f"{PACKAGE}." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _replace(module: ModuleType, owner: ast.stmt, inside: ast.FunctionDef) -> None:
    old = _function(module, owner, inside.name)
    inside.decorator_list = []
    space = dict(vars(module))
    within: ast.FunctionDef | ast.ClassDef = inside
    if isinstance(owner, ast.ClassDef):  # `super()` is a method's alone
        within = ast.ClassDef(owner.name, [], [], [inside], [])
    if "__class__" in old.__code__.co_freevars:  # also where the call of it is left out
        inside.body.append(ast.Expr(ast.Name("__class__", ast.Load())))
    tree = ast.fix_missing_locations(ast.Module([within], type_ignores=[]))
    exec(compile(tree, str(module.__file__), "exec"), space)  # our own module
    made = space[within.name]
    new = vars(made)[inside.name] if within is not inside else made
    if new.__code__.co_freevars != old.__code__.co_freevars:
        sys.exit(f"error: {old.__qualname__} is a closure")
    for part in ("__code__", "__defaults__", "__kwdefaults__"):
        setattr(old, part, getattr(new, part))


def _function(module: ModuleType, owner: ast.stmt, name: str) -> FunctionType:
    if isinstance(owner, ast.ClassDef):
        found = vars(vars(module)[owner.name])[name]
    else:
        found = vars(module)[name]
    for inner in ("fget", "__func__", "__wrapped__"):
        found = getattr(found, inner, None) or found
    if hasattr(found, "cache_clear"):
        found.cache_clear()
    assert isinstance(found, FunctionType), f"{name} is not a function"
    return found


def _again(module: ModuleType, mutant: Mutant) -> None:
    """Run the changed statement, and those of the module that use what it makes; tell others."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    changed: set[str] = set()
    for statement in tree.body:
        here = statement.lineno == mutant.owner.lineno
        if here or (
            isinstance(statement, ast.Assign | ast.AnnAssign) and _uses(statement, changed)
        ):
            made = mutant.owner if here else statement
            _run(module, made)
            changed |= _targets(made)


def _run(module: ModuleType, statement: ast.stmt) -> None:
    before = {name: vars(module).get(name) for name in _targets(statement)}
    code = compile(ast.Module([statement], type_ignores=[]), str(module.__file__), "exec")
    exec(code, vars(module))  # our own module
    for name, old in before.items():
        for other in list(sys.modules.values()):
            if other is not module and vars(other).get(name, other) is old:
                setattr(other, name, vars(module)[name])


def _uses(statement: ast.stmt, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(statement))


def _targets(statement: ast.stmt) -> set[str]:
    names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}
