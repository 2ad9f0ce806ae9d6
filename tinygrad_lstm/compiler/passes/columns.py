"""The sum over the rows of some columns is a part of the sum over the rows of all."""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["columns"]


def columns(build: Builder, roots: list[Value]) -> list[Value]:
    """Sum whole stacks where their columns are summed one by one."""
    found: dict[tuple[int, ...], tuple[Value, int]] = {}
    order = build.graph.order(roots)
    for v in order:
        if not (v.op == "concatenate" and v.attrs == (0,)):
            continue
        if all(p.op == "concatenate" and p.attrs == (1,) for p in v.args):
            at = 0
            for k, part in enumerate(v.args[0].args):
                if all(len(p.args) > k and p.args[k].shape[1] == part.shape[1] for p in v.args):
                    found[tuple([p.args[k].number for p in v.args])] = v, at
                at += part.shape[1]

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if v.attrs != ((0,),) or args[0].op != "concatenate":
            return None
        whole = found.get(tuple([p.number for p in args[0].args]))
        if whole is None or args[0].attrs != (0,):
            return None
        build.graph.follow(v)
        total = build.reduce("sum", whole[0], (0,), v.dtype)
        return build.cut(total, ((whole[1], whole[1] + v.shape[0]),))

    return rewrite(build, roots, order, {"sum"}, rule, build.again)
