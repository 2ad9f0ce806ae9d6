"""Write linalg.json: values and derivatives of linear algebra from PyTorch, for tests that run
without it.

Usage: ``python tests/reference/make_linalg.py`` with PyTorch installed. The formulas do not depend
on the signs that a library gives to vectors: they square them, or multiply each with itself.
"""

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("linalg.json")


def transposed(x):
    return x.swapaxes(-1, -2)


def positive(x):
    return x @ transposed(x) + 0.5


def function_of(la, x):
    """The symmetric matrix with the same eigenvectors and the squared eigenvalues."""
    w, V = la.eigh(x + transposed(x))
    return (V * (w * w)[..., None, :]) @ transposed(V)


def polar(la, x):
    U, _, Vh = la.svd(x, full_matrices=False)
    return U @ Vh


FORMULAS = {
    "inv": lambda la, x: la.inv(x),
    "solve": lambda la, a, b: la.solve(a, b),
    "det": lambda la, x: la.det(x),
    "slogdet": lambda la, x: la.slogdet(x)[1],
    "cholesky": lambda la, x: la.cholesky(positive(x)),
    "cholesky of any": lambda la, x: la.cholesky(x),
    "qr Q": lambda la, x: la.qr(x)[0] ** 2,
    "qr R": lambda la, x: la.qr(x)[1] ** 2,
    "eigh values": lambda la, x: la.eigh(x + transposed(x))[0],
    "eigh vectors": lambda la, x: la.eigh(x + transposed(x))[1] ** 2,
    "eigh function": function_of,
    "svd U": lambda la, x: la.svd(x, full_matrices=False)[0] ** 2,
    "svd S": lambda la, x: la.svd(x, full_matrices=False)[1],
    "svd Vh": lambda la, x: la.svd(x, full_matrices=False)[2] ** 2,
    "svd polar": polar,
}

SQUARE = [[(3, 3)], [(2, 2, 2)]]
OBLONG = [[(3, 3)], [(4, 2)], [(2, 2, 3)]]
SHAPES = {
    "solve": [[(3, 3), (3, 2)], [(2, 2, 2), (2, 2, 1)], [(2, 1, 2, 2), (3, 2, 2)]],
    **dict.fromkeys(("qr Q", "qr R", "svd U", "svd S", "svd Vh", "svd polar"), OBLONG),
}


def inputs(name, shapes, rng):
    arrays = [rng.normal(size=shape) for shape in shapes]
    return (
        [a @ transposed(a) + np.eye(a.shape[-1]) for a in arrays]
        if name == "cholesky of any"
        else arrays
    )


def cases():
    """Numbers by PyTorch: the value, and the derivatives of <weights, value> and of <directions,
    derivatives>."""
    import torch  # only here: the formulas and the tests do without

    rng = np.random.default_rng(20)
    for name, formula in FORMULAS.items():
        for shapes in SHAPES.get(name, SQUARE):
            arrays = inputs(name, shapes, rng)
            xs = [torch.tensor(a, requires_grad=True) for a in arrays]
            y = formula(torch.linalg, *xs)
            weights, directions = rng.normal(size=y.shape), [rng.normal(size=s) for s in shapes]
            first = torch.autograd.grad(y, xs, torch.tensor(weights), create_graph=True)
            along = sum((g * torch.tensor(v)).sum() for g, v in zip(first, directions, strict=True))
            second = torch.autograd.grad(along, xs)
            lists = {"value": y, "first": first, "second": second}
            yield {
                "name": name,
                "inputs": [a.tolist() for a in arrays],
                "weights": weights.tolist(),
                "directions": [v.tolist() for v in directions],
                **{
                    key: [g.tolist() for g in part] if key != "value" else part.tolist()
                    for key, part in lists.items()
                },
            }


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases()) + "\n]\n")
