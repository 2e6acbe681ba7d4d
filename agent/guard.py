"""Checks in code on what the LLM wrote. A check that fails names itself; nothing here calls an LLM.

A sentence passes when every word that carries meaning is either in the evidence (by stem), near to something in it (by
embedding), or one of a small set of words that claim nothing. So a sentence cannot bring in a fact of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import snowballstemmer
from numpy.typing import NDArray

from agent import phrases, pii, sensitive
from retrieval import trust
from retrieval.features import DOMAINS

EmbedTexts = Callable[[Sequence[str]], NDArray[np.float32]]

NEAR = 0.65  # cosine of MiniLM word vectors. At 0.5 "fiction" passed for reports on football
MOST_NAMED = 3  # words of a feature that name something: all 4,621 of the examples, 1,371 of 1,378 of MovieLens
MOST_TYPED = 10  # words of a query that may be said
LONG_WORD = 5  # letters; shorter words that claim nothing ("and", "with") may be repeated
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
KINDS = "|".join(sorted(set(DOMAINS.values())))
_TWO_KINDS = re.compile(rf"\b(?:{KINDS})\b(?P<gap>.*?)(?=\b(?:{KINDS})\b)")
_JOINT = re.compile(r",|;|\b(?:and|or|with|without|about|on|of|in|from|for|to|by)\b")
_HEADS = frozenset(DOMAINS) | {word for noun in DOMAINS.values() for word in noun.split()}
_HEAP = re.compile(  # what joins the parts of a phrase; "to" does not ("hiking to mountains")
    r"[,;:]|\b(?:and|or|with|without|about|on|of|in|from|for|by|like|as|than|around|between|through|across|over|especially"
    r"|mostly|mainly|usually|often|particularly|a|an|the|that|who|whose|which|where|set|based|focused|featuring|involving)\b"
)
_COMMA = re.compile(r",(?!\s*(?:mostly|often|meist|oft|surtout|souvent|sobre todo|a menudo)\b)")
_MARKUP = re.compile(r"https?:|www\.|<[a-z/!]|[\[\]{}()*_`#|\\]|@\w|\.(?:com|org|net|io)\b", re.IGNORECASE)
_GLUE_WORDS = """
    a an and as at by for from in into is it of on or over that the their these those this to up with
    who whose which where while than then too very more most both either each about around
    between through across like likes liked enjoy enjoys enjoyed love loves prefer prefers appreciate drawn
    return returns often especially mostly mainly usually particularly also still always keen fond interested
    interest interests interesting dislike dislikes avoid avoids hate hates hide hides reject rejects tired
    story stories tale tales theme themes thing things kind kinds type types style styles mix mixture blend set
    sets focus focused feature features featuring involve involves involving based such one ones well good great
    strong rich you your yours because since fits fit match matches matching same share shares shared similar
    all above its are among other they them there told form forms sort way made piece pieces plus side full rather once
    again together time here along sometimes best streak touch bit
    another new work works title titles item items something anything everything topic topics subject subjects
"""
_GLUE = frozenset(_GLUE_WORDS.split())
_STEM = snowballstemmer.stemmer("english")


@dataclass(frozen=True, slots=True)
class Support:
    """What a sentence may speak of: the evidence's features and words, and the titles that it may not copy.

    `known` holds the words of the catalogue: a word outside it that is only near to the evidence may be a coinage.
    """

    features: tuple[str, ...]
    stems: frozenset[str]
    titles: tuple[str, ...]
    domains: frozenset[str]
    known: frozenset[str]


def words(text: str) -> list[str]:
    """The words of `text` in lower case; hyphenated compounds stay whole."""
    return [w.lower().replace("’", "'") for w in _WORD.findall(text)]


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The Snowball stem of one English word; others come out as they are, or nearly."""
    found: str = _STEM.stemWord(word)
    return found


def content(text: str) -> list[str]:
    """The words of `text` that carry meaning, as they are written."""
    return [w for w in _WORD.findall(text) if w.lower() not in _GLUE]


def stems(texts: Iterable[str]) -> frozenset[str]:
    """Stems of all words in `texts`, and of the parts of compounds."""
    found = {part for text in texts for word in words(text) for part in (word, *word.split("-"))}
    return frozenset(map(stem, found))


def support(
    features: Sequence[str],
    *,
    texts: Iterable[str] = (),
    titles: Sequence[str] = (),
    domains: Iterable[str] = (),
    known: frozenset[str] = frozenset(),
) -> Support:
    """What the evidence supports. `texts` may be said beside the features, where they are fit to; `domains` nouns ("films")."""
    said = [text for text in texts if phrases.nominal(" ".join(words(text)), MOST_TYPED)]
    nouns = set(domains) | {c for c, noun in DOMAINS.items() if noun in set(domains)}
    return Support(tuple(features), stems([*features, *said, *nouns]), tuple(titles), frozenset(domains), known)


def check(text: str, evidence: Support, embed: EmbedTexts, *, least_words: int = 2, most_words: int = 22) -> str | None:
    """The name of the first check that `text` fails, or None. `embed` gives unit vectors of short texts."""
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("shape", lambda: not _one_sentence(text, least_words, most_words)),
        ("personal", lambda: bool(pii.found(text))),
        ("markup", lambda: _MARKUP.search(text) is not None),
        ("instruction", lambda: trust.commands(text)),
        ("sensitive", lambda: sensitive.attribute(text) is not None),
        ("loop", lambda: loops(text)),
        ("list", lambda: listing(text) or _strung(text)),
        ("copy", lambda: copies(text, evidence.titles)),
        ("unsupported", lambda: bool(unsupported(text, evidence, embed))),
        ("vacuous", lambda: vacuous(text, evidence)),
    )
    return next((name for name, fails in checks if fails()), None)


