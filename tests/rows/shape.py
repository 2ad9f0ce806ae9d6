"""Rows of the table: shape, joining and cutting, moving."""

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, apart, normal


def same(name, f, makes, **more):
    """A row whose call is written the same for Tensors and for arrays: NumPy's own function."""
    return Row(name, f, f, makes, **more)


def pieces(f):
    """The pieces that `f` makes, each with a weight of its own, as one value to look at."""
    return lambda x: sum((i + 1.0) * np.sum(piece * piece) for i, piece in enumerate(f(x)))


RISING = np.arange(3, dtype=np.float32)
GRID, POINTS = np.array([0.0, 1.0, 1.5, 3.0, 4.0]), np.array([-1.0, 0.0, 0.7, 2.5, 6.0])

ROWS = [
    same("diff", lambda x: np.diff(x, n=2, axis=0), [normal((4, 3)), normal((3, 0))]),
    same("diff (one entry)", lambda x: np.diff(x, axis=-1), [normal((2, 1)), normal((5,))]),
    same(
        "diff (with ends)",
        lambda x: np.diff(x, prepend=x[:, :1] * 2, append=3.0),
        [normal((2, 3))],
        single=False,
    ),
    same("gradient", lambda x: np.gradient(x), [normal((4,)), normal((2,))]),
    same("gradient (axis)", lambda x: np.gradient(x, 0.5, axis=0), [normal((6, 2))]),
    same("gradient (places)", lambda x: np.gradient(x, GRID, edge_order=2), [normal((5,))]),
    same(
        "gradient (axes)",
        pieces(lambda x: np.gradient(x, 2.0, GRID, edge_order=2)),
        [normal((4, 5))],
    ),
    same("linspace", lambda x: np.linspace(x, x * x, 4), [normal((3,)), normal(())]),
    same(
        "linspace (axis)",
        lambda x: np.linspace(0.0, x, 3, endpoint=False, axis=-1),
        [normal((2, 2))],
    ),
    same("interp", lambda f: np.interp(POINTS, GRID, f), [normal((5,))], single=False),
    same(
        "interp (ends)",
        lambda f: np.interp(POINTS, GRID, f, left=-1.0, right=9.0),
        [normal((5,))],
        single=False,
    ),
    same(
        "interp (x)",
        lambda x: np.interp(x, GRID, GRID**2),
        [apart((4,))],
        twice=False,
        single=False,
    ),
    same(
        "fft",
        lambda x: np.abs(np.fft.fft(x, 5, norm="ortho") + 1) ** 2,
        [normal((2, 7)), normal((2, 3)), normal((5,))],
    ),
    same("ifft", lambda x: np.imag(np.fft.ifft(x, axis=0)) ** 2, [normal((4, 2))]),
    same("fft of complex", lambda x: np.real(np.fft.fft(x * (1 + 2j)) ** 2), [normal((4,))]),
    same("fft2", lambda x: np.abs(np.fft.fft2(x) + 1j) ** 2, [normal((2, 3, 2))]),
    same("ifft2", lambda x: np.real(np.fft.ifft2(x) ** 2), [normal((3, 2))]),
    same("fftn", lambda x: np.real(np.fft.fftn(x) ** 2), [normal((2, 3, 2))]),
    same("ifftn", lambda x: np.real(np.fft.ifftn(x, (3, 3), (0, 1)) ** 2), [normal((2, 4))]),
    same("rfft", lambda x: np.real(np.fft.rfft(x) ** 2), [normal((2, 5)), normal((4,))]),
    same("rfft (n)", lambda x: np.imag(np.fft.rfft(x, 6, 0) ** 2), [normal((4, 2))]),
    same("irfft", lambda x: np.fft.irfft(x * (1 + 2j), n=6) ** 2, [normal((2, 4))]),
    same("irfft (odd)", lambda x: np.fft.irfft(x * 1j + 1, n=5, norm="ortho"), [normal((3,))]),
    same("irfft (short)", lambda x: np.fft.irfft(x), [normal((4,))]),
    same("fftshift", lambda x: np.fft.fftshift(x) * RISING, [normal((2, 3))]),
    same("ifftshift", lambda x: np.fft.ifftshift(x, 1) * RISING, [normal((2, 3))]),
    same("reshape", lambda x: x.reshape(3, -1) * 2, [normal((2, 3))]),
    same("reshape (empty, 0-d)", lambda x: np.reshape(x, (1, -1)), [normal((2, 0)), normal(())]),
    same("ravel", np.ravel, [normal((2, 3)), normal(()), normal((0, 2))]),
    same("transpose", lambda x: np.transpose(x, (1, -1, 0)), [normal((2, 3, 4))]),
    same("T", lambda x: x.T, [normal((2, 3, 4)), normal((3,)), normal(())]),
    same("swapaxes", lambda x: np.swapaxes(x, 0, 2), [normal((2, 3, 4))]),
    same(
        "matrix_transpose",
        lambda x: np.linalg.matrix_transpose(x),
        [normal((2, 3, 4)), normal((2, 3))],
    ),
    same("rollaxis", lambda x: np.rollaxis(x, 0, 2) * np.moveaxis(x, 0, 1), [normal((2, 3, 2))]),
    same("rollaxis (back)", lambda x: np.rollaxis(x, -1), [normal((2, 3, 4))]),
    same("moveaxis", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), [normal((2, 3, 4))]),
    same(
        "moveaxis (one)",
        lambda x: np.moveaxis(x, 0, -1) * x.sum(),
        [normal((2, 3, 1)), normal((0, 3))],
    ),
    same("expand_dims", lambda x: np.expand_dims(x, (0, -1)), [normal((2, 3)), normal(())]),
    same("squeeze", np.squeeze, [normal((1, 3, 1)), normal((1,)), normal((2, 3))]),
    same("squeeze (axis)", lambda x: np.squeeze(x, axis=-1), [normal((1, 3, 1))]),
    same("atleast_1d", lambda x: np.atleast_1d(x) * 2, [normal(()), normal((3,))]),
    same("atleast_2d", lambda x: np.atleast_2d(x) * 2, [normal(()), normal((3,)), normal((2, 3))]),
    same(
        "atleast_3d",
        lambda x: np.atleast_3d(x) * 2,
        [normal(()), normal((3,)), normal((2, 3)), normal((1, 2, 3))],
    ),
    same(
        "broadcast_to",
        lambda x: np.broadcast_to(x, (4, 2, 3)),
        [normal((3,)), normal((2, 1)), normal(()), normal((1, 1, 3))],
    ),
    same(
        "broadcast_arrays",
        lambda a, b: np.multiply(*np.broadcast_arrays(a, b)),
        [normal((2, 1), (3,)), normal((), (0,))],
    ),
    same(
        "concatenate",
        lambda *x: np.concatenate(x, axis=-1),
        [normal((2, 3), (2, 1), (2, 0)), normal((3,))],
    ),
    same(
        "concatenate (axis None)",
        lambda *x: np.concatenate(x, axis=None),
        [normal((2, 3), (), (0, 4)), normal((2, 2))],
    ),
    same(
        "concatenate (mixed)",
        lambda x: np.concatenate([[1.0, 2.0], x, np.float32([3])]) ** 2,
        [normal((3,))],
        single=False,
    ),
    same("concatenate (twice the same)", lambda x: np.concatenate([x, x]) ** 2, [normal((3,))]),
    same("append", lambda a, b: np.append(a, b), [normal((2, 3), (2,))]),
    same("append (axis)", lambda a, b: np.append(a, b, axis=1), [normal((2, 3), (2, 1))]),
    same("stack", lambda *x: np.stack(x, axis=1), [normal((2, 3), (2, 3)), normal((4,))]),
    same(
        "stack (last, 0-d)",
        lambda *x: np.stack(x, axis=-1),
        [normal((2, 3), (2, 3)), normal((), ())],
    ),
    same(
        "vstack",
        lambda *x: np.vstack(x),
        [normal((3,), (2, 3)), normal((), ()), normal((2, 3), (0, 3))],
    ),
    same(
        "hstack",
        lambda *x: np.hstack(x),
        [normal((2,), (3,)), normal((), (2,)), normal((2, 1), (2, 2))],
    ),
    same("dstack", lambda *x: np.dstack(x), [normal((2,), (2,)), normal((2, 3), (2, 3, 2))]),
    same("column_stack", lambda *x: np.column_stack(x), [normal((2,), (2, 3)), normal((3,), (3,))]),
    same("split", pieces(lambda x: np.split(x, 3)), [normal((6, 2)), normal((3,))]),
    same("split (places)", pieces(lambda x: np.split(x, [1, 3, 2, 9], axis=-1)), [normal((2, 5))]),
    same(
        "array_split",
        pieces(lambda x: np.array_split(x, 3, axis=1)),
        [normal((2, 5)), normal((1, 2))],
    ),
    same("hsplit", pieces(lambda x: np.hsplit(x, 2)), [normal((4,)), normal((1, 4))]),
    same(
        "vsplit, dsplit",
        pieces(lambda x: [*np.vsplit(x, 2), *np.dsplit(x, [1])]),
        [normal((2, 1, 3))],
    ),
    Row(
        "unstack",
        pieces(lambda x: tg.unstack(x, axis=-1)),
        pieces(lambda x: list(np.moveaxis(x, -1, 0))),
        [normal((2, 3)), normal((3,))],
    ),
    same("flip", np.flip, [normal((2, 3)), normal(()), normal((0,))]),
    same("flip (axes)", lambda x: np.flip(x, (0, -1)), [normal((2, 3, 2))]),
    same("fliplr, flipud", lambda x: np.fliplr(x) * np.flipud(x), [normal((2, 3))]),
    same("rot90", lambda x: np.rot90(x, 3, (1, 2)), [normal((2, 3, 4))]),
    same("roll", lambda x: np.roll(x, 4), [normal((2, 3)), normal((0, 3))]),
    same("roll (axes)", lambda x: np.roll(x, (1, -2), axis=(0, 1)), [normal((2, 3))]),
    same("repeat", lambda x: np.repeat(x, 3), [normal((2, 3)), normal(())]),
    same("repeat (each)", lambda x: np.repeat(x, [2, 0, 1], axis=1) ** 2, [normal((2, 3))]),
    same("tile", lambda x: np.tile(x, (2, 1, 3)), [normal((2, 3)), normal((2,)), normal(())]),
    same("pad", lambda x: np.pad(x, ((1, 0), (2, 3))), [normal((2, 3)), normal((0, 2))]),
    same(
        "pad (constant)",
        lambda x: np.pad(x, 1, constant_values=0.5) ** 2,
        [normal((2, 3)), normal((1,))],
    ),
    same("pad (edge)", lambda x: np.pad(x, (2, 1), mode="edge"), [normal((2, 3))]),
    same("pad (reflect)", lambda x: np.pad(x, 3, mode="reflect"), [normal((3,)), normal((2, 3))]),
    same(
        "pad (symmetric)", lambda x: np.pad(x, ((0, 3), (1, 1)), mode="symmetric"), [normal((2, 3))]
    ),
    same("pad (wrap)", lambda x: np.pad(x, 4, "wrap"), [normal((3,))]),
    same("tril", lambda x: np.tril(x, 1), [normal((3, 4)), normal((2, 3, 3)), normal((3,))]),
    same("triu", lambda x: np.triu(x, -1), [normal((3, 4)), normal((2, 3, 3)), normal((3,))]),
    same("diag", lambda x: np.diag(x, 1), [normal((3,)), normal((3, 4)), normal((4, 3))]),
    same("diagflat", lambda x: np.diagflat(x, -1), [normal((2, 2))]),
    same("diagonal", lambda x: np.diagonal(x, -1, 2, 0), [normal((3, 2, 4)), normal((1, 2, 1))]),
    same("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), [normal((2, 3, 4))]),
]
