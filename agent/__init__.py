"""Everything that thinks: the only package that calls an LLM."""
