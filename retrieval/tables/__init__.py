"""The parts of the store, one file a concern. Code outside `retrieval` uses `retrieval.store.Store` alone."""
