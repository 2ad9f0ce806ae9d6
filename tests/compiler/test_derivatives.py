"""Functions that differentiate, or compute parts again, run as programs too."""

import re

import numpy as np
import pytest

from tinygrad_lstm import (
    Tensor,
    block,
    checkpoint,
    compile,
    dropout,
    grad,
    gradients,
    hvp,
    jacobian,
    jvp,
    linear,
    nn,
    no_grad,
    relu,
    tanh,
    value_and_grad,
    vjp,
)
from tinygrad_lstm.errors import DtypeError, GradientError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
W, b = Tensor(RNG.normal(size=(3, 3)), True, "W"), Tensor(RNG.normal(size=3), True, "b")
GRU = nn.GRU(3, 3, num_layers=2, rng=0)


def net(x, W=W, b=b):
    return tanh(linear(x, W, b))


def penalty(x, f=net):
    x = Tensor(x, requires_grad=True)
    y = f(x).sum()
    g = gradients(y, create_graph=True)[x]
    return y + ((np.sqrt((g * g).sum(axis=1)) - 1) ** 2).mean()


def by_name(x):
    h = Tensor(x)
    for t in range(2):
        with block(t + 1):
            h = net(h).named("h")
    y = (h * h).sum()
    g = gradients(y, create_graph=True)
    return y + (g["h<1>"] ** 2).sum() + (g["W @ 1"] ** 2).sum()


def inner_step(x):
    def inner(W, b):
        return (net(x, W, b) ** 2).mean()

    value, (dW, db) = value_and_grad(inner, argnums=(0, 1))(W, b)
    return value + inner(W - 0.1 * dW, b - 0.1 * db)


def picked(h):
    return net(h)[[0, 0, 1]] * net(h)[1:]


def segments(x):
    def part(h):
        return net(h) * Tensor(np.arange(3.0)) + net(Tensor(np.zeros((4, 3)))) * np.arange(3.0)

    h = Tensor(x)
    for _ in range(3):
        h = checkpoint(part)(h)
    return (h * h).sum()


def layers(x):
    y, last = GRU(x[:, np.newaxis], checkpoint=2)
    return (y**2).sum() + last.sum()


FUNCTIONS = {
    "penalty": penalty,
    "of a selection": lambda x: penalty(x, lambda z: relu(net(z))[[0, 0, 1, 2]]),
    "of a sort": lambda x: penalty(x, lambda z: np.sort(net(z), axis=0) * X),
    "by names": by_name,
    "a step inside": inner_step,
    "twice": lambda x: grad(lambda W: (grad(lambda W: net(x, W).sum())(W) ** 2).sum())(W).sum(),
    "hvp": lambda x: (hvp(lambda W: net(x, W).sum(), W, np.ones((3, 3))) ** 2).sum(),
    "jvp": lambda x: sum((y**2).sum() for y in jvp(lambda b: net(x, W, b), (b,), (X[0],))),
    "vjp": lambda x: (vjp(lambda W: net(x, W), W)[1](X)[0] ** 2).sum(),
    "jacobian": lambda x: (jacobian(lambda b: net(x[0], W, b))(b) ** 2).sum(),
    "numbers": lambda x: net(x).sum() * np.abs(gradients(net(x).sum())["W"]).mean(),
    "checkpoints": segments,
    "one in the other": lambda x: checkpoint(lambda h: checkpoint(net)(h) * 2)(net(x)).sum(),
    "with an index": lambda x: (checkpoint(picked)(Tensor(x)) ** 2).sum(),
    "a penalty through one": lambda x: penalty(x, checkpoint(net)),
    "of layers": layers,
}


@pytest.mark.parametrize("backend", ["numpy", None])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_program_differentiates_and_computes_again(function, backend):
    fast = compile(function, backend=backend)
    for x in (X, 1.5 * X):
        loss, grads = fast(x)
        expected = function(x)
        g = gradients(expected)
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        for name, total in grads.items():
            np.testing.assert_allclose(total, g[name], rtol=1e-10, atol=1e-12)
    assert fast.plan(X).compiled


def test_what_a_checkpoint_computes_again_is_computed_once():
    def plain(x):
        return (picked(Tensor(x)) ** 2).sum()

    once, again = (str(compile(f).plan(X)) for f in (plain, FUNCTIONS["with an index"]))
    found = [re.search(r"\d+ instructions", text)[0] for text in (once, again)]
    assert found[0] == found[1]


def test_what_the_tape_refuses_is_refused():
    generator = np.random.default_rng(0)

    def noisy(x):
        return checkpoint(lambda h: dropout(net(h), 0.5, rng=generator))(x).sum()

    def edited(x):
        t = Tensor(x, requires_grad=True)
        y = net(t).sum()
        with no_grad():
            t *= 2
        return gradients(y, create_graph=True)[t].sum()

    def several(x):
        return checkpoint(lambda h: (net(h), h))(x)[0].sum()

    for function in (noisy, edited, several):
        with pytest.raises((GradientError, DtypeError)):
            gradients(function(X))
        with pytest.raises((GradientError, DtypeError)):
            compile(function)(X)


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (lambda h: h.numpy().std() + h.numpy().argmax() + h.numpy().clip(0, 1).mean(), ""),
        (
            lambda h: float(h.numpy()[0, 0]),
            "float() asks for its value, in line {line} of {file} (",
        ),
        (lambda h: h.numpy().tolist()[0][0], "tolist() asks"),
        (lambda h: 1.0 if h.numpy().mean() > 0 else 2.0, "np.where"),
        (lambda h: np.asarray(h.numpy()).mean(), "an array of its numbers is made, in line"),
        (lambda h: h.numpy().sort() or 1.0, "sort of an array"),
    ],
)
def test_what_is_asked_of_numbers_says_where(weight, says):
    def function(x):
        h = net(x)
        return (h * weight(h)).sum()

    fast = compile(function)
    code = weight.__code__
    says = says.format(line=code.co_firstlineno, file="test_derivatives.py")
    plan = fast.plan(X)
    assert plan.compiled == (not says) and says in plan.reason
    if "sort" not in says:
        assert fast(X)[0] == pytest.approx(function(X).item(), rel=1e-12)
