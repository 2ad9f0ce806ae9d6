"""Weights in the layouts of other programs, as NumPy arrays.

=========  ==============  ==================================================
program    gates           arrays of each layer and direction
=========  ==============  ==================================================
PyTorch    i f g o, r z n  weight_ih (4H, D), weight_hh (4H, H), two biases
Keras      i f c o, z r h  kernel (D, 4H), recurrent kernel (H, 4H), one bias
ONNX       i o f c, z r h  W (4H, D), R (4H, H), B (8H), P (3H, i o f)
=========  ==============  ==================================================

The document's letters are u f c o: its update gate is the others' input gate i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DtypeError, ShapeError, UnknownNameError
from tinygrad_lstm.nn.places import suffix_of
from tinygrad_lstm.nn.recurrent import Recurrent

__all__ = ["OURS", "Arrays", "check_layout", "from_keras", "from_onnx", "to_keras", "to_onnx"]

OURS = {"LSTM": "ufco", "GRU": "ruc", "RNN": "h"}  # as PyTorch stores them
KERAS = {"LSTM": "ufco", "GRU": "urc", "RNN": "h"}
ONNX = {"LSTM": "uofc", "GRU": "urc", "RNN": "h"}
PEEPHOLES, PEEPHOLES_OF_ONNX = "ufo", "uof"

Arrays = dict[str, np.ndarray]


def reordered(rows: np.ndarray, before: str, after: str) -> np.ndarray:
    """The rows of each gate in another order of gates."""
    blocks = np.split(rows, len(before))
    return np.concatenate([blocks[before.index(gate)] for gate in after])


# Keras.


def to_keras(layer: Recurrent) -> list[list[np.ndarray]]:
    """The parameters of each layer and direction, as ``get_weights()`` of Keras has them.

    Parameters
    ----------
    layer : nn.LSTM, nn.GRU or nn.RNN
        Without projection, peepholes and normalisation, which Keras does not have.

    Returns
    -------
    list of list of ndarray
        Kernel, recurrent kernel, and the bias if there is one: of a layer's first direction, of its
        second, of the next layer. A GRU in PyTorch's form (``reset_after``) has a bias of shape
        (2, 3H), the others one, to which PyTorch's two are added up.
    """
    kind = _plain(layer, "to_keras")
    found = []
    for _, p in _cells(layer):
        arrays = [reordered(p[f"weight_{s}"], OURS[kind], KERAS[kind]).T for s in ("ih", "hh")]
        if layer.bias:
            both = [reordered(p[f"bias_{s}"], OURS[kind], KERAS[kind]) for s in ("ih", "hh")]
            arrays.append(np.stack(both) if _two_biases(layer) else both[0] + both[1])
        found.append([np.ascontiguousarray(array) for array in arrays])
    return found


def from_keras(layer: Recurrent, weights: Sequence[Sequence[Any]]) -> None:
    """Load parameters in Keras's layout.

    Parameters
    ----------
    layer : nn.LSTM, nn.GRU or nn.RNN
        What takes them.
    weights : sequence of sequence of array_like
        As :func:`to_keras` returns them. One bias goes to ``bias_ih``; ``bias_hh`` becomes 0.

    Raises
    ------
    ShapeError
        If there are more or fewer arrays, or one has another shape; then nothing is changed.
    """
    kind, rows = _plain(layer, "from_keras"), len(layer.gates) * layer.hidden_size
    state = layer.state_dict()
    cells = [suffix for suffix, _ in _cells(layer)]
    _count("from_keras", "layers and directions", weights, len(cells))
    for i, (suffix, arrays) in enumerate(zip(cells, weights, strict=True)):
        _count(f"from_keras, cell {i}", "arrays", arrays, 2 + layer.bias)
        for stem, array in zip(("ih", "hh"), arrays, strict=False):
            name, array = f"weight_{stem}_{suffix}", np.asarray(array)
            check_layout(f"from_keras, cell {i}", name, array, state[name].shape[::-1], "Keras's")
            state[name] = reordered(array.T, KERAS[kind], OURS[kind])
        if layer.bias:
            shape = (2, rows) if _two_biases(layer) else (rows,)
            bias = np.asarray(arrays[2])
            check_layout(f"from_keras, cell {i}", "bias", bias, shape, "Keras's")
            both = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
            for stem, b in zip(("ih", "hh"), both, strict=True):
                state[f"bias_{stem}_{suffix}"] = reordered(b, KERAS[kind], OURS[kind])
    layer.load_state_dict(state)


def _two_biases(layer: Recurrent) -> bool:
    return bool(getattr(layer, "reset_after", False))


# ONNX.


def to_onnx(layer: Recurrent) -> list[Arrays]:
    """The parameters of each layer, as the inputs of ONNX's operators.

    Parameters
    ----------
    layer : nn.LSTM, nn.GRU or nn.RNN
        Without projection and normalisation, which ONNX does not have.

    Returns
    -------
    list of dict of str to ndarray
        For each layer W (directions, 4H, D), R (directions, 4H, H), B (directions, 8H) if there are
        biases, and P (directions, 3H) of peepholes.
    """
    kind = _plain(layer, "to_onnx", peephole=True)
    cells = [p for _, p in _cells(layer)]
    found = []
    for k in range(0, len(cells), layer.directions):
        sides = cells[k : k + layer.directions]
        arrays = {
            name: np.stack([reordered(p[stem], OURS[kind], ONNX[kind]) for p in sides])
            for name, stem in (("W", "weight_ih"), ("R", "weight_hh"))
        }
        if layer.bias:
            arrays["B"] = np.stack([_of_both(p, kind) for p in sides])
        if "peephole" in sides[0]:
            arrays["P"] = np.stack(
                [reordered(p["peephole"], PEEPHOLES, PEEPHOLES_OF_ONNX) for p in sides]
            )
        found.append(arrays)
    return found


def _of_both(p: Arrays, kind: str) -> np.ndarray:
    return np.concatenate(
        [reordered(p[f"bias_{side}"], OURS[kind], ONNX[kind]) for side in ("ih", "hh")]
    )


def from_onnx(layer: Recurrent, weights: Sequence[Mapping[str, Any]]) -> None:
    """Load parameters in ONNX's layout.

    Parameters
    ----------
    layer : nn.LSTM, nn.GRU or nn.RNN
        What takes them.
    weights : sequence of mapping of str to array_like
        As :func:`to_onnx` returns them.

    Raises
    ------
    UnknownNameError, ShapeError
        If an array is missing, has no place here, or has another shape; then nothing is changed.
    """
    kind, state = _plain(layer, "from_onnx", peephole=True), layer.state_dict()
    cells, expected = [suffix for suffix, _ in _cells(layer)], to_onnx(layer)
    _count("from_onnx", "layers", weights, layer.num_layers)
    for k, (arrays, shapes) in enumerate(zip(weights, expected, strict=True)):
        where = f"from_onnx, layer {k}"
        if set(arrays) != set(shapes):
            raise UnknownNameError(
                "these are not the arrays of this layer",
                where=where,
                expected=", ".join(shapes),
                got=", ".join(arrays),
            )
        given = {name: np.asarray(array) for name, array in arrays.items()}
        for name, array in given.items():
            check_layout(where, name, array, shapes[name].shape, "ONNX's")
        for i, suffix in enumerate(cells[k * layer.directions : (k + 1) * layer.directions]):
            state |= _of_onnx(kind, suffix, {name: array[i] for name, array in given.items()})
    layer.load_state_dict(state)


def _of_onnx(kind: str, suffix: str, arrays: Arrays) -> Arrays:
    """One direction's arrays under PyTorch's names."""
    stems = {"weight_ih": arrays["W"], "weight_hh": arrays["R"]}
    if "B" in arrays:
        stems["bias_ih"], stems["bias_hh"] = np.split(arrays["B"], 2)
    found = {f"{stem}_{suffix}": reordered(a, ONNX[kind], OURS[kind]) for stem, a in stems.items()}
    if "P" in arrays:
        found[f"peephole_{suffix}"] = reordered(arrays["P"], PEEPHOLES_OF_ONNX, PEEPHOLES)
    return found


# What all share.


def _cells(layer: Recurrent) -> list[tuple[str, Arrays]]:
    """The parameters of each layer and direction, by their stems, and the suffix of their names."""
    state, found = layer.state_dict(), []
    for k, reverse in layer.cells():
        suffix = suffix_of(k, reverse)
        found.append((suffix, {stem: state[f"{stem}_{suffix}"] for stem in layer.shapes(k)}))
    return found


def _plain(layer: Any, where: str, peephole: bool = False) -> str:
    """The kind of a layer that the other program has too."""
    if not isinstance(layer, Recurrent):
        raise DtypeError(
            "only recurrent layers have these layouts",
            where=where,
            expected="nn.LSTM, nn.GRU or nn.RNN",
            got=type(layer).__name__,
        )
    extras = {"proj_size": layer.proj_size, "layer_norm": getattr(layer, "layer_norm", False)}
    if not peephole:
        extras["peephole"] = getattr(layer, "peephole", False)
    for name, value in extras.items():
        if value:
            raise ShapeError(
                "the other program has no such layer", where=where, got=f"{name}={value}"
            )
    return next(cls.__name__ for cls in type(layer).__mro__ if cls.__name__ in OURS)


def check_layout(
    where: str, name: str, array: np.ndarray, shape: Any, layout: str = "PyTorch's"
) -> None:
    if array.shape != tuple(shape):
        other = (
            " (it is transposed)" if array.shape == tuple(shape)[::-1] != array.shape[::-1] else ""
        )
        raise ShapeError(
            f"the array is not in {layout} layout{other}",
            where=f"{where}, {name}",
            expected=tuple(shape),
            got=array.shape,
        )


def _count(where: str, what: str, given: Sequence[Any], count: int) -> None:
    if len(given) != count:
        raise ShapeError(f"another number of {what}", where=where, expected=count, got=len(given))
