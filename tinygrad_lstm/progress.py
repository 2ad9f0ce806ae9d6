"""A bar that says how far something is: that of tqdm in a terminal where it is installed, and else
nothing."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Protocol

__all__ = ["Bar", "bar"]


class Bar(Protocol):
    """What is used of a bar of tqdm."""

    def update(self, n: int = 1) -> Any: ...
    def set_postfix_str(self, s: str, refresh: bool) -> None: ...
    def close(self) -> None: ...


def bar(title: str, total: int, unit: str, done: int = 0, delay: float = 0) -> Bar | None:
    """A bar of tqdm; None without a terminal or without tqdm.

    Parameters
    ----------
    title : str
        What is done.
    total, done : int
        How much there is, and how much of it was done before.
    unit : str
        What is counted.
    delay : float
        Seconds before it is shown, so that what is soon done shows none.
    """
    if not sys.stderr.isatty():
        return None
    try:
        tqdm = importlib.import_module("tqdm")
    except ImportError:
        return None
    shown: Bar = tqdm.tqdm(
        desc=title,
        total=total,
        initial=done,
        unit=unit,
        delay=delay,
        leave=False,
        dynamic_ncols=True,
    )
    return shown
