"""The directory of the item index: who owns it, and what it was made from, so that a start can tell in milliseconds
whether it may be used.

The fingerprint matters most: Chroma answers from a truncated HNSW file without a complaint, or takes the process down with
it (checked on 1.5.9: half a `data_level0.bin` gives wrong neighbours, half a `header.bin` a segmentation fault). Files that
are not those we wrote are therefore never opened.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

SCHEMA = 2  # raise it when the way items are indexed changes: every index is then rebuilt
HEAD_BYTES = 65_536  # of each file that the fingerprint reads; the header and length files are smaller than that
LOCK_SECONDS = 0.5
_NAME = "manifest.json"


class IndexBusyError(RuntimeError):
    """Another process owns the index. Use `open_index`, which falls back to exact search, or stop that process."""


def claim(root: Path) -> FileLock:
    """The lock on an index directory, taken; release it to let others in. Raises IndexBusyError within a second."""
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / "lock", thread_local=False)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as exc:
        raise IndexBusyError(f"the item index in {root} is in use by another process") from exc
    return lock


@dataclass(frozen=True, slots=True)
class Manifest:
    """`directory` is the Chroma folder beside the manifest; `signature` is the catalogue's when it was indexed."""

    schema: int
    directory: str
    count: int
    signature: tuple[int, str]
    embedder: str
    dim: int
    fingerprint: str

    @classmethod
    def read(cls, root: Path) -> Manifest | None:
        """The manifest in `root`, or None when there is none that can be read: the index is rebuilt then."""
        try:
            raw = json.loads((root / _NAME).read_text(encoding="utf-8"))
            count, digest = raw.pop("signature")
            return cls(signature=(int(count), str(digest)), **raw)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # absent, cut short, or of another version
            return None

    def write(self, root: Path) -> None:
        """Replace the manifest in one step: a crash leaves the old one or the new one, never half of one."""
        draft = root / f"{_NAME}.new"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(root / _NAME)


def fingerprint(directory: Path) -> str:
    """A hash of the names, sizes and beginnings of the HNSW files. SQLite's file is left out: it changes when it is
    merely opened, and it reports its own damage.

    Below its first thousand rows, Chroma keeps everything in SQLite and the HNSW files are a frame around memory that it
    never set, other bytes each time it is opened; `index_metadata.pickle` is missing then, and only sizes count.
    """
    digest = hashlib.sha256()
    for file in sorted(directory.glob("*/*")):
        digest.update(f"{file.relative_to(directory)} {file.stat().st_size}\n".encode())
        if (file.parent / "index_metadata.pickle").exists():
            with file.open("rb") as stream:
                digest.update(stream.read(HEAD_BYTES))
    return digest.hexdigest()
