"""Complex values. The gradient of a real loss by z = x + iy is dL/dx + i dL/dy, as PyTorch's."""

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, GradientError, Tensor, grad, gradients, jacobian, jvp, vjp

rng = np.random.default_rng(0)
Z = rng.normal(size=4) + 1j * rng.normal(size=4)
M = rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))


def hermitian(a):
    return a + np.conj(a.T)


def of_hermitian(decomposition, a):
    """A loss that sees no phase of the vectors."""
    w, v = decomposition(hermitian(a))
    return (np.abs(v) ** 2 * np.arange(16.0).reshape(4, 4)).sum() + (w * w[0]).sum()


def of_eig(a):
    w, v = np.linalg.eig(a)
    weights = np.arange(3.0).reshape(3, 1)
    return (np.abs(v) ** 2 * np.abs(w) * weights).sum() + (w**2).imag.sum()


def of_svd(a):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    common = (u * np.arange(s.size)) @ vh  # a phase of both cancels
    return (
        (common.imag * M[0, 0].real).sum()
        + (np.abs(u) ** 4).sum()
        + (np.abs(vh) * s[:, None]).sum()
    )


LOSSES = {
    "squared modulus": lambda z: (z * z.conj()).real.sum(),
    "abs": lambda z: abs(z).sum(),
    "product and quotient": lambda z: (z * z / (z + 2) - 3 * z).imag.sum(),
    "power": lambda z: (z**3).real.sum() + (z ** (1 + 2j)).imag.sum(),
    "exp log sqrt": lambda z: (np.exp(z) * np.log(z) + np.sqrt(z)).real.sum(),
    "tanh sin": lambda z: (np.tanh(z) + np.sin(z) * np.cos(z)).imag.sum(),
    "matmul": lambda z: ((M @ z).real ** 2).sum(),
    "shapes": lambda z: (np.concatenate([z, z[1:]]).reshape(7, 1).T.imag ** 2 * np.arange(7)).sum(),
    "mean": lambda z: np.mean(z * z).real,
    "einsum": lambda z: np.einsum("ij,j,i->", M, z, M[:, 0]).real,
    "conj inside": lambda z: (np.conj(z) * z * z).real.sum(),
    "eigh": lambda z: of_hermitian(np.linalg.eigh, M.T * z[:, None] @ M),
    "eigvalsh": lambda z: (np.linalg.eigvalsh(hermitian(np.outer(z, M[0]))) * np.arange(4)).sum(),
    "svd (tall)": lambda z: of_svd(M.T * z[:, None]),
    "svd (wide)": lambda z: of_svd(M * z),
    "svd (square)": lambda z: of_svd(M * z[:3, None] @ M.T),
    "nuclear norm": lambda z: np.linalg.norm(M * z, "nuc"),
    "eig": lambda z: of_eig(M * z @ M.T),
    "pinv": lambda z: (np.linalg.pinv(M * z).imag * M.T.real).sum(),
    "real_if_close": lambda z: (np.real_if_close(z * z.conj()) * np.arange(4)).sum(),
    "real and imag": lambda z: (np.real(z) * np.imag(z) ** 2).sum(),
}


def numeric(f, z, h=1e-5):
    """dL/dx + i dL/dy by central differences."""
    out = np.zeros(z.shape, complex)
    for at in np.ndindex(z.shape):
        for unit in (1, 1j):
            e = np.zeros(z.shape, complex)
            e[at] = h * unit
            out[at] += unit * (f(z + e) - f(z - e)) / (2 * h)
    return out


