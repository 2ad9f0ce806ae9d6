"""What the figures of a benchmark depend on, in words."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib.metadata import version
from pathlib import Path


def machine(*packages: str) -> str:
    """The processor, and the versions of what is installed of some packages."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line.split(":")[1].strip() for line in lines if "model name" in line]
        cpu = models[0] if models else cpu
    found = [f"{name} {version(name)}" for name in packages if importlib.util.find_spec(name)]
    words = ", ".join([f"Python {platform.python_version()}", *found])
    return f"{cpu}, {os.cpu_count()} cores; {words}"
