"""Which tokens would say a word again. Pure; agent/processors.py makes them impossible inside the server.

    Vocabulary([" detectives", " with", " detective"]).barred([0, 1])     # {0, 2}

A small model says things over ("Scandinavian detectives, mostly with a detective"). Penalties count tokens, and "detectives"
and "detective" have none in common; here they are one word, as in the check that would refuse the sentence (agent/guard.py),
and a compound says its parts. A token that would begin, or end, a word that has been said is impossible, so that the model
goes on with what it holds next likely.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from agent import guard

_BEGUN = 3  # letters of a first piece that give a word away: " pot" of "pottery"; " co" begins too many others
_ENDING = 5  # letters after a stem that may be an inflection ("cosi-ness")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]*)*")
_OPEN = re.compile(r"[^\W\d_][\w'’-]*\Z")  # the word or the compound that is being written
_VALUE = '":"'  # what an answer in JSON says begins after it


class Vocabulary:
    """The tokens of a model by what they do to words: begin one (with a blank before it, or without), or go on with one."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces`: the text of each token, in their order."""
        self._pieces = pieces
        self._spaced: dict[str, list[int]] = defaultdict(list)  # by stem
        self._bare: dict[str, list[int]] = defaultdict(list)  # by stem
        self._begins: dict[str, list[int]] = defaultdict(list)  # by letters, with a blank before them
        rest: list[tuple[str, int]] = []
        for token, piece in enumerate(pieces):
            letters = piece.removeprefix(" ").lower()
            if not letters.isalpha():
                continue
            spaced = piece.startswith(" ")
            (self._spaced if spaced else self._bare)[guard.stem(letters)].append(token)
            if spaced:
                self._begins[letters].append(token)
            else:
                rest.append((letters, token))
        self._rest = sorted(rest)
        self._ending = lru_cache(maxsize=10_000)(self._endings)

    def barred(self, written: Sequence[int]) -> set[int]:
        """The tokens that may not come after `written`, because a word would be said twice."""
        text, pieces = self._read(written)
        opened = _OPEN.search(text)
        here = opened.start() if opened else len(text)
        words = list(_WORD.finditer(text))
        said = {guard.stem(word[0]) for word in words if word.start() < here and not guard.repeatable(word[0])}
        begun = words[-1][0] if words and words[-1].end() == len(text) else ""
        found = {token for stem in said for token in (self._ending(begun, stem) if begun else self._bare.get(stem, ()))}
        for word in words:  # after a blank, the last one has been said too
            if not guard.repeatable(word[0]):
                first = pieces.get(word.start(), "")
                found.update(self._spaced.get(guard.stem(word[0]), ()))
                found.update(self._begins.get(first, ()) if _BEGUN <= len(first) < len(word[0]) else ())
        return found

    def _read(self, written: Sequence[int]) -> tuple[str, dict[int, str]]:
        """What the answer says so far, in lower case, and which piece begins at which letter of it."""
        text, pieces = "", {}
        for piece in (self._pieces[token].lower() for token in written):
            pieces[len(text) + piece.startswith(" ")] = piece.strip()
            text += piece
        start = text.rfind(_VALUE) + len(_VALUE) if _VALUE in text else 0
        return text[start:], {place - start: piece for place, piece in pieces.items()}

    def _endings(self, begun: str, stem: str) -> tuple[int, ...]:
        """The tokens that make a word with this stem of what has begun."""
        missing = stem[len(begun) : -1]  # without its last letter, which may change: comed-y, comed-i
        if not (begun.startswith(stem[:-1]) or stem.startswith(begun)):
            return ()
        most = len(stem) - len(begun) + _ENDING
        found = []
        for letters, token in self._rest[bisect_left(self._rest, (missing, -1)) :]:
            if not letters.startswith(missing):
                break
            if len(letters) <= most and guard.stem(begun + letters) == stem:
                found.append(token)
        return tuple(found)
