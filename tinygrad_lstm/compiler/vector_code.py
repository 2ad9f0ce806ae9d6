"""Elementwise operations as LLVM instructions on vectors.

All keep NaN and infinity: no instruction may assume that there are none. Multiplications and
additions may be contracted to one rounding.

Sources: exp and tanh after Cephes (the argument of exp reduced by Cody and Waite). A shorter
rational tanh in single precision rounds twice as much as NumPy's, and so do gradients then.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["LANES", "Body", "supported"]

LANES = {"float": 16, "double": 8}

ARITHMETIC = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
INTRINSIC = {"sqrt": "sqrt", "absolute": "fabs", "maximum": "maximum", "minimum": "minimum"}
COMPARISON = {
    "greater": "ogt",
    "greater_equal": "oge",
    "less": "olt",
    "less_equal": "ole",
    "equal": "oeq",
    "not_equal": "une",
}
LOGIC = {"logical_and": "and", "logical_or": "or"}


class Body:
    """The instructions of one pass through a loop.

    Parameters
    ----------
    type : {"float", "double"}
    lines : list of str
        Where instructions are added.
    prefix : str
        What the names of registers begin with.
    """

    type: str
    lines: list[str]
    prefix: str
    lanes: int
    vector: str
    ints: str
    suffix: str

    def __init__(self, type: str, lines: list[str], prefix: str) -> None:
        self.type, self.lines, self.prefix = type, lines, prefix
        self.lanes = LANES[type]
        self.vector = f"<{self.lanes} x {type}>"
        self.ints = f"<{self.lanes} x i{32 if type == 'float' else 64}>"
        self.suffix = f"v{self.lanes}f{32 if type == 'float' else 64}"
        self._count = 0

    def new(self, instruction: str) -> str:
        """A register with the result of an instruction."""
        self._count += 1
        name = f"%{self.prefix}{self._count}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def number(self, x: float) -> str:
        """A constant in all lanes."""
        bits = struct.unpack("<Q", struct.pack("<d", self._rounded(x)))[0]
        return f"splat ({self.type} 0x{bits:016X})"

    def _rounded(self, x: float) -> float:
        return float(struct.unpack("<f", struct.pack("<f", x))[0]) if self.type == "float" else x

    def int(self, x: int) -> str:
        """An integer constant in all lanes."""
        return f"splat ({self.ints.split()[-1][:-1]} {x})"

    def two(self, op: str, a: str, b: str) -> str:
        """An arithmetic instruction."""
        return self.new(f"{op} contract {self.vector} {a}, {b}")

    def call(self, name: str, *args: str) -> str:
        """An intrinsic of LLVM."""
        given = ", ".join(f"{self.vector} {a}" for a in args)
        return self.new(f"call {self.vector} @llvm.{name}.{self.suffix}({given})")

    def fma(self, a: str, b: str, c: str) -> str:
        """``a * b + c``."""
        return self.call("fma", a, b, c)

    def select(self, condition: str, a: str, b: str) -> str:
        """`a` where `condition` holds, else `b`."""
        return self.new(
            f"select <{self.lanes} x i1> {condition}, {self.vector} {a}, {self.vector} {b}"
        )

    def compare(self, how: str, a: str, b: str) -> str:
        """A comparison: a bit for each lane."""
        return self.new(f"fcmp {how} {self.vector} {a}, {b}")

    def clamp(self, x: str, low: float, high: float) -> str:
        """`x` between bounds; a NaN stays."""
        x = self.select(self.compare("ogt", x, self.number(high)), self.number(high), x)
        return self.select(self.compare("olt", x, self.number(low)), self.number(low), x)

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Horner's scheme, the highest power first."""
        y = self.number(coefficients[0])
        for c in coefficients[1:]:
            y = self.fma(y, x, self.number(c))
        return y

    # What graphs are made of.

    def operation(self, op: str, args: Sequence[str]) -> str:
        """An operation of the graph."""
        if op in ARITHMETIC:
            return self.two(ARITHMETIC[op], *args)
        if op in INTRINSIC:
            return self.call(INTRINSIC[op], *args)
        if op in COMPARISON:
            return self.compare(COMPARISON[op], *args)
        if op in LOGIC:
            return self.new(f"{LOGIC[op]} <{self.lanes} x i1> {args[0]}, {args[1]}")
        return FUNCTIONS[op](self, *args)

    def negative(self, x: str) -> str:
        return self.new(f"fneg {self.vector} {x}")

    def square(self, x: str) -> str:
        return self.two("fmul", x, x)

    def reciprocal(self, x: str) -> str:
        return self.two("fdiv", self.number(1.0), x)

    def exp(self, x: str) -> str:
        """``2**n * exp(r)`` with ``x = n log(2) + r``."""
        magic, bits, mantissa, low, high, ln2, coefficients = EXP[self.type]
        x = self.clamp(x, low, high)
        shifted = self.fma(x, self.number(1.4426950408889634), self.number(magic))
        n = self.new(f"fsub {self.vector} {shifted}, {self.number(magic)}")
        r = self.fma(n, self.number(-ln2[0]), x)
        r = self.fma(n, self.number(-ln2[1]), r)
        y = self.polynomial(r, coefficients)
        whole = self.new(f"bitcast {self.vector} {shifted} to {self.ints}")
        whole = self.new(f"sub {self.ints} {whole}, {self.int(bits)}")
        half = self.new(f"ashr {self.ints} {whole}, {self.int(1)}")
        rest = self.new(f"sub {self.ints} {whole}, {half}")
        for k in (half, rest):  # in two steps: 2**n itself may be no normal number
            bias = (1 << (31 if self.type == "float" else 63) - mantissa - 1) - 1
            k = self.new(f"add {self.ints} {k}, {self.int(bias)}")
            k = self.new(f"shl {self.ints} {k}, {self.int(mantissa)}")
            y = self.two("fmul", y, self.new(f"bitcast {self.ints} {k} to {self.vector}"))
        return y

    def tanh(self, x: str) -> str:
        x2 = self.square(x)
        if self.type == "float":
            part = self.polynomial(x2, TANH)
        else:
            p, q = self.polynomial(x2, TANH_P), self.polynomial(x2, TANH_Q)
            part = self.two("fdiv", p, q)
        small = self.fma(self.two("fmul", x, x2), part, x)
        size = self.call("fabs", x)
        e = self.exp(self.two("fadd", size, size))
        part = self.two("fdiv", self.number(2.0), self.two("fadd", e, self.number(1.0)))
        large = self.two("fsub", self.number(1.0), part)
        found = self.select(self.compare("ogt", size, self.number(0.625)), large, small)
        return self.call("copysign", found, x)  # of a zero too

    def where(self, condition: str, a: str, b: str) -> str:
        return self.select(condition, a, b)


