"""The document's LSTM to and from PyTorch's layout; the layers of nn have that anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DtypeError, UnknownNameError
from tinygrad_lstm.lstm.lstm import LSTM
from tinygrad_lstm.nn.weights import OURS, Arrays, check_layout

__all__ = ["from_pytorch", "to_pytorch"]

GATES = OURS["LSTM"]
NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def to_pytorch(lstm: LSTM) -> Arrays:
    """The parameters of the document's LSTM as a layer of PyTorch has them.

    Parameters
    ----------
    lstm : LSTM
        Of D inputs and H units.

    Returns
    -------
    dict of str to ndarray
        ``weight_ih_l0`` (4H, D), ``weight_hh_l0`` (4H, H), ``bias_ih_l0`` and ``bias_hh_l0`` (4H,),
        the second of them 0, since the document has one bias. Without biases the weights alone.
    """
    if not isinstance(lstm, LSTM):
        raise DtypeError(
            "this is not the document's LSTM",
            where="to_pytorch",
            got=type(lstm).__name__,
            do="a layer of nn has PyTorch's layout: state_dict()",
        )
    p, H = {name: t.numpy() for name, t in lstm.parameters().items()}, lstm.hidden_size
    W = np.concatenate([p[f"W_{gate}"] for gate in GATES])
    found = [W[:, H:].copy(), W[:, :H].copy()]
    if lstm.bias:
        b = np.concatenate([p[f"b_{gate}"] for gate in GATES])
        found += [b, np.zeros_like(b)]
    return dict(zip(NAMES, found, strict=False))


def from_pytorch(state: Mapping[str, Any]) -> LSTM:
    """The document's LSTM with the parameters of a layer of PyTorch.

    Parameters
    ----------
    state : mapping of str to array_like
        As :func:`to_pytorch` returns it; of the two biases the sum is taken.

    Raises
    ------
    UnknownNameError, ShapeError
        If there is more than one layer, or a shape does not fit.
    """
    arrays = {name: np.asarray(value) for name, value in state.items()}
    if not set(NAMES[:2]) <= set(arrays) <= set(NAMES):
        raise UnknownNameError(
            "these are not the parameters of one layer of PyTorch's LSTM",
            where="from_pytorch",
            expected=", ".join(NAMES),
            got=", ".join(arrays),
        )
    ih, hh = (arrays[name] for name in NAMES[:2])
    H = hh.shape[-1]
    check_layout("from_pytorch", "weight_hh_l0", hh, (4 * H, H))
    check_layout("from_pytorch", "weight_ih_l0", ih, (4 * H, ih.shape[-1]))
    biases = [np.asarray(arrays.get(name, np.zeros(4 * H, ih.dtype))) for name in NAMES[2:]]
    for name, b in zip(NAMES[2:], biases, strict=True):
        check_layout("from_pytorch", name, b, (4 * H,))
    W, b = np.concatenate([hh, ih], axis=1), biases[0] + biases[1]
    found = {f"W_{g}": w for g, w in zip(GATES, np.split(W, 4), strict=True)}
    if len(arrays) > 2:
        found |= {f"b_{g}": v for g, v in zip(GATES, np.split(b, 4), strict=True)}
    return LSTM.from_arrays(found)
