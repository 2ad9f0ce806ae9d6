"""Files, whole or not at all: written beside their place, and moved there."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from tinygrad_lstm.errors import DataError, Error

__all__ = ["write"]


def write(
    path: str | os.PathLike[str],
    content: bytes | str,
    what: str = "the file",
    error: type[Error] = DataError,
    suffix: str | None = None,
) -> None:
    """Write a whole file or nothing: at any moment the old one or the new one is there.

    Parameters
    ----------
    path : str or path
        The file.
    content : bytes or str
        All that is in it; text is written as UTF-8.
    what : str, default "the file"
        What the error calls it.
    error : type, default DataError
        The error.
    suffix : str, optional
        What is written first has the file's name with this behind it. For a file with one writer,
        so that what is left where that is killed is written over the next time; by default any
        number may write at once.

    Raises
    ------
    Error
        One of the class `error`, if the folder does not exist or cannot be written.
    """
    target = Path(path)
    # short, since the name itself may be as long as is allowed
    unfinished = target.with_name(
        f"{target.name}{suffix}" if suffix else f".{os.getpid()}.{secrets.token_hex(4)}.unfinished"
    )
    try:
        with unfinished.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # the name must not be on the disk before the bytes are
        os.replace(unfinished, target)
    except OSError as failed:
        raise error(
            f"{what} cannot be written",
            where=str(path),
            got=failed.strerror,
            do="check the folder and its permissions",
        ) from failed
    finally:
        with suppress(OSError):  # it has been moved to its place, or was never made
            unfinished.unlink()
