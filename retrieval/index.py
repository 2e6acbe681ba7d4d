"""The item index in Chroma: the only file that imports chromadb, and it does so when an index is opened.

It holds items and nothing about people, and may be deleted at any time: `ensure` makes it again from the store.

One process owns the directory. Chroma's PersistentClient is not made for two processes, readers included (an HNSW file
may change under a reader), so whoever opens the index holds a lock file until it closes. A second process gets
IndexBusyError within a second, and `open_index` answers that with an ExactIndex over the cached vectors: the same hits,
from memory. So the command line works while a server runs. The operating system drops the lock of a crashed process.

Layout: `lock`, `manifest.json` and one `chroma-*` directory that the manifest names. A rebuild fills a new directory and
then replaces the manifest, so the swap is one atomic rename.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from retrieval.embed import Embedder, Progress, Vectors, item_text, text_hash
from retrieval.exact import BATCH, Catalogue, ExactIndex, Hits, VectorIndex, batches
from retrieval.manifest import SCHEMA, IndexBusyError, Manifest, claim, fingerprint

__all__ = ["IndexBusyError", "ItemIndex", "open_index"]

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

REBUILD_SHARE = (
    0.25  # of the items changed or gone: from here on, a fresh graph is cheaper than deleting from the old one
)
PROBE = 10
_COLLECTION = "items"


def open_index(root: Path, source: Catalogue, embedder: Embedder, progress: Progress | None = None) -> VectorIndex:
    """The index in `root`, up to date; an ExactIndex when another process owns it. Close it when done.

    Give an embedder with a cache: then a rebuild, and the fallback, embed only items that are new.
    """
    index: VectorIndex
    try:
        index = ItemIndex(root, embedder.name, embedder.dim)
    except IndexBusyError:
        index = ExactIndex()
    try:
        index.ensure(source, embedder, progress)
    except BaseException:  # an interrupt, too, leaves nothing open; it is raised again
        index.close()
        raise
    return index


class ItemIndex:
    """Items in Chroma. Opening takes the lock (IndexBusyError within a second if another has it); call `ensure` before
    the first query. Queries may come from many threads, also while `ensure` works in another."""

    exact = False

    def __init__(self, root: Path, embedder_name: str, dim: int) -> None:
        self._root, self._embedder_name, self._dim = root, embedder_name, dim
        self._lock = claim(root)
        self._writing = threading.Lock()
        self._live: _Chroma | None = None
        self._retired: _Chroma | None = None  # the one before, for queries that were under way when it was replaced

    def __len__(self) -> int:
        return self._open.count

    def ensure(self, source: Catalogue, embedder: Embedder, progress: Progress | None = None) -> bool:
        """Make the index agree with the catalogue; True when it had to be changed. `progress` gets (done, total) items.

        Small differences are written in place. A missing, foreign or damaged index, or a quarter of the items changed,
        means a rebuild. The signature is read first, so items that arrive meanwhile are taken up by the next call.
        """
        if (embedder.name, embedder.dim) != (self._embedder_name, self._dim):
            raise ValueError(f"the index is for {self._embedder_name}, not for {embedder.name}")
        with self._writing:
            signature = source.catalogue_signature()
            manifest = Manifest.read(self._root)
            if self._usable(manifest):
                if manifest and manifest.signature == signature:
                    return False
                if self._update(source, embedder, signature):
                    return True
            self._rebuild(source, embedder, signature, progress)
            return True

    def query(self, vectors: Vectors, k: int) -> list[Hits]:
        """The `k` nearest items to each of the (m, dim) vectors, in one call to Chroma."""
        return self._open.query(vectors, k)

    def vectors(self, item_ids: Sequence[str]) -> Mapping[str, Vectors]:
        return self._open.vectors(item_ids)

    def close(self) -> None:
        """Close Chroma and let another process in. Idempotent."""
        if self._retired:
            self._retired.close()
            self._retired = None
        if self._live:
            self._sweep()
            self._live.close()
            self._live = None
        self._lock.release()

    @property
    def _open(self) -> _Chroma:
        if self._live is None:
            raise RuntimeError("the item index is not open: call ensure() first")
        return self._live

    def _usable(self, manifest: Manifest | None) -> bool:
        """Open the directory that the manifest names, if it is what the manifest says."""
        if manifest is None:
            return False
        if (manifest.schema, manifest.embedder, manifest.dim) != (SCHEMA, self._embedder_name, self._dim):
            return False
        directory = self._root / manifest.directory
        if self._live and self._live.directory == directory:
            return True
        if fingerprint(directory) != manifest.fingerprint:
            return False
        self._live = _open_sound(directory, manifest.count)
        return self._live is not None

    def _update(self, source: Catalogue, embedder: Embedder, signature: tuple[int, str]) -> bool:
        """Write what differs into the live index; False, with nothing written, when that is too much."""
        chroma, gone = self._open, self._open.keys()
        most = REBUILD_SHARE * len(gone)
        stale: dict[str, str] = {}
        for item in source.iter_items(BATCH):
            text = item_text(item)
            if gone.pop(item.id, None) != _key(embedder.name, text):
                stale[item.id] = text
                if len(stale) > most:
                    return False
        if len(stale) + len(gone) > most:
            return False
        for rows in batches(stale.items()):
            chroma.put(rows, embedder)
        for ids in batches(gone):
            chroma.delete(ids)
        self._commit(chroma, signature)
        return True

    def _rebuild(
        self, source: Catalogue, embedder: Embedder, signature: tuple[int, str], progress: Progress | None
    ) -> None:
        chroma = _Chroma(self._root / f"chroma-{uuid.uuid4().hex[:12]}", create=True)
        try:
            for items in batches(source.iter_items(BATCH)):
                chroma.put([(item.id, item_text(item)) for item in items], embedder)
                if progress:
                    progress(chroma.count, signature[0])
            self._commit(chroma, signature)
        except BaseException:  # an interrupt, too, leaves nothing open; it is raised again
            chroma.close()
            shutil.rmtree(chroma.directory, ignore_errors=True)
            raise
        if self._retired:
            self._retired.close()
        self._live, self._retired = chroma, self._live
        self._sweep()

    def _commit(self, chroma: _Chroma, signature: tuple[int, str]) -> None:
        """From here on a restart will trust this directory. The probe makes Chroma write out what it still holds back,
        so that the fingerprint is of files that stay as they are."""
        chroma.probe()
        Manifest(
            schema=SCHEMA,
            directory=chroma.directory.name,
            count=chroma.count,
            signature=signature,
            embedder=self._embedder_name,
            dim=self._dim,
            fingerprint=fingerprint(chroma.directory),
        ).write(self._root)

    def _sweep(self) -> None:
        """Remove what earlier and interrupted builds left, but not the one whose last queries may still run."""
        kept = {chroma.directory for chroma in (self._live, self._retired) if chroma}
        for directory in set(self._root.glob("chroma-*")) - kept:
            shutil.rmtree(directory, ignore_errors=True)


class _Chroma:
    """One Chroma directory with its one collection. Every row's metadata is {"key": hash of embedder and text}, so a
    row says itself whether it is up to date, whatever became of the process that wrote it."""

    def __init__(self, directory: Path, create: bool = False) -> None:
        import chromadb
        from chromadb.config import Settings

        logging.getLogger("chromadb").setLevel(logging.WARNING)
        # _env_file: Chroma would read a .env in the working directory otherwise
        settings = Settings(_env_file=None, anonymized_telemetry=False, chroma_otel_collection_endpoint="")
        self.directory = directory
        self._client = cast("Client", chromadb.PersistentClient(directory, settings=settings))
        try:
            self._items = (
                self._create() if create else self._client.get_collection(_COLLECTION, embedding_function=None)
            )
            self.count = self._items.count()
        except BaseException:  # an interrupt, too, leaves nothing open; it is raised again
            self._client.close()
            raise

    def _create(self) -> Collection:
        """ef_search 400: on MiniLM vectors of the 9,742 films of MovieLens, recall@20 is 0.999 and recall@100 0.999
        (with Chroma's defaults 0.984 and 0.958), at about a millisecond a query."""
        return self._client.create_collection(
            _COLLECTION,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 400, "max_neighbors": 16}},
        )

    def put(self, rows: Sequence[tuple[str, str]], embedder: Embedder) -> None:
        """Add or replace (item id, text) rows."""
        texts = [text for _, text in rows]
        self._items.upsert(
            ids=[item_id for item_id, _ in rows],
            embeddings=embedder.embed(texts),
            metadatas=[{"key": _key(embedder.name, text)} for text in texts],
        )
        self.count = self._items.count()

    def delete(self, ids: list[str]) -> None:
        self._items.delete(ids=ids)
        self.count = self._items.count()

    def keys(self) -> dict[str, str]:
        """Item id -> key of what is indexed for it."""
        found: dict[str, str] = {}
        for start in range(0, self.count, BATCH * 10):
            page = self._items.get(limit=BATCH * 10, offset=start, include=["metadatas"])
            for item_id, metadata in zip(page["ids"], page["metadatas"] or [], strict=True):
                found[item_id] = str((metadata or {}).get("key"))
        return found

    def query(self, vectors: Vectors, k: int) -> list[Hits]:
        if not self.count or k <= 0 or not len(vectors):
            return [[] for _ in range(len(vectors))]
        found = self._items.query(
            query_embeddings=np.asarray(vectors, dtype=np.float32), n_results=min(k, self.count), include=["distances"]
        )
        pairs = zip(found["ids"], found["distances"] or [], strict=True)
        return [
            sorted(((i, 1.0 - d) for i, d in zip(ids, row, strict=True)), key=lambda hit: (-hit[1], hit[0]))
            for ids, row in pairs
        ]

    def vectors(self, item_ids: Sequence[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        for ids in batches(dict.fromkeys(item_ids)):
            page = self._items.get(ids=ids, include=["embeddings"])
            rows = page["embeddings"]
            found.update(zip(page["ids"], np.asarray([] if rows is None else rows, dtype=np.float32), strict=True))
        return found

    def probe(self) -> None:
        """Ask for the neighbours of a row that is there. Raises RuntimeError when it does not find itself."""
        if not self.count:
            return
        rows = self._items.get(limit=1, include=["embeddings"])["embeddings"]
        hits = self.query(np.asarray(rows, dtype=np.float32), PROBE)[0]
        if len(hits) != min(PROBE, self.count):
            raise RuntimeError(f"the item index in {self.directory} answers with {len(hits)} items")

    def close(self) -> None:
        self._client.close()


def _open_sound(directory: Path, count: int) -> _Chroma | None:
    """The Chroma directory, or None when it is not the index of `count` items that it should be."""
    chroma = None
    try:
        chroma = _Chroma(directory)
        chroma.probe()
        if chroma.count == count:
            return chroma
    except Exception as exc:
        # Whatever Chroma's Rust core raises about a damaged directory (InternalError, NotFoundError, ValueError, ...)
        # has one remedy, the rebuild that follows. Checked failures: tests/retrieval/test_index_damage.py.
        logging.getLogger(__name__).warning("the item index is damaged and will be rebuilt: %s", exc)
    if chroma:
        chroma.close()
    return None


def _key(embedder_name: str, text: str) -> str:
    return text_hash(embedder_name, text)[:16]  # 64 bits: a chance in 10^7 that any of a million items is missed
