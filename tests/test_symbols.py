"""The third kind of value: the rules of the LSTM's stages, driven through symbols, write the chain rule."""

import numpy as np

from tinygrad_lstm import LSTM


class Symbol:
    def __init__(self, name, shape):
        self.name, self.shape, self.ndim, self.dtype = name, shape, len(shape), np.dtype(float)

    def _infix(self, sign, other, swap=False):
        left, right = (other, self) if swap else (self, other)
        names = [getattr(v, "name", str(v)) for v in (left, right)]
        return Symbol(f"({names[0]} {sign} {names[1]})", np.broadcast_shapes(self.shape, getattr(other, "shape", ())))

    __mul__ = lambda self, other: self._infix("∘", other)  # noqa: E731
    __sub__ = lambda self, other: self._infix("−", other)  # noqa: E731
    __rsub__ = lambda self, other: self._infix("−", other, swap=True)  # noqa: E731
    __neg__ = lambda self: Symbol(f"−{self.name}", self.shape)  # noqa: E731
    T = property(lambda self: Symbol(f"{self.name}ᵀ", self.shape[::-1]))

    def __getitem__(self, key):
        return Symbol(f"{self.name}[:, {key[-1].start}:{key[-1].stop}]", (*self.shape[:-1], key[-1].stop - key[-1].start))

    def sum(self, axis):
        return Symbol(f"Σ{axis} {self.name}", tuple(n for i, n in enumerate(self.shape) if i != axis))

    def __array_function__(self, function, types, args, kwargs):
        assert function is np.dot, function
        return Symbol(f"{args[0].name} {args[1].name}", (args[0].shape[0], args[1].shape[1]))


def written_out(stage, names):
    """The line of every argument of a stage, and the shapes its rules say they have."""
    node = stage.output
    symbols = [Symbol(names.get(id(x), x.name), x.shape) for x in stage.inputs]
    g, y = Symbol("δ" + stage.name, node.shape), Symbol(stage.name, node.shape)
    lines = {}
    for i, x in enumerate(stage.inputs):
        op = node._op
        sent = op.rules[0](g, y, symbols, i, **node._params) if op.variadic else op.rules[i](g, y, *symbols, **node._params)
        assert sent.shape == x.shape, (stage, i)
        lines[x.name] = sent.name
    return lines


def test_the_rules_write_the_derivation():
    lstm = LSTM(3, 4, rng=0)
    loss = lstm.error(np.ones((2, 1, 3)), np.zeros((2, 1, 4)))
    lines = {stage.name: written_out(stage, {}) for stage in loss.tape}
    assert lines["a<1>"] == {"tanh_c<1>": "(δa<1> ∘ Γ_o<1>)", "Γ_o<1>": "(δa<1> ∘ tanh_c<1>)"}  # B3, B4
    assert lines["tanh_c<1>"] == {"c<1>": "(δtanh_c<1> ∘ (1 − (tanh_c<1> ∘ tanh_c<1>)))"}  # B4
    assert lines["keep<2>"] == {"c<1>": "(δkeep<2> ∘ Γ_f<2>)", "Γ_f<2>": "(δkeep<2> ∘ c<1>)"}  # B5, B6
    assert lines["Γ_f<2>"] == {"sum_f<2>": "(δΓ_f<2> ∘ (Γ_f<2> ∘ (1 − Γ_f<2>)))"}  # B7
    assert lines["sum_f<2>"] == {"z<2>": "δsum_f<2> W_f", "W_f": "δsum_f<2>ᵀ z<2>", "b_f": "Σ0 δsum_f<2>"}  # B11, B12, B13
    assert lines["z<2>"] == {"a<1>": "δz<2>[:, 0:4]", "x<2>": "δz<2>[:, 4:7]"}  # B14, B15
    assert lines["Error<2>"] == {"a<2>": "(−δError<2> ∘ (â<2> − a<2>))", "â<2>": "(δError<2> ∘ (â<2> − a<2>))"}  # B1
    assert lines["Error"] == {"Error<1>": "δError", "Error<2>": "δError"}
    assert {stage.op for stage in loss.tape} == {"concatenate", "linear", "sigmoid", "tanh", "multiply", "add", "squared_error", "add_n"}
