"""Evidence as the tuned model reads it: which kinds of things, what they share and how often, what the user typed.

    Notes((("films", 3),), (("mystery", 3), ("arctic", 2)), typed=("arctic crime",)).text
    # films 3 | mystery 3
    # mostly: arctic
    # typed: arctic crime

Titles and descriptions stay out: they tempt to copy, and they are other people's words. What only one item has stays out as
well, because nothing may be said of it, and so does a search that nothing else bears out. So the model never sees what it must
not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from agent import guard

ENOUGH = 2  # items that carry a claim: what one item happens to be is no taste
MOST_KINDS = 2
MOST_FEATURES = 5
MOST_LEADING = 3
SECOND = 3  # items that have a feature which is shown beside a commoner one though few of the others have it
MOST_TYPED = 2
TYPED_CHARS = 80
NOTHING = "nothing"
PARTLY = frozenset(
    {"mostly", "often", "especially", "meist", "oft", "surtout", "souvent", "sobre", "menudo", "多为", "常为"}
)
"""Words after which a phrase speaks of some of the things, not of all."""

_HAN = re.compile(r"[\u4e00-\u9fff]{2}")

Counted = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Notes:
    """Kinds and features with the number of items that have them, best first; `against`: what those have in common that the
    user turned down; `typed`: searches, newest last."""

    kinds: tuple[Counted, ...] = ()
    features: tuple[Counted, ...] = ()
    against: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The lines of the prompt, without the polarity."""
        lines = [NOTHING]  # that somebody watches films tells no taste
        if features := _telling(self.features[:MOST_FEATURES]):
            most = max(count for _, count in features)
            common, parts = [f for f in features if _common(f, most)], [f for f in features if not _common(f, most)]
            kinds = _telling(self.kinds[:MOST_KINDS], features)
            lines = [f"{_listed(kinds)} | {_listed(common)}".strip(" |")]
            if parts:
                word = "mostly" if 2 * max(count for _, count in parts) > most else "often"
                lines.append(f"{word}: {', '.join(value for value, _ in parts)}")
        if self.against:
            lines.append(f"but not: {', '.join(self.against[:MOST_KINDS])}")
        lines += [f"typed: {short(text)}" for text in self._borne_out()[-MOST_TYPED:]]
        return "\n".join(lines)

    @property
    def leading(self) -> Notes:
        """Without the features that few items have beside a common one: a small model that is shown five drops the one that
        matters (eval/LOG.md).

        What stays is held by half as many items as the commonest, three at most. One alone keeps the next beside it where
        three items have that.
        """
        found = _telling(self.features[:MOST_FEATURES])
        most = max((count for _, count in found), default=0)
        common = [one for one in found if 2 * one[1] >= most][:MOST_LEADING]
        others = [one for one in found if one not in common and one[1] >= SECOND]
        return replace(self, features=tuple(common if len(common) > 1 else common + others[:1]))

    def overstated(self, text: str) -> bool:
        """Does `text` say of all the items what at most two in three of those with the commonest feature have ("slow mysteries"
        where two of three are slow, not "mysteries, mostly slow")?"""
        of_all = content_stems([" ".join(takewhile(lambda word: word not in PARTLY, guard.words(text)))])
        found = self.features[:MOST_FEATURES]
        most = max((count for _, count in found), default=0)
        common = content_stems(value for value, count in found if _common((value, count), most))
        parts = [content_stems([value]) for value, count in found if not _common((value, count), most)]
        return any(part <= of_all and not part <= common for part in parts)

    def _borne_out(self) -> list[str]:
        """The searches that have a word in common with a feature, a kind or another search."""
        held = [value for value, _ in (*self.features, *self.kinds)]
        return [text for text in self.typed if _shares(text, [*held, *(t for t in self.typed if t != text)])]


def counted(values: Sequence[str], of: Sequence[Sequence[str]], least: int = ENOUGH) -> tuple[Counted, ...]:
    """Each of `values` with the number of lists in `of` that hold it, in the order given; those under `least` left out."""
    found = ((value, sum(value in held for held in of)) for value in values)
    return tuple((value, count) for value, count in found if count >= least)


def short(text: str) -> str:
    """One line of at most TYPED_CHARS characters, cut between words where there are any."""
    line = " ".join(text.split())
    if len(line) <= TYPED_CHARS:
        return line
    return line[:TYPED_CHARS].rsplit(" ", 1)[0]


def item_line(kind: str, title: str, features: Sequence[str]) -> str:
    """An item that may fit: "film Cold Harbour (mystery, iceland)"."""
    own = ", ".join(features[:MOST_FEATURES])
    return f"{kind} {short(title)}".strip() + (f" ({own})" if own else "")


def _shares(text: str, others: Sequence[str]) -> bool:
    """A word in common; in Chinese, which has no blanks, two letters."""
    if not content_stems([text]).isdisjoint(content_stems(others)):
        return True
    pairs = {text[n : n + 2] for n in range(len(text) - 1) if _HAN.fullmatch(text[n : n + 2])}
    return any(pair in other for pair in pairs for other in others)


def content_stems(texts: Iterable[str]) -> frozenset[str]:
    """Of the words that mean something."""
    return guard.stems(word for text in texts for word in guard.content(text))


def _telling(found: Sequence[Counted], known: Sequence[Counted] = ()) -> list[Counted]:
    """Without what has a word in common with one of `known`, or with one before it: a small model that reads "board game" and
    "game design" says "game" twice."""
    told: list[Counted] = []
    for one in found:
        if content_stems([one[0]]).isdisjoint(content_stems([value for value, _ in (*known, *told)])):
            told.append(one)
    return told


def _common(one: Counted, most: int) -> bool:
    """Is it held by more than two in three of the items with the commonest feature? A phrase may say it of all of them."""
    return 3 * one[1] > 2 * most


def _listed(found: Sequence[Counted]) -> str:
    return ", ".join(f"{value} {count}" for value, count in found)
