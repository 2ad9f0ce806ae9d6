"""The line of the user's program that is running."""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType

import numpy as np

__all__ = ["line", "user_frame"]

NOT_THE_USERS = tuple(
    os.path.dirname(file) + os.sep for file in (os.path.dirname(__file__), np.__file__)
)


def user_frame() -> FrameType | None:
    """The innermost call outside this package and NumPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(NOT_THE_USERS):
        frame = frame.f_back
    return frame


def line() -> str:
    """The user's line that is running: where it stands, and its text."""
    frame = user_frame()
    if frame is None:
        return "an unknown line"
    file, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, number).strip()
    return f"{file}:{number} in {frame.f_code.co_name}" + (f": {text}" if text else "")
