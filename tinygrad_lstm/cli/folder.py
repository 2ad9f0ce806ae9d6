"""The folder that a command writes into."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinygrad_lstm.errors import DrawingError

__all__ = ["writable"]


@contextmanager
def writable(folder: Path, option: str) -> Iterator[Path]:
    """`folder`, made where it is missing. Found out before anything is computed; removed again if
    that fails and left it empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        _make(folder, option)
        yield folder
    except BaseException:
        with suppress(OSError):  # not empty, or never made
            for path in missing:
                path.rmdir()
        raise


def _make(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DrawingError(
            "the folder cannot be written",
            where=str(folder),
            got=error.strerror,
            do=f"give another with {option}",
        ) from error
