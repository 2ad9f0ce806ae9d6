"""Programs in LLVM's language: kernels keyed by their structure, and what else runs natively.

Every function takes one pointer, to its numbers: lengths, addresses, strides in bytes. One loop,
the machine, goes through a table of such calls, so that no native code depends on shapes or on how
many blocks there are.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.compiler.native_function import Function
from tinygrad_lstm.compiler.vector_code import Body

__all__ = ["MACHINE", "Key", "dot", "kernel", "product", "sum_rows"]

Key = tuple[Any, ...]

MACHINE = """
define void @machine(ptr %table, i64 %count) {
entry:
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %body]
  %at = phi ptr [%table, %entry], [%after, %body]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %body, label %end
body:
  %f = load ptr, ptr %at
  %sizeat = getelementptr i64, ptr %at, i64 1
  %size = load i64, ptr %sizeat
  %numbers = getelementptr i64, ptr %at, i64 2
  call void %f(ptr %numbers)
  %after = getelementptr i64, ptr %at, i64 %size
  %next = add i64 %i, 1
  br label %head
end:
  ret void
}
"""


def kernel(key: Key, name: str) -> str:
    """A loop over elementwise operations.

    Parameters
    ----------
    key : tuple
        The type; the operations, each with its arguments: ``("in", i)``, ``("t", i)`` or
        ``("number", x)``; which of them are stored; which inputs are one number a row.
    name : str
        What the function is called. Its numbers: rows, columns, then address and stride of every
        input and output.
    """
    type, _, outputs, flat = key
    f = Function(type, name)
    rows, cols = f.argument(0), f.argument(1)
    operands = [
        (f.argument(2 + 2 * k, "ptr"), f.argument(3 + 2 * k))
        for k in range(len(flat) + len(outputs))
    ]

    def row(i: str, _: list[str]) -> None:
        bases = [f.moved(p, f.new(f"mul i64 {i}, {stride}")) for p, stride in operands]
        fixed = {
            k: f.splat(f.new(f"load {type}, ptr {bases[k]}")) for k, one in enumerate(flat) if one
        }
        f.columns(cols, lambda j, mask: _column(f, key, bases, fixed, j, mask))

    f.loop(rows, 1, row)
    return f.text()


def _column(
    f: Function, key: Key, bases: list[str], fixed: dict[int, str], j: str, mask: str | None
) -> None:
    """A vector's worth of a kernel: read, compute, write."""
    _, code, outputs, flat = key
    at = f.new(f"mul i64 {j}, {f.size}")
    body = Body(f.type, f.lines, f"m{len(f.lines)}_")
    read = {
        k: fixed[k] if one else f.load(f.moved(bases[k], at), mask) for k, one in enumerate(flat)
    }
    known: list[str] = []
    for op, args in code:
        given = [
            body.number(x) if kind == "number" else read[x] if kind == "in" else known[x]
            for kind, x in args
        ]
        known.append(given[0] if op == "cast" else body.operation(op, given))
    for k, t in enumerate(outputs):
        f.store(known[t], f.moved(bases[len(flat) + k], at), mask)


RUN = 4096  # entries of a dot product that are summed before they are added to the total


def sum_rows(type: str, name: str) -> str:
    """The sum over rows, in two levels. Its numbers: rows, columns, address, stride, result, and
    how many rows are summed before they are added to the total."""
    f = Function(type, name)
    rows, cols = f.argument(0), f.argument(1)
    source, stride, out = f.argument(2, "ptr"), f.argument(3), f.argument(4, "ptr")
    piece = f.argument(5)

    def clear(j: str, mask: str | None) -> None:
        f.store("zeroinitializer", f.moved(out, f.new(f"mul i64 {j}, {f.size}")), mask)

    def block(start: str, _: list[str]) -> None:
        count = f.least(f.new(f"sub i64 {rows}, {start}"), piece)
        first = f.moved(source, f.new(f"mul i64 {start}, {stride}"))

        def column(j: str, mask: str | None) -> None:
            at = f.new(f"mul i64 {j}, {f.size}")
            base = f.moved(first, at)

            def add(i: str, parts: list[str]) -> list[str]:
                x = f.load(f.moved(base, f.new(f"mul i64 {i}, {stride}")), mask)
                return [f.new(f"fadd {f.vector} {parts[0]}, {x}")]

            (part,) = f.loop(count, 1, add, ["zeroinitializer"])
            total = f.load(f.moved(out, at), mask)
            f.store(f.new(f"fadd {f.vector} {total}, {part}"), f.moved(out, at), mask)

        f.columns(cols, column)

    f.columns(cols, clear)
    f.loop(rows, piece, block)
    return f.text()


def dot(type: str, name: str) -> str:
    """The product of two vectors, in two levels. Its numbers: length, two addresses, result."""
    f = Function(type, name)
    n = f.argument(0)
    a, b, out = (f.argument(i, "ptr") for i in (1, 2, 3))
    zero = f"splat ({type} 0.0)"

    def run(start: str, totals: list[str]) -> list[str]:
        count = f.least(f.new(f"sub i64 {n}, {start}"), RUN)
        whole = f.new(f"and i64 {count}, {-f.lanes}")

        def product(at: str, mask: str | None, part: str) -> str:
            by = f.new(f"mul i64 {f.new(f'add i64 {start}, {at}')}, {f.size}")
            x, y = f.load(f.moved(a, by), mask), f.load(f.moved(b, by), mask)
            return f.multiplied(x, y, part)

        (part,) = f.loop(whole, f.lanes, lambda i, parts: [product(i, None, *parts)], [zero])
        rest = product(whole, f.first(f.new(f"sub i64 {count}, {whole}")), part)
        return [f.new(f"fadd {f.vector} {totals[0]}, {rest}")]

    (total,) = f.loop(n, RUN, run, [zero])
    whole = f.new(
        f"call reassoc {type} @llvm.vector.reduce.fadd.{f.suffix}({type} 0.0, {f.vector} {total})"
    )
    f.add(f"store {type} {whole}, ptr {out}")
    return f.text()


def product(type: str, name: str, ints: str) -> str:
    """A product of matrices by a BLAS with whole numbers of type `ints`. Its numbers: address of
    gemm, whether the factors are transposed (111 or 112), rows, columns, inner length, then
    address and leading dimension of both factors and the result, and whether to add to it."""
    f = Function(type, name)
    gemm = f.argument(0, "ptr")
    flags = [f.new(f"trunc i64 {f.argument(i)} to i32") for i in (1, 2)]
    lengths = [f.argument(i) for i in (3, 4, 5)]
    pointers = [f.argument(i, "ptr") for i in (6, 8, 10)]
    leading = [f.argument(i) for i in (7, 9, 11)]
    add = f.new(f"sitofp i64 {f.argument(12)} to {type}")
    if ints == "i32":
        lengths, leading = (
            [f.new(f"trunc i64 {x} to i32") for x in many] for many in (lengths, leading)
        )
    given = [
        "i32 101",
        *(f"i32 {x}" for x in flags),
        *(f"{ints} {x}" for x in lengths),
        f"{type} 1.0",
        *(f"ptr {pointers[0]}", f"{ints} {leading[0]}", f"ptr {pointers[1]}"),
        *(f"{ints} {leading[1]}", f"{type} {add}", f"ptr {pointers[2]}", f"{ints} {leading[2]}"),
    ]
    f.add(f"call void {gemm}({', '.join(given)})")
    return f.text()
