"""Memory and geometry: records, readers, the store, embeddings, indexes, themes, search. Never calls an LLM."""
