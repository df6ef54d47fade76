"""Describes the machine and the programs of a run; nothing that names the machine, its user or its paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import torch

PEERS = ("pedalboard", "GRAFX", "dasp-pytorch")


def describe(threads: int) -> dict[str, Any]:
    """CPU, caches, memory, versions, and how busy the machine is before the run begins."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "cache": _caches(),
        "memory_gb": _memory(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mkl": torch.backends.mkl.is_available(),
        "djgraph": _version("djgraph"),
        "peers": {name: _version(name) for name in PEERS},
        "threads": threads,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "").lower() or None,
        "load_average": load(),
    }


def card() -> str | None:
    """The GPU's name as part of a file's: small letters, digits and dashes; None without one."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name().lower()
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name).split())


def load() -> float | None:
    """Programs that wanted a core in the last minute: more than the run's own threads means others were busy."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _caches() -> dict[str, str]:
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (ValueError, OSError, AttributeError):
        return None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
