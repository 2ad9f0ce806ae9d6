"""Rows of the table: product."""

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, normal


def einsum(subscripts, *shapes, **options):
    def f(*x):
        return np.einsum(subscripts, *x, **options)

    return Row(f"einsum ({subscripts})", f, f, [normal(*shapes)])


def both(name, f, *shapes):
    return Row(name, f, f, [normal(*each) for each in shapes])


VECTORS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2))]
MATRICES = [
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 1)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((1, 2, 3), (4, 3, 1)),
    ((2, 3), (1, 1, 3, 2)),
]
EMPTY = [
    ((0,), (0,)),
    ((2, 0), (0, 3)),
    ((0, 3), (3,)),
    ((0, 2, 3), (3, 2)),
    ((0, 2, 3), (1, 3, 2)),
    ((2, 3), (3, 0)),
]
LINEAR = [normal(x, (4, 3), (4,)) for x in [(2, 3), (3,), (5, 2, 3)]]

ROWS = [
    Row(
        "cross (axes)",
        lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0),
        lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0),
        [normal((3, 2), (2, 3))],
    ),
    Row("cross", np.linalg.cross, np.linalg.cross, [normal((4, 3), (3,)), normal((3,), (2, 3))]),
    Row(
        "cross along 0",
        lambda a, b: np.linalg.cross(a, b, axis=0),
        lambda a, b: np.linalg.cross(a, b, axis=0),
        [normal((3, 2), (3, 2))],
    ),
    both("matmul", np.matmul, *VECTORS, *MATRICES, *EMPTY),
    both(
        "dot", np.dot, ((2, 3), (3, 4)), ((3,), (3,)), ((), (3,)), ((2, 3), ()), ((5, 2, 3), (3, 4))
    ),
    both("dot (stacks)", np.dot, ((3,), (2, 3, 4)), ((4, 3), (2, 3, 2)), ((0,), (2, 0, 3))),
    Row("linear", tg.linear, lambda x, W, b: x @ W.T + b, LINEAR),
    both(
        "inner",
        np.inner,
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (2, 4, 3)),
        ((2, 3), (4, 1, 3)),
        ((), (2, 3)),
        ((), ()),
        ((2, 0), (3, 0)),
    ),
    both("outer", np.outer, ((2,), (3,)), ((2, 2), (3,)), ((), (3,)), ((2,), ()), ((0,), (3,))),
    both("vdot", np.vdot, ((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3, 2)), ((), ()), ((0,), (0,))),
    both("tensordot", np.tensordot, ((2, 3, 4), (3, 4, 2)), ((3, 4), (3, 4))),
    both("tensordot (1)", lambda a, b: np.tensordot(a, b, 1), ((2, 3), (3, 2, 2)), ((3,), (3,))),
    both("tensordot (0)", lambda a, b: np.tensordot(a, b, axes=0), ((2, 1), (3,)), ((), (2,))),
    both(
        "tensordot (axes)",
        lambda a, b: np.tensordot(a, b, ((2, 0), (0, -1))),
        ((2, 3, 4), (4, 2, 2)),
        ((0, 3, 4), (4, 2, 0)),
    ),
    both("tensordot (axis)", lambda a, b: np.tensordot(a, b, (-1, 1)), ((2, 3), (2, 3, 2))),
    both(
        "kron",
        np.kron,
        ((2,), (3,)),
        ((2, 3), (3, 2)),
        ((2,), (2, 1, 2)),
        ((2, 2, 1), (3,)),
        ((), (2, 2)),
        ((2, 0), (1, 2)),
    ),
    both("trace", np.trace, ((3, 3),), ((2, 4),), ((2, 3, 2),), ((0, 0),)),
    both("trace (offset)", lambda x: np.trace(x, 1, -1, 0), ((3, 2, 3),), ((2, 2, 4),)),
    both("trace (above)", lambda x: np.trace(x, offset=-1, axis1=0, axis2=2), ((4, 2, 3),)),
    both("trace (of matrices)", np.linalg.trace, ((2, 3, 4),)),
    einsum("ij,jk->ik", (2, 3), (3, 4)),
    einsum("ij,jk", (2, 3), (3, 4)),
    einsum("ba", (2, 3)),
    einsum("ij->", (2, 3)),
    einsum("ijk->j", (2, 3, 2)),
    einsum("ii", (3, 3)),
    einsum("ii->i", (3, 3)),
    einsum("iij->j", (3, 3, 2)),
    einsum("iijj->ji", (2, 2, 3, 3)),
    einsum("iii->i", (3, 3, 3)),
    einsum("ij,ik->k", (3, 2), (3, 2)),
    einsum("i,j->", (3,), (2,)),
    einsum("i,i,i->i", (3,), (3,), (3,)),
    einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 2), optimize=True),
    einsum("...ij,...jk->...ik", (4, 2, 3), (3, 2)),
    einsum("...ij,jk", (1, 2, 3), (3, 2)),
    einsum("i...,i...->...", (3, 2), (3, 1)),
    einsum("b...i , ...ij -> b...j", (2, 1, 3), (4, 3, 2)),
    einsum("...ii->...i", (2, 3, 3)),
    einsum("ij,ij->ij", (1, 3), (2, 1)),
    einsum("ij,ij", (1, 3), (2, 3)),
    einsum("i,i->", (3,), (1,)),
    einsum(",i->i", (), (3,)),
    einsum("aB,Bc", (2, 3), (3, 2)),
    einsum("ij,j->i", (2, 0), (0,)),
    einsum("ii,ii->i", (2, 2), (2, 2)),
    both(
        "einsum (lists)",
        lambda a, b: np.einsum(a, [..., 0, 30], b, [30, 2], [..., 2, 0]),
        ((2, 3), (3, 4)),
    ),
    both(
        "einsum (lists, implicit)", lambda a, b: np.einsum(a, [27, 1], b, [1, 3]), ((2, 3), (3, 4))
    ),
    both("einsum (one value twice)", lambda a: np.einsum("ij,ik,jk->i", a, a, a), ((3, 3),)),
]
