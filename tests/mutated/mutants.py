"""The mistakes that are made in a rule, one at a time: what changes where. Pure; runs nothing.

A comparison is turned or loses its limit, a number is one more or one less, ``and`` is ``or``, a
``not`` is gone. These are the mistakes that people make in rules with limits and terms.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

TURNED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
"""Each comparison with its limit on the other side, and what it is when it is turned."""
Way = tuple[tuple[str, int | None], ...]
"""From the module to a node: member, and place where the member is a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mistake in one module."""

    module: str
    function: str
    """Of the module, of its class; empty: beside all of them."""
    line: int
    change: str
    """What stood there and what stands there now."""
    nth: int
    """Of several equal changes in one function, which."""
    way: Way
    wrong: ast.expr

    @property
    def name(self) -> str:
        """The same as long as the function says the same."""
        nth = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.module}:{self.function}: {self.change}{nth}"

    def tree_of(self, source: str) -> ast.Module:
        """The module of ``source`` with the mistake in it."""
        tree = ast.parse(source)
        above: ast.AST = tree
        for name, place in self.way[:-1]:
            value = getattr(above, name)
            above = value if place is None else value[place]
        name, place = self.way[-1]
        if place is None:
            setattr(above, name, self.wrong)
        else:
            getattr(above, name)[place] = self.wrong
        return ast.fix_missing_locations(tree)


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Every mistake in ``source``, in its order."""
    whole, seen = ast.parse(source), Counter[tuple[str, str]]()
    for function, way, node in _walk(whole):
        for wrong in _wrong(node):
            change = f"{ast.unparse(node)} -> {ast.unparse(wrong)}"
            seen[function, change] += 1
            yield Mutant(
                module=module,
                function=function,
                line=getattr(node, "lineno", 0),
                change=change,
                nth=seen[function, change],
                way=way,
                wrong=wrong,
            )


def _walk(node: ast.AST, function: str = "", way: Way = ()) -> Iterator[tuple[str, Way, ast.AST]]:
    """Every node with the function it stands in and the way to it; words are passed over."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = node.name
    yield function, way, node
    for name, value in ast.iter_fields(node):
        for place, below in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(below, ast.AST) and name not in {"annotation", "returns"}:
                yield from _walk(below, function, (*way, (name, place)))


def _wrong(node: ast.AST) -> Iterator[ast.expr]:
    """What may stand in the place of ``node`` by mistake."""
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                for other in TURNED[type(op)]:
                    turned = copy.deepcopy(node)
                    turned.ops[place] = other()
                    yield turned
        case ast.BoolOp(op=op, values=values):
            other_op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield ast.BoolOp(op=other_op, values=values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            yield ast.Constant(value=number + 1)
            yield ast.Constant(value=number - 1)