FUNCTIONS: dict[str, Callable[..., str]] = {
    name: getattr(Body, name)
    for name in ("negative", "square", "reciprocal", "exp", "tanh", "where")
}

FACTORIALS = [1.0]
for _n in range(1, 14):
    FACTORIALS.append(FACTORIALS[-1] * _n)

# magic number, its bits, bits of the mantissa, bounds, log(2) in two parts, coefficients
EXP: dict[str, Any] = {
    "float": (
        12582912.0,
        0x4B400000,
        23,
        -104.0,
        89.0,
        (0.693359375, -2.12194440e-4),
        (
            *(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2),
            *(1.6666665459e-1, 5.0000001201e-1, 1.0, 1.0),
        ),
    ),
    "double": (
        6755399441055744.0,
        0x4338000000000000,
        52,
        -746.0,
        710.0,
        (6.93147180369123816490e-01, 1.90821492927058770002e-10),
        tuple(1 / f for f in reversed(FACTORIALS)),
    ),
}
TANH = (
    *(-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1),
    -3.33332819422e-1,
)
TANH_P = (-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3)
TANH_Q = (
    *(1.0, 1.12811678491632931402e2, 2.23548839060100448583e3),
    4.84406305325125486048e3,
)


def supported(op: str, bits: Sequence[bool]) -> bool:
    """Whether an operation is known here, for arguments of which some are bits (of the dtype
    bool)."""
    if op in LOGIC:
        return all(bits)
    if op == "where":
        return list(bits) == [True, False, False]
    known = op in ARITHMETIC or op in INTRINSIC or op in COMPARISON or op in FUNCTIONS
    return known and not any(bits)
