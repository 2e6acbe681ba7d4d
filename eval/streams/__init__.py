"""Streams with planted truth: what `leitmotif eval themes` runs on. streams.py says what a stream is, docs/eval.md how to
write one; lives.py plans when interests are born, fall silent, return, merge and split; planted.py, sentences.py and films.py
give the words."""