def harmful(text: str, *, consented: bool = False) -> str | None:
    """The checks that hold for any text we show or keep, whoever wrote it: personal, markup, instruction, sensitive.

    `consented`: the user says it of themselves and lets us keep it, so that it may be sensitive.
    """
    if pii.found(text):
        return "personal"
    if _MARKUP.search(text):
        return "markup"
    return (
        "instruction" if trust.commands(text) else "sensitive" if not consented and sensitive.attribute(text) else None
    )


def fit_to_say(feature: str) -> bool:
    """May a feature be shown and kept? It is hostile until shown otherwise, and a sentence, or a string of names, is none."""
    short = phrases.named(feature) <= MOST_NAMED
    return short and phrases.nominal(feature) and trust.suspicion_of_word(feature) is None and harmful(feature) is None


def _one_sentence(text: str, least: int, most: int) -> bool:
    body = text.strip()
    return "\n" not in body and least <= len(words(body)) <= most and not re.search(r"[.!?]\s+\S", body)


def listing(text: str) -> bool:
    """Has more than one comma, but for that before the word that says of how many things the rest is so ("mostly")."""
    return len(_COMMA.findall(text)) > 1


def _strung(text: str) -> bool:
    """Names two kinds of things with nothing that joins them: "craft articles courses"."""
    return any(_JOINT.search(found["gap"]) is None for found in _TWO_KINDS.finditer(text.lower()))


def heaped(text: str, features: Iterable[str]) -> bool:
    """Sets features side by side with nothing that joins them: "hiking mountains", "natural ocean", "jazz music improvisation".

    A run of words between joints holds when a kind of thing ends it ("haunted house horror films"), or when it is one feature.
    """
    known = [stems([feature]) for feature in features]
    for run in _HEAP.split(text.lower()):
        said = words(run)
        named = stems(w for w in said if w not in _GLUE)
        ended = bool(said) and (said[-1] in _GLUE or said[-1] in _HEADS)
        if len(named) > 1 and not ended and not any(named <= feature for feature in known):
            return True
    return False


def misplaced(text: str, of_kind: Mapping[str, frozenset[str]]) -> bool:
    """Says of a kind of thing what holds of another: "horror books" where only the films are.

    `of_kind`: kind -> the stems that hold of it; a run of words that ends with such a kind may name no others.
    """
    for run in _HEAP.split(text.lower()):
        said = words(run)
        named = stems(w for w in said if w not in _GLUE)
        if said and said[-1] in of_kind and not named - stems(said[-1:]) <= of_kind[said[-1]]:
            return True
    return False


def loops(text: str) -> bool:
    """Says the same thing over: a word that carries meaning comes twice in a sentence, be it only "stories"."""
    said = [stem(word) for word in words(text) if not repeatable(word)]
    return len(set(said)) < len(said)


def repeatable(word: str) -> bool:
    """May a sentence have `word`, in lower case, as often as it likes?"""
    return word in _GLUE and len(word) < LONG_WORD


def copies(text: str, titles: Iterable[str]) -> bool:
    """Holds a title of two words or more, or three words in a row of a longer one."""
    haystack = " ".join(words(text))
    for title in titles:
        needle = words(re.sub(r"\(\d{4}\)", "", title))
        runs = [needle] if len(needle) == 2 else [needle[i : i + 3] for i in range(len(needle) - 2)]
        if any(f" {' '.join(run)} " in f" {haystack} " for run in runs if not all(w in _GLUE for w in run)):
            return True
    return False


def unsupported(text: str, evidence: Support, embed: EmbedTexts) -> list[str]:
    """The words of `text` that nothing in the evidence speaks for."""
    left = [w for w in dict.fromkeys(words(text)) if w not in _GLUE and not _stem_known(w, evidence)]
    if not evidence.domains:  # a catalogue that does not say what its items are: "films" cannot be wrong
        left = [w for w in left if w not in DOMAINS and w not in DOMAINS.values()]
    coined = [w for w in left if not set(w.split("-")) <= evidence.known]
    # what only the user's queries say must not be embedded here: these vectors are kept as the catalogue's
    features = [f for f in evidence.features if evidence.known.issuperset(p for w in words(f) for p in w.split("-"))]
    if coined or not left or not features:
        return coined or left
    similarity = embed(left) @ embed(features).T
    return [w for w, row in zip(left, similarity, strict=True) if float(row.max()) < NEAR]


def overlap(feature: str, chosen: Iterable[str]) -> bool:
    """Does `feature` say nothing that one of `chosen` does not ("science fiction" beside "hard science fiction")?"""
    own = stems([feature])
    return any(own <= other or other <= own for other in (stems([c]) for c in chosen))


def coverage(text: str, features: Sequence[str]) -> float:
    """The share of `features` that `text` names, the first ones counting more (weights 1, 1/2, 1/3, ...)."""
    said = stems([text])
    weights = [1 / (place + 1) for place in range(len(features))]
    named = [weight for weight, feature in zip(weights, features, strict=True) if stems([feature]) <= said]
    return sum(named) / sum(weights) if weights else 0.0


_EMPTY = stems([*DOMAINS, *DOMAINS.values(), *_GLUE])


def vacuous(text: str, evidence: Support) -> bool:
    """Names no feature of the evidence, only kinds of things ("likes films")."""
    return not (stems([text]) - _EMPTY) & stems(evidence.features)


def _stem_known(word: str, evidence: Support) -> bool:
    return all(part in evidence.stems or raw in _GLUE for raw, part in _parts(word))


def _parts(word: str) -> list[tuple[str, str]]:
    raw = [p for p in word.split("-") if p]
    return [(part, stem(part)) for part in raw]