@pytest.mark.parametrize("f", LOSSES.values(), ids=LOSSES)
def test_real_losses(f):
    z = Tensor(Z, requires_grad=True)
    loss = f(z)
    assert loss.dtype == float
    loss.backward()
    np.testing.assert_allclose(z.grad, numeric(f, Z), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(gradients(loss)[z], z.grad, rtol=1e-13)
    np.testing.assert_allclose(grad(f)(Z), z.grad, rtol=1e-13)


def test_as_pytorch():
    z = Tensor(1 + 2j, requires_grad=True)
    (abs(z) ** 2).backward()
    assert z.grad == pytest.approx(2 + 4j)  # stored from PyTorch 2.13, as those below
    assert gradients((z * z).real)[z] == pytest.approx(2 - 4j)
    assert gradients((z * z).imag)[z] == pytest.approx(4 + 2j)
    assert gradients(z * z, 1 + 1j)[z] == pytest.approx(6 - 2j)


def test_real_inputs_get_real_gradients():
    x, k = Tensor(rng.normal(size=4), requires_grad=True), Tensor(Z, requires_grad=True)
    loss = (x * k * np.exp(1j * x)).imag.sum()
    loss.backward()
    assert x.grad.dtype == float and k.grad.dtype == complex
    np.testing.assert_allclose(
        x.grad, np.imag(Z * np.exp(1j * x.numpy()) * (1 + 1j * x.numpy())), rtol=1e-12
    )


def test_branches_intermediates_and_hooks_have_the_same_convention():
    z = Tensor(Z, requires_grad=True, name="z")
    w = (z * z).named("w")
    loss = ((w * w.conj()).real).sum()
    g = gradients(loss)
    np.testing.assert_allclose(g["w"], 2 * w.numpy(), rtol=1e-14)
    np.testing.assert_allclose(sum(b.gradient for b in g.branches("w")), g["w"], rtol=1e-14)
    seen = []
    w.register_hook(lambda g: (seen.append(g), 2 * g)[1])
    np.testing.assert_allclose(gradients(loss)["z"], 2 * g["z"], rtol=1e-14)
    np.testing.assert_allclose(seen[0], g["w"])


def test_vjp_jvp_and_jacobian():
    def f(z):
        return np.tanh(M @ z)

    slope = (1 - np.tanh(M @ Z) ** 2)[:, None] * M
    np.testing.assert_allclose(jacobian(f)(Z), slope, rtol=1e-12)
    v, u = rng.normal(size=(2, 4)) + 1j * rng.normal(size=(2, 4))
    np.testing.assert_allclose(jvp(f, Z, v)[1], slope @ v, rtol=1e-12)
    pull = vjp(f, Z)[1]
    np.testing.assert_allclose(pull(u[:3])[0], slope.conj().T @ u[:3], rtol=1e-12)

    def modulus(z):
        return np.real(z * np.conj(z))

    np.testing.assert_allclose(
        jvp(modulus, Z, v)[1], 2 * (Z.conj() * v).real, rtol=1e-12
    )  # not analytic: linear over the reals


def test_gradients_of_gradients():
    def f(z):
        return (np.exp(z) * z).real.sum()

    v = rng.normal(size=4) + 1j * rng.normal(size=4)

    def slope(z):
        g = grad(f)(z)
        return (np.real(g) * v.real + np.imag(g) * v.imag).sum()

    np.testing.assert_allclose(grad(slope)(Z), numeric(slope, Z), rtol=1e-7, atol=1e-8)


def test_single_precision_and_complaints():
    z = Tensor(Z.astype(np.complex64), requires_grad=True)
    loss = abs(z * z).sum()
    loss.backward()
    assert loss.dtype == np.float32 and z.grad.dtype == np.complex64
    with pytest.raises(GradientError, match="only a real scalar"):
        (z * z).sum().backward()
    with pytest.raises(DtypeError, match="an analytic function has complex arguments"):
        jacobian(lambda x: x * 1j)(np.ones(2))


def test_parts_of_real_values():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (tg.real(x) * 2 + x.imag + x.conj()).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0] and x.grad.dtype == float


@pytest.mark.parametrize("f", ["eigh", "svd (tall)", "svd (wide)", "eig", "pinv"])
def test_second_derivatives_of_decompositions(f):
    f, v = LOSSES[f], M[1]

    def slope(z):
        g = grad(f)(z)
        return (np.real(g) * v.real + np.imag(g) * v.imag).sum()

    np.testing.assert_allclose(grad(slope)(Z), numeric(slope, Z), rtol=1e-5, atol=1e-6)


def test_eigenvectors_of_a_real_matrix_with_complex_ones():
    a = np.random.default_rng(3).normal(size=(4, 4))
    assert np.linalg.eigvals(a).dtype == complex
    found = grad(lambda a: (np.abs(np.linalg.eig(a).eigenvectors[0]) ** 4).sum())(a)
    expected = np.zeros((4, 4))
    for at in np.ndindex(4, 4):
        e = np.zeros((4, 4))
        e[at] = 1e-6
        up, down = ((np.abs(np.linalg.eig(a + h).eigenvectors[0]) ** 4).sum() for h in (e, -e))
        expected[at] = (up - down) / 2e-6
    assert found.dtype == float
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
