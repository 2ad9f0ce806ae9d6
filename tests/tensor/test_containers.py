"""Dicts, lists, tuples and named tuples of values go in and come out as they are; several
outputs."""

from typing import NamedTuple

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    DtypeError,
    GradientError,
    ShapeError,
    Tensor,
    UnknownNameError,
    elementwise_grad,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    svd,
    value_and_grad,
    vjp,
)

X = np.random.default_rng(0).normal(size=(3, 4))


class Layer(NamedTuple):
    weight: object
    bias: object


def network(p, x):
    for layer in p["layers"]:
        x = np.tanh(layer.weight @ x + layer.bias)
    return (p["scale"] * x).sum()


def parameters():
    rng = np.random.default_rng(1)
    layers = [Layer(rng.normal(size=(2, 3)), np.zeros(2)), Layer(rng.normal(size=(1, 2)), [0.5])]
    return {"layers": layers, "scale": 2.0, "unused": None}


def along_complex_steps(f, p, x):
    """The gradient of f by each array of the network, entry by entry."""

    def slope(change):
        return f(change, x).imag / 1e-30

    def by(array, put):
        steps = (array + 1e-30j * e.reshape(array.shape) for e in np.eye(array.size))
        return np.reshape([slope(put(step)) for step in steps], array.shape)

    def with_layer(i, field, value):
        layers = list(p["layers"])
        layers[i] = layers[i]._replace(**{field: value})
        return {**p, "layers": layers}

    layers = [
        Layer(
            *(
                by(np.asarray(array), lambda v, i=i, field=field: with_layer(i, field, v))
                for field, array in layer._asdict().items()
            )
        )
        for i, layer in enumerate(p["layers"])
    ]
    scale = by(np.asarray(p["scale"]), lambda v: {**p, "scale": v})
    return {"layers": layers, "scale": scale, "unused": None}


