"""What this machine is: processor, memory, disk, ports, installed packages. Looks, and touches nothing. Linux in the main;
elsewhere what cannot be read is empty or None."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LISTENING = "0A"  # the state in /proc/net/tcp


def cpu_flags() -> frozenset[str]:
    """The instruction sets that the kernel reports (x86: `flags`, ARM: `Features`)."""
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_available() -> int | None:
    """Bytes that can be had without swapping. A container's own limit, where it is lower, is not seen."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def disk_free(path: Path) -> int:
    """Free bytes where `path` is, or will be. Raises OSError."""
    return shutil.disk_usage(_there(path)).free


def may_write(path: Path) -> bool:
    """Could this process make or change `path`? Asks for the rights; file systems that are read-only say no."""
    there = _there(path)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _there(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def port_is_free(port: int, address: str = LOOPBACK) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def port_owner(port: int) -> str:
    """ "pid 123 (name)" of who listens on a port, or "another program" where that is not ours to see."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        if sockets & _open_files(process):
            name = "".join(_lines(f"{process}/comm"))
            return f"pid {process.name} ({name})"
    return "another program"


def _listening_inodes(port: int) -> list[str]:
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(f"/proc/net/{name}")[1:]]
    return [row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _open_files(process: Path) -> set[str]:
    """What a process has open; of another user's process, or one that has just ended, nothing."""
    found: set[str] = set()
    try:
        for link in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found.add(str(link.readlink()))
    except OSError:
        return found
    return found


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
