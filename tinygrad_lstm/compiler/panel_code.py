"""Matrices in panels, and products by them, in LLVM's language.

A panel is as wide as a vector and has a row for each row of the matrix, one after the other. A few
rows of the product's first factor go through it at a time: their sums stay in registers.
"""

from __future__ import annotations

from functools import partial

from tinygrad_lstm.compiler.native_function import Function

__all__ = ["by_panels", "panels"]

PART = 128  # products that are summed before they are added to the total


def panels(type: str, name: str) -> str:
    """A matrix laid out in panels. Its numbers: rows, columns, address, the two strides, result."""
    f = Function(type, name)
    rows, cols, source = f.argument(0), f.argument(1), f.argument(2, "ptr")
    row, column, out = f.argument(3), f.argument(4), f.argument(5, "ptr")

    def panel(j: str, _: list[str]) -> None:
        first = f.moved(source, f.new(f"mul i64 {j}, {column}"))
        length = f.new(f"mul i64 {rows}, {f.size}")
        panel = f.moved(out, f.new(f"mul i64 {j}, {length}"))

        def line(k: str, _: list[str]) -> None:
            start = f.moved(first, f.new(f"mul i64 {k}, {row}"))
            to = f.moved(panel, f.new(f"mul i64 {k}, {f.lanes * f.size}"))

            def entry(i: str, _: list[str]) -> None:
                x = f.new(f"load {type}, ptr {f.moved(start, f.new(f'mul i64 {i}, {column}'))}")
                f.add(f"store {type} {x}, ptr {f.moved(to, f.new(f'mul i64 {i}, {f.size}'))}")

            f.loop(str(f.lanes), 1, entry)

        f.loop(rows, 1, line)

    f.loop(cols, f.lanes, panel)
    return f.text()


def by_panels(type: str, name: str, height: int) -> str:
    """A product with a matrix in panels, `height` rows at a time. Its numbers: rows, panels, inner
    length; address and the two strides of the first factor; address of the panels, and from one to
    the next; address and stride of the result, and whether to add to it."""
    f = Function(type, name)
    rows, count = f.argument(0), f.argument(1)
    left, row = f.argument(3, "ptr"), f.argument(4)
    right, step = f.argument(6, "ptr"), f.argument(7)
    out, below = f.argument(8, "ptr"), f.argument(9)
    rest = f.new(f"urem i64 {rows}, {height}")
    whole = f.new(f"sub i64 {rows}, {rest}")

    def panel(j: str, _: list[str]) -> None:
        columns = f.moved(right, f.new(f"mul i64 {j}, {step}"))
        place = f.moved(out, f.new(f"mul i64 {j}, {f.lanes * f.size}"))

        def tile(i: str, tall: int) -> None:
            numbers = [f.new(f"add i64 {i}, {r}") for r in range(tall)]
            reads = [f.moved(left, f.new(f"mul i64 {n}, {row}")) for n in numbers]
            writes = [f.moved(place, f.new(f"mul i64 {n}, {below}")) for n in numbers]
            _tile(f, columns, reads, writes)

        f.loop(whole, height, lambda i, _: tile(i, height))
        for tall in range(1, height):
            f.where(f.new(f"icmp eq i64 {rest}, {tall}"), partial(tile, whole, tall))

    f.loop(count, 1, panel)
    return f.text()


def _tile(f: Function, columns: str, reads: list[str], writes: list[str]) -> None:
    """Some rows of a product by one panel, in two levels."""
    inner, column, adds = f.argument(2), f.argument(5), f.argument(10)
    zero = "zeroinitializer"

    def part(start: str, _: list[str]) -> None:
        def multiply(i: str, sums: list[str]) -> list[str]:
            k = f.new(f"add i64 {start}, {i}")
            at = f.new(f"mul i64 {k}, {column}")
            y = f.load(f.moved(columns, f.new(f"mul i64 {k}, {f.lanes * f.size}")), None)
            numbers = [f.new(f"load {f.type}, ptr {f.moved(x, at)}") for x in reads]
            return [f.multiplied(f.splat(n), y, s) for n, s in zip(numbers, sums, strict=True)]

        length = f.least(f.new(f"sub i64 {inner}, {start}"), PART)
        sums = f.loop(length, 1, multiply, [zero] * len(reads))
        there = f.new(f"icmp ne i64 {f.new(f'or i64 {adds}, {start}')}, 0")
        for to, found in zip(writes, sums, strict=True):
            old = f.new(f"select i1 {there}, {f.vector} {f.load(to, None)}, {f.vector} {zero}")
            f.store(f.new(f"fadd {f.vector} {found}, {old}"), to, None)

    f.loop(inner, PART, part)