def same(found, expected):
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(found) is type(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif expected is None:
        assert found is None
    else:
        assert type(found) is np.ndarray
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_network_in_containers_against_the_complex_step():
    p, x = parameters(), X[:, 0]
    expected = along_complex_steps(network, p, x)
    same(grad(network)(p, x), expected)
    value, (by_p, by_x) = value_and_grad(network, argnum=(0, 1))(p, x)
    assert value == network(p, x)
    same(by_p, expected)
    same(by_x, grad(network, 1)(p, x))
    same(vjp(lambda p: network(p, x), p)[1](2.0)[0]["scale"], 2 * expected["scale"])


def test_second_derivatives_of_containers():
    p, x = parameters(), X[:, 0]
    H = hessian(network)(p, x)
    row = grad(lambda p: grad(network)(p, x)["layers"][0].bias[1])(p)
    same(H["layers"][0].bias["layers"][0].weight[1], row["layers"][0].weight)
    same(H["scale"]["layers"][1].weight, H["layers"][1].weight["scale"])
    found = hvp(lambda p: p["a"] * p["b"] ** 2, {"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 0.0})
    same(found, {"a": np.array(4.0), "b": np.array(2.0)})


def test_functions_of_several_outputs():
    y, pull = vjp(lambda a: svd(a, full_matrices=False), X)
    u, _, vh = y
    same(
        pull(type(y)(0 * u, np.ones(3), 0 * vh))[0],
        grad(lambda a: np.linalg.svd(a, compute_uv=False).sum())(X),
    )
    value, slope = jvp(lambda x: {"square": x * x, "rest": [2 * x, 5.0]}, 3.0, 10.0)
    same(value, {"square": 9.0, "rest": [6.0, 5.0]})
    same(slope, {"square": 60.0, "rest": [20.0, 0.0]})
    v = X[0]
    same(jacobian(lambda x: (x * x, x.sum()))(v), (np.diag(2 * v), np.ones(4)))
    tree = jacobian(lambda p: {"y": p["a"] * p["b"]})({"a": v, "b": 2.0})
    same(tree, {"y": {"a": 2.0 * np.eye(4), "b": v}})
    assert type(grad(lambda p: vjp(lambda q: (q, q * q), p)[1]((1.0, p))[0])(2.0)) is np.ndarray


def test_what_is_a_container():
    same(grad(lambda p: p[0] * p[1])((2.0, 3.0)), (np.array(3.0), np.array(2.0)))
    same(grad(lambda x: (x**2).sum())([[2.0, 3.0]]), np.array([[4.0, 6.0]]))  # as for NumPy
    same(grad(lambda p: p[0] * p[1].sum())([2.0, np.ones(2)]), [np.array(2.0), np.full(2, 2.0)])
    t = Tensor(2.0, requires_grad=True)
    inside = grad(lambda p: p["a"] * t)({"a": t})["a"]
    assert isinstance(inside, Tensor)
    assert inside.requires_grad
    with no_grad():
        assert grad(lambda p: p["a"] ** 2)({"a": t})["a"].item() == 4.0


def test_elementwise_grad():
    same(elementwise_grad(np.sin)(X), np.cos(X))
    same(elementwise_grad(lambda a, b: a * b, argnum=1)(X, X), X)
    same(elementwise_grad(elementwise_grad(lambda x: x**3))(X), 6 * X)


@pytest.fixture
def lstm():
    lstm = LSTM(input_size=2, hidden_size=3, rng=0)
    _, state = lstm(X[:, :2].reshape(3, 1, 2))
    return lstm, state


def test_several_outputs_each_with_its_gradient(lstm):
    lstm, (a, c) = lstm
    da, dc = X[:1, :3], X[1:2, :3]
    found = gradients([a, c], [da, dc])
    expected = gradients((a * da).sum() + (c * dc).sum())
    for name in (*lstm.parameters(), "c<3>", "a<3>", "Γ_f<2>", "c<0>"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-13, atol=1e-16)
    assert [b.stage.op for b in found.branches("c<3>")] == ["tanh", "ravel"]
    np.testing.assert_array_equal(found.branches("c<3>")[1].gradient, dc)
    same(gradients({"a": a, "c": c}, {"c": dc, "a": da})["W_f"], found["W_f"])
    again = gradients([a, c], [da, dc], create_graph=True)
    assert isinstance(again["W_f"], Tensor)
    assert a.grad is None


def test_outputs_of_several_dtypes():
    x = Tensor(np.float32(3.0), requires_grad=True, name="x")
    z = (x.astype(np.float64) * (1 + 2j)).named("z")
    y = (x * x).named("y")
    g = gradients((y, z), (1.0, 1 + 0j))
    assert (g["x"], g["x"].dtype) == (7.0, np.float32)
    assert gradients([y, 2 * x])["x"] == 8.0  # 1 arrives at scalars
    with pytest.raises(DtypeError, match="the gradient of a real value is real"):
        gradients([y, z], [1j, 1j])


def test_gradients_are_asked_for_in_containers(lstm):
    lstm, (a, _) = lstm
    g = gradients(a.sum())
    found = g[lstm.parameters()]
    assert list(found) == list(lstm.parameters())
    same(found["W_c"], g["W_c"])
    same(g["a<2>", "c<2>"], (g["a<2>"], g["c<2>"]))
    same(g[[a, {"c": "c<1>"}]], [g[a], {"c": g["c<1>"]}])
    for key in (None, [1, 2], ["c<9>"]):
        assert key not in g
    with pytest.raises(UnknownNameError):
        g[None]


def test_containers_that_do_not_fit(lstm):
    _, (a, c) = lstm
    with pytest.raises(ShapeError, match=r"gradient=: .* expected a list of 2, got a list of 1"):
        gradients([a, c], [np.ones((1, 3))])
    with pytest.raises(GradientError, match="backward of c<3>: the gradient does not have"):
        gradients([a, c], [np.ones((1, 3)), np.ones(3)])
    with pytest.raises(GradientError, match="there is nothing to differentiate"):
        gradients([])
    with pytest.raises(DtypeError, match="returns one value: .* got dict; stack or add them"):
        grad(lambda p: p)({"a": 1.0})
    with pytest.raises(DtypeError, match=r"network, argument \[0\]\['scale'\]: only floating"):
        grad(network)({"layers": [], "scale": 2}, X)
    with pytest.raises(ShapeError, match="expected a dict of 'a', got a dict of 'b'"):
        jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},))
