"""What a worker's function raises, so that it comes back whatever it holds."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from tinygrad_lstm.errors import DataError

__all__ = ["travelling"]


def travelling(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns. What it raises can travel back: an error that cannot be made again
    breaks a pool of processes."""
    try:
        return function(*args)
    except Exception as error:
        sent = error
        if not _travels(error):  # its cause may not, where a package lets causes travel
            error.__cause__ = error.__context__ = None
            if not _travels(error):
                sent = DataError(f"{type(error).__name__}: {error}", where="a worker")
        if sent is error:
            raise
    raise sent  # out here the other is not its context


def _travels(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its class does
        return False
    return True
