"""A training state in one file, without pickle: written beside its place and moved there, with a
checksum over every byte.

The file is: eight bytes of magic, the length of the header as eight bytes, the header (JSON: what
was saved, with each array as its dtype, shape and place), the arrays' bytes, and the SHA-256 of
all that.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError, DtypeError
from tinygrad_lstm.files import write
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["load", "load_safetensors", "save", "save_safetensors"]

MAGIC = b"tglstm1\n"
LENGTH, DIGEST = 8, 32
NUMBERS = re.compile(r"[<|][biufc]\d{1,2}")
DEEPEST = 100
PARTIAL = ".partial"  # what is behind the name of a file that is being written


def save(path: Any, state: Any) -> None:
    """Write a state to a file, so that at any moment the old file or the new one is there, whole.

    Parameters
    ----------
    path : str or path
        The file. While it is written there is one more beside it, ``<name>.partial``.
    state : dict, list, tuple, str, int, float, bool, None, ndarray or Tensor
        Dicts with text as keys, and all this in one another: what ``state_dict()`` returns.

    Raises
    ------
    DtypeError
        If there is anything else in it; nothing is written then.
    DataError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> from tinygrad_lstm import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "run.ckpt")
    >>> nn.save(path, {"epoch": 3, "weights": np.ones(2)})
    >>> nn.load(path)
    {'epoch': 3, 'weights': array([1., 1.])}
    """
    arrays: list[np.ndarray] = []
    header = json.dumps(_described(state, arrays, "state")).encode()
    body = b"".join(
        [MAGIC, len(header).to_bytes(LENGTH, "little"), header, *(a.tobytes() for a in arrays)]
    )
    write(path, body + hashlib.sha256(body).digest(), suffix=PARTIAL)


def load(path: Any) -> Any:
    """Read what :func:`save` has written.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict, list, tuple, ...
        What was saved; Tensors come back as arrays.

    Raises
    ------
    DataError
        If the file cannot be read, is none of ours, or a single byte of it is not what was written.
    """
    content = _read(path)
    if not content.startswith(MAGIC):
        raise DataError("this is no file of nn.save", where=str(path), got=_start(content))
    body, digest = content[:-DIGEST], content[-DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise DataError(
            "the file is damaged: its checksum does not fit its bytes",
            where=str(path),
            do="take an older one",
        )
    start = len(MAGIC) + LENGTH
    end = start + int.from_bytes(body[len(MAGIC) : start], "little")
    try:
        return _restored(json.loads(body[start:end]), memoryview(body)[end:], 0)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise DataError(
            "the file is not as nn.save writes it", where=str(path), got=str(error)
        ) from error


def _read(path: Any) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError("the file cannot be read", where=str(path), got=error.strerror) from error


def _start(content: bytes) -> str:
    return f"{len(content)} bytes that begin with {content[:8]!r}" if content else "an empty file"


# A state as JSON. A list of two is a tag and what is tagged, so that nothing is mistaken.


def _described(value: Any, arrays: list[np.ndarray], where: str, depth: int = 0) -> Any:
    """`value` as JSON, and its arrays at the end of `arrays`."""
    if depth > DEEPEST:
        raise DtypeError("the state is nested too deeply", where=f"nn.save, {where[:60]}")
    if isinstance(value, Tensor):
        value = value.numpy()
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, str, int, float)):
        return value
    if isinstance(value, np.ndarray):
        return _array(value, arrays, where)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise DtypeError("a key is a text", where=f"nn.save, {where}", got=list(value)[:3])
        pairs = value.items()
        return {k: _described(v, arrays, f"{where}.{k}", depth + 1) for k, v in pairs}
    if isinstance(value, (list, tuple)):
        entries = enumerate(value)
        found = [_described(v, arrays, f"{where}[{i}]", depth + 1) for i, v in entries]
        return ["tuple" if isinstance(value, tuple) else "list", found]
    raise DtypeError(
        "this cannot be saved",
        where=f"nn.save, {where}",
        expected="dicts, lists, texts, numbers, arrays",
        got=type(value).__name__,
    )


def _array(array: np.ndarray, arrays: list[np.ndarray], where: str) -> list[Any]:
    array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    if not NUMBERS.fullmatch(array.dtype.str):
        raise DtypeError("only numbers can be saved", where=f"nn.save, {where}", got=array.dtype)
    start = sum(a.nbytes for a in arrays)
    arrays.append(array)
    return ["array", [array.dtype.str, list(array.shape), start]]


def _restored(value: Any, data: memoryview, depth: int) -> Any:
    if isinstance(value, dict):
        return {key: _restored(entry, data, depth + 1) for key, entry in value.items()}
    if not isinstance(value, list):
        return value
    tag, content = value
    if tag == "array":
        dtype, shape, start = content
        if not NUMBERS.fullmatch(dtype) or min(shape, default=0) < 0 or start < 0:
            raise ValueError(f"array of dtype {dtype!r}, shape {shape}")
        count = math.prod(shape)
        flat = np.frombuffer(data, dtype, count, start) if count else np.empty(0, dtype)
        return flat.reshape(shape).astype(np.dtype(dtype).newbyteorder("="))
    found = [_restored(entry, data, depth + 1) for entry in content]
    return {"list": list, "tuple": tuple}[tag](found)


# safetensors.


def save_safetensors(path: Any, state: Mapping[str, Any]) -> None:
    """Write arrays to a file of the safetensors format (extra ``safetensors``).

    Parameters
    ----------
    path : str or path
        The file.
    state : mapping of str to array_like
        What ``model.state_dict()`` returns.

    Raises
    ------
    DtypeError, DataError
        If these are no arrays by name, the package is missing, or the file cannot be written.
    """
    if not isinstance(state, Mapping):
        raise DtypeError(
            "arrays by name are saved",
            where="nn.save_safetensors",
            expected="a dict",
            got=type(state).__name__,
            do="model.state_dict() is one",
        )
    arrays = {
        name: np.ascontiguousarray(value.numpy() if isinstance(value, Tensor) else value)
        for name, value in state.items()
    }
    write(path, _safetensors().save(arrays), suffix=PARTIAL)


def load_safetensors(path: Any) -> dict[str, np.ndarray]:
    """Read a file of the safetensors format (extra ``safetensors``).

    Raises
    ------
    DataError
        If the package is missing, the file cannot be read or is damaged, or it holds numbers that
        NumPy does not have (bfloat16).
    """
    package, content = _safetensors(), _read(path)
    try:
        return dict(package.load(content))
    except KeyError as error:
        raise DataError(
            "NumPy has no such numbers",
            where=str(path),
            expected="float64, float32, float16 or integers",
            got=str(error.args[0]),
            do="write them as float32",
        ) from error
    except Exception as error:  # the package has an error of its own, in Rust
        raise DataError(
            "this is no file of safetensors", where=str(path), got=str(error)
        ) from error


def _safetensors() -> Any:
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise DataError(
            "the package safetensors is missing",
            where="safetensors",
            do="pip install tinygrad-lstm[safetensors]",
        ) from error
