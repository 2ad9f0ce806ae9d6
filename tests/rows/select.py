"""Rows of the table: indexing, gathering, sorting."""

import numpy as np

from rows.row import apart, normal
from rows.shape import same

at = np.array([[1, 0], [1, 1]])
mask = np.array([[True, False, True], [False, False, True]])


def in_pieces(x):
    return np.piecewise(x, [x < 0, x > 1], [lambda v: v * v, 3.0, lambda v: v + 1])


ROWS = [
    same("select", lambda x: np.select([at > 0, x > 0], [x, x * x], 2.0), [apart((2, 2))]),
    same("piecewise", in_pieces, [apart((2, 3))]),
    same("index", lambda x: x[1, ::-1], [normal((2, 3))]),
    same("index (ellipsis, newaxis)", lambda x: x[..., None, 0], [normal((2, 3)), normal((2,))]),
    same("index (0-d)", lambda x: x[()] * x[...] + x[None], [normal(())]),
    same("index (one entry)", lambda x: x[-1, 2], [normal((2, 3))]),
    same("index (np.integer)", lambda x: x[np.int64(1), np.uint8(0) :], [normal((2, 3))]),
    same("index (steps)", lambda x: x[::2, -1:-4:-2], [normal((3, 4)), normal((0, 3))]),
    same("index (empty)", lambda x: x[1:1], [normal((2, 3))]),
    same("index (empty list)", lambda x: x[[]], [normal((2, 3))]),
    same("index (repeated)", lambda x: x[[0, 1, 0, 0]] ** 2, [normal((2, 3)), normal((2,))]),
    same("index (negative and positive of one entry)", lambda x: x[[1, -1]] ** 2, [normal((2,))]),
    same("index (matrix of integers)", lambda x: x[at], [normal((2, 3))]),
    same("index (pairs)", lambda x: x[at, [[2], [2]]], [normal((2, 3))]),
    same("index (tuples)", lambda x: x[(0, 0, 1), (1, 1, 2)], [normal((2, 3))]),
    same("index (mixed)", lambda x: x[np.array([1, 1]), :, [2, 0]], [normal((2, 3, 3))]),
    same("index (integer, array)", lambda x: x[0, :, [2, 2, 0]], [normal((2, 3, 3))]),
    same("index (array, newaxis, slice)", lambda x: x[[1, 1], None, 1:], [normal((2, 3))]),
    same("index (mask)", lambda x: x[x > 0.4], [apart((2, 3))]),
    same("index (fixed mask)", lambda x: x[mask], [normal((2, 3)), normal((2, 3, 2))]),
    same("index (mask of rows)", lambda x: x[[True, False]], [normal((2, 3))]),
    same("index (mask, array)", lambda x: x[np.array([True, True]), [1, 1]], [normal((2, 3))]),
    same(
        "index (mask that selects nothing)", lambda x: x[np.zeros((2, 3), bool)], [normal((2, 3))]
    ),
    same("index (True)", lambda x: x[True] * 2, [normal((2, 3))]),
    same("take", lambda x: np.take(x, at), [normal((2, 3))]),
    same("take (axis)", lambda x: np.take(x, [2, 0, 2], axis=-1), [normal((2, 3))]),
    same("take (wrap)", lambda x: np.take(x, [-4, 7], axis=0, mode="wrap"), [normal((3, 2))]),
    same("take (clip)", lambda x: np.take(x, [-4, 7], mode="clip"), [normal((3,))]),
    same("take_along_axis", lambda x: np.take_along_axis(x, at, axis=1), [normal((2, 3))]),
    same(
        "take_along_axis (argsort)",
        lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0),
        [apart((2, 3))],
    ),
    same(
        "take_along_axis (argmax)",
        lambda x: np.take_along_axis(x, np.argmax(x, axis=1, keepdims=True), axis=1),
        [apart((2, 3))],
    ),
    same(
        "take_along_axis (None)",
        lambda x: np.take_along_axis(x, np.array([3, 3, 1]), axis=None),
        [normal((2, 3))],
    ),
    same("partition", lambda x: np.sort(np.partition(x, 2) ** 2), [apart((2, 4))]),
    same("partition (all)", lambda x: np.partition(x, 0, axis=None)[0], [apart((2, 3))]),
    same("sort", np.sort, [apart((2, 3)), apart((0,))]),
    same("sort (axis)", lambda x: np.sort(x, axis=0) * x, [apart((3, 2))]),
    same("sort (all)", lambda x: np.sort(x, axis=None), [apart((2, 3))]),
    same("index (nonzero)", lambda x: x[np.nonzero(x > 0.4)], [apart((2, 3))]),
]
