"""A module as a file of ONNX (extra ``onnx``)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError, DtypeError
from tinygrad_lstm.files import write
from tinygrad_lstm.lstm.cell import Cell
from tinygrad_lstm.nn.layers import Dropout, Embedding, LayerNorm, Linear, Sequential
from tinygrad_lstm.nn.module import Module
from tinygrad_lstm.nn.recurrent import Recurrent
from tinygrad_lstm.nn.rnn import GRU, RNN
from tinygrad_lstm.nn.weights import to_onnx

__all__ = ["export_onnx"]

OPSET = 17  # the first with LayerNormalization
VERSION = 8  # of the file format, as it was then


def export_onnx(module: Module, path: Any) -> None:
    """Write a module to a file of ONNX, for other programs to run.

    Parameters
    ----------
    module : nn.LSTM, nn.GRU, nn.RNN, nn.Linear, nn.Embedding, nn.LayerNorm, nn.Dropout, or an
        nn.Sequential of them
        As it is after training: nothing is dropped.
    path : str or path
        The file. Its input is called x: numbers of the module's dtype, laid out as for a call with
        a batch; whole numbers (T, N) for an Embedding; (N, D) for the others. The outputs are y
        and, of a recurrent layer by itself, h_n and c_n. A recurrent layer starts where the module
        does: at zero, or at its trained state.

    Raises
    ------
    DtypeError, ShapeError
        If ONNX has no such layer.
    DataError
        If the package onnx is missing, or the file cannot be written.
    """
    if not isinstance(module, Module):
        raise DtypeError(
            "this is no module",
            where="export_onnx",
            expected="a layer of nn",
            got=type(module).__name__,
            do="load nn.to_pytorch(lstm) into an nn.LSTM" if isinstance(module, Cell) else None,
        )
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        raise DataError(
            "the package onnx is missing",
            where="export_onnx",
            do="pip install tinygrad-lstm[onnx]",
        ) from error
    graph = _Graph(onnx, module)
    y = graph.add(module, "x")
    graph.node("Identity", [y], ["y"])
    write(path, graph.model().SerializeToString())


class _Graph:
    """The nodes, weights and outputs of a file, while they are put together."""

    def __init__(self, onnx: Any, module: Module) -> None:
        self.onnx, self.helper = onnx, onnx.helper
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.states: list[str] = []
        self.root, self.first = module, _first(module)
        dtypes = {value.dtype for value in module.state_dict().values()}
        self.kind = onnx.helper.np_dtype_to_tensor_dtype(dtypes.pop() if dtypes else np.dtype("f8"))

    def node(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        """Add a node; the name of its first output."""
        self.nodes.append(self.helper.make_node(op, inputs, outputs, **attributes))
        return outputs[0]

    def name(self, stem: str) -> str:
        """A name that is not in use."""
        return f"{stem}_{len(self.nodes)}_{len(self.weights)}"

    def weight(self, value: Any) -> str:
        """Store an array; its name."""
        name = self.name("weight")
        self.weights.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, module: Module, x: str) -> str:
        """Add a module that reads `x`; the name of what it computes."""
        if isinstance(module, Sequential):
            for part in module.modules:
                x = self.add(part, x)
            return x
        if isinstance(module, Recurrent):
            return self.recurrent(module, x)
        if isinstance(module, Dropout):
            return x
        y = self.name("value")
        if isinstance(module, Linear):
            product = self.node("MatMul", [x, self.weight(module.weight.numpy().T)], [f"{y}_W"])
            return self.node("Add", [product, self.weight(module.bias.numpy())], [y])
        if isinstance(module, Embedding):
            return self.node("Gather", [self.weight(module.weight.numpy()), x], [y])
        if isinstance(module, LayerNorm):
            both = [self.weight(module.weight.numpy()), self.weight(module.bias.numpy())]
            options = {"axis": -module.weight.ndim, "epsilon": module.eps}
            return self.node("LayerNormalization", [x, *both], [y], **options)
        raise DtypeError(
            "what this module computes is not known",
            where="export_onnx",
            expected="layers of nn, or an nn.Sequential of them",
            got=type(module).__name__,
        )

    def recurrent(self, layer: Recurrent, x: str) -> str:
        """Add the operators of all layers, and their states."""
        if layer.batch_first:
            x = self.node("Transpose", [x], [self.name("turned")], perm=[1, 0, 2])
        op, attributes = _operator(layer)
        last: list[list[str]] = [[] for _ in layer.states]
        for k, arrays in enumerate(to_onnx(layer)):
            y, *ends = (self.name(stem) for stem in ("y", *(f"{s}_end" for s in layer.states)))
            start = self.start(layer, k, x)
            bias = self.weight(arrays["B"]) if "B" in arrays else ""
            inputs = [x, self.weight(arrays["W"]), self.weight(arrays["R"]), bias, "", *start]
            if "P" in arrays:
                inputs += [""] * (7 - len(inputs)) + [self.weight(arrays["P"])]
            self.node(op, inputs, [y, *ends], **attributes)
            x = self.joined(y, layer)
            for names, end in zip(last, ends, strict=True):
                names.append(end)
        self.states = [
            self.node("Concat", names, [f"{letter}_n"], axis=0)
            for letter, names in zip("hc", last, strict=False)
            if layer is self.root
        ]
        turned = self.name("turned")
        return self.node("Transpose", [x], [turned], perm=[1, 0, 2]) if layer.batch_first else x

    def joined(self, y: str, layer: Recurrent) -> str:
        """(T, directions, N, H), as the operators return it, to (T, N, directions * H)."""
        turned = self.node("Transpose", [y], [self.name("turned")], perm=[0, 2, 1, 3])
        shape = self.weight(np.array([0, 0, layer.directions * layer.hidden_size]))
        return self.node("Reshape", [turned, shape], [self.name("joined")])

    def start(self, layer: Recurrent, k: int, x: str) -> list[str]:
        """The initial states of a layer: none if they are zero, else for each row the trained."""
        if layer.initial != "trained":
            return []
        shape = self.node("Shape", [x], [self.name("rows")], start=1, end=2)
        sides = slice(k * layer.directions, (k + 1) * layer.directions)
        found = []
        for letter in "hc"[: len(layer.states)]:
            value = getattr(layer, f"{letter}_0").numpy()[sides, np.newaxis]
            ends = [self.weight(np.array([v])) for v in (value.shape[0], value.shape[2])]
            whole = self.node("Concat", [ends[0], shape, ends[1]], [self.name("shape")], axis=0)
            found.append(self.node("Expand", [self.weight(value), whole], [self.name("start")]))
        return found

    def model(self) -> Any:
        """The whole file."""
        axes, words = _axes(self.first), isinstance(self.first, Embedding)
        info = self.helper.make_tensor_value_info
        x = info("x", self.onnx.TensorProto.INT64 if words else self.kind, axes)
        ranks = {"y": len(axes) + words, **dict.fromkeys(self.states, 3)}
        outputs = [
            info(name, self.kind, [f"{name}_{i}" for i in range(rank)])
            for name, rank in ranks.items()
        ]
        graph = self.helper.make_graph(self.nodes, "tinygrad_lstm", [x], outputs, self.weights)
        opset = [self.helper.make_opsetid("", OPSET)]
        model = self.helper.make_model(graph, opset_imports=opset, ir_version=VERSION)
        self.onnx.checker.check_model(model)
        return model


def _first(module: Module) -> Module:
    """What reads x."""
    while isinstance(module, Sequential):
        module = module.modules[0]
    return module


def _axes(first: Module) -> list[str | int]:
    """The axes of x, by name where their length is open."""
    if isinstance(first, Embedding):
        return ["T", "N"]
    if isinstance(first, Recurrent):
        return ["N", "T", first.input_size] if first.batch_first else ["T", "N", first.input_size]
    return ["N", *(first.weight.shape[-1:] if hasattr(first, "weight") else ("D",))]


def _operator(layer: Recurrent) -> tuple[str, dict[str, Any]]:
    """The operator of a recurrent layer, and its attributes."""
    attributes: dict[str, Any] = {
        "hidden_size": layer.hidden_size,
        "direction": "bidirectional" if layer.bidirectional else "forward",
    }
    if isinstance(layer, GRU):
        return "GRU", attributes | {"linear_before_reset": int(layer.reset_after)}
    if isinstance(layer, RNN):
        name = {"tanh": "Tanh", "relu": "Relu"}[layer.nonlinearity]
        return "RNN", attributes | {"activations": [name] * layer.directions}
    return "LSTM", attributes
