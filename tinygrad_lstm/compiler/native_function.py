"""A function in LLVM's language, in the making: registers, loops, vectors from and to memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinygrad_lstm.compiler.vector_code import LANES

__all__ = ["Function"]


def _declared(type: str) -> list[str]:
    """The intrinsics that a function may call."""
    n = LANES[type]
    vector, suffix = f"<{n} x {type}>", f"v{n}f{32 if type == 'float' else 64}"
    one = ["sqrt", "fabs"]
    two = ["maximum", "minimum", "copysign"]
    lines = [f"declare {vector} @llvm.{name}.{suffix}({vector})" for name in one]
    lines += [f"declare {vector} @llvm.{name}.{suffix}({vector}, {vector})" for name in two]
    lines.append(f"declare {vector} @llvm.fma.{suffix}({vector}, {vector}, {vector})")
    mask = f"<{n} x i1>"
    lines.append(f"declare {vector} @llvm.masked.load.{suffix}.p0(ptr, i32, {mask}, {vector})")
    lines.append(f"declare void @llvm.masked.store.{suffix}.p0({vector}, ptr, i32, {mask})")
    lines.append(f"declare {type} @llvm.vector.reduce.fadd.{suffix}({type}, {vector})")
    return lines


class Function:
    """A function in the making.

    Parameters
    ----------
    type : {"float", "double"}
    name : str
    """

    type: str
    name: str
    lines: list[str]
    lanes: int
    vector: str
    suffix: str
    mask: str

    def __init__(self, type: str, name: str) -> None:
        self.type, self.name, self.lines = type, name, ["entry:"]
        self.lanes, self.size = LANES[type], 4 if type == "float" else 8
        self.vector = f"<{self.lanes} x {type}>"
        self.suffix = f"v{self.lanes}f{8 * self.size}"
        self.mask = f"<{self.lanes} x i1>"
        self._count = 0

    def add(self, line: str) -> None:
        """A line as it is."""
        self.lines.append(f"  {line}")

    def new(self, instruction: str) -> str:
        """A register with the result of an instruction."""
        self._count += 1
        self.add(f"%r{self._count} = {instruction}")
        return f"%r{self._count}"

    def label(self, name: str) -> None:
        """A place to go to."""
        self.lines.append(f"{name}:")

    def argument(self, i: int, kind: str = "i64") -> str:
        """The number at place i."""
        at = self.new(f"getelementptr i64, ptr %p, i64 {i}")
        return self.new(f"load {kind}, ptr {at}")

    def moved(self, pointer: str, by: str) -> str:
        """A pointer, moved by bytes."""
        return self.new(f"getelementptr i8, ptr {pointer}, i64 {by}")

    def load(self, pointer: str, mask: str | None) -> str:
        """A vector from memory."""
        if mask is None:
            return self.new(f"load {self.vector}, ptr {pointer}, align {self.size}")
        return self.new(
            f"call {self.vector} @llvm.masked.load.{self.suffix}.p0(ptr {pointer}, "
            f"i32 {self.size}, {self.mask} {mask}, {self.vector} zeroinitializer)"
        )

    def store(self, value: str, pointer: str, mask: str | None) -> None:
        """A vector to memory."""
        if mask is None:
            self.add(f"store {self.vector} {value}, ptr {pointer}, align {self.size}")
        else:
            self.add(
                f"call void @llvm.masked.store.{self.suffix}.p0({self.vector} {value}, "
                f"ptr {pointer}, i32 {self.size}, {self.mask} {mask})"
            )

    def splat(self, scalar: str) -> str:
        """A number in all lanes."""
        one = self.new(f"insertelement {self.vector} poison, {self.type} {scalar}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.new(f"shufflevector {self.vector} {one}, {self.vector} poison, {zeros}")

    def multiplied(self, a: str, b: str, c: str) -> str:
        """``c + a * b``, rounded once where the machine can."""
        ab = self.new(f"fmul contract {self.vector} {a}, {b}")
        return self.new(f"fadd contract {self.vector} {c}, {ab}")

    def first(self, count: str) -> str:
        """A mask of the first lanes."""
        ints = f"<{self.lanes} x i64>"
        one = self.new(f"insertelement {ints} poison, i64 {count}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        all_ = self.new(f"shufflevector {ints} {one}, {ints} poison, {zeros}")
        lanes = ", ".join(f"i64 {i}" for i in range(self.lanes))
        return self.new(f"icmp ult {ints} <{lanes}>, {all_}")

    def least(self, x: str, bound: int | str) -> str:
        """The smaller of a number and a bound."""
        less = self.new(f"icmp slt i64 {x}, {bound}")
        return self.new(f"select i1 {less}, i64 {x}, i64 {bound}")

    def loop(
        self,
        stop: str,
        step: int | str,
        body: Callable[[str, list[str]], list[str] | None],
        starts: Sequence[str] = (),
    ) -> list[str]:
        """``for i in range(0, stop, step)``: `body` gets the register of i and those of what is
        carried along, which begin as the vectors `starts`, and returns them for the next turn. The
        last are returned."""
        self._count += 1
        name = f"loop{self._count}"
        self.add(f"br label %{name}.before")
        self.label(f"{name}.before")
        self.add(f"br label %{name}")
        self.label(name)
        self.add(f"%{name}.i = phi i64 [0, %{name}.before], [%{name}.next, %{name}.latch]")
        carried = [f"%{name}.carried{i}" for i in range(len(starts))]
        place = len(self.lines)
        self.add(f"%{name}.more = icmp slt i64 %{name}.i, {stop}")
        self.add(f"br i1 %{name}.more, label %{name}.body, label %{name}.end")
        self.label(f"{name}.body")
        again = body(f"%{name}.i", carried) or []
        self.lines[place:place] = [
            f"  {x} = phi {self.vector} [{start}, %{name}.before], [{then}, %{name}.latch]"
            for x, start, then in zip(carried, starts, again, strict=True)
        ]
        self.add(f"br label %{name}.latch")
        self.label(f"{name}.latch")
        self.add(f"%{name}.next = add i64 %{name}.i, {step}")
        self.add(f"br label %{name}")
        self.label(f"{name}.end")
        return carried

    def where(self, condition: str, body: Callable[[], None]) -> None:
        """``if condition:``."""
        self._count += 1
        name = f"where{self._count}"
        self.add(f"br i1 {condition}, label %{name}, label %{name}.end")
        self.label(name)
        body()
        self.add(f"br label %{name}.end")
        self.label(f"{name}.end")

    def columns(self, count: str, body: Callable[[str, str | None], None]) -> None:
        """A loop over columns, a vector at a time; `body` gets the column and the mask of the
        rest, or None."""
        whole = self.new(f"and i64 {count}, {-self.lanes}")
        self.loop(whole, self.lanes, lambda j, _: body(j, None))
        rest = self.new(f"sub i64 {count}, {whole}")
        some = self.new(f"icmp ne i64 {rest}, 0")
        self.where(some, lambda: body(whole, self.first(rest)))

    def text(self) -> str:
        """The function, with what it needs."""
        return "\n".join(
            [
                *_declared(self.type),
                f"define void @{self.name}(ptr %p) {{",
                *self.lines,
                "  ret void",
                "}",
            ]
        )
