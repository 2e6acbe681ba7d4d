"""The embedding cache: content hash -> vector. Every vector has an owner, so that a user's text leaves with the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from retrieval.schema import vectors
from retrieval.tables.database import Database, chunks, upsert
from retrieval.tables.meta import refuse_erased

CATALOGUE = ""


class Vectors(Database):
    def vectors(self, hashes: Sequence[str], model: str) -> dict[str, NDArray[np.float32]]:
        """hash -> vector, for those that are cached under this model. The arrays are read-only."""
        query = select(vectors.c.hash, vectors.c.vector).where(vectors.c.model == model)
        found: dict[str, NDArray[np.float32]] = {}
        with self._read() as conn:
            for chunk in chunks(hashes):
                for row in conn.execute(query.where(vectors.c.hash.in_(chunk))):
                    found[row.hash] = np.frombuffer(row.vector, dtype="<f4")
        return found

    def put_vectors(self, model: str, owner: str, found: Mapping[str, NDArray[np.float32]]) -> None:
        """Cache vectors of the text of `owner`: a user, or "" for the catalogue. Raises ErasedError."""
        rows = [
            {"model": model, "hash": key, "owner": owner, "vector": np.asarray(vector, dtype="<f4").tobytes()}
            for key, vector in found.items()
        ]
        with self._write() as conn:
            refuse_erased(conn, owner)
            upsert(conn, vectors, rows)
