"""Words that statements are phrased with and that claim nothing by themselves, in the languages of the sample data.

Data for eval/claims.py: kinds of things, words that turn a sentence against a thing, and filling.
"""

from __future__ import annotations

import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from retrieval.features import DOMAINS

_SYNONYMS = {
    "films": "movie movies cinema película películas filme pelicula peliculas",
    "books": "novel novels reading libro libros novela novelas buch bücher roman romane livre livres romans",
    "games": "gaming videogame videogames juego juegos spiel spiele jeu jeux",
    "music": "song songs album albums listening música musik musique",
    "articles": "essay essays artículo artículos artikel",
    "courses": "class classes lesson lessons tutorial tutorials curso cursos kurs kurse cours",
    "destinations": "travel trip trips travelling traveling destination viaje viajes reise reisen voyage",
}
KINDS = {
    **DOMAINS,
    **{noun: noun for noun in DOMAINS.values()},
    **{word: noun for noun, listed in _SYNONYMS.items() for word in listed.split()},
}
"""Word -> the noun of retrieval.features.DOMAINS that it stands for."""

AND = frozenset(["and", "or", "&", ",", "y", "o", "e", "und", "oder", "et", "ou"])
FLIPS = frozenset(["not", "without", "except", "no", "never", "sin", "ohne", "nicht", "keine", "sans"])
BREAKS = frozenset([".", ";", "but", "pero", "aber", "mais"])
"""Words that join two things, that turn the next thing to its opposite, and that end such a turn."""

HEDGES = frozenset(
    [
        "mostly",
        "mainly",
        "chiefly",
        "often",
        "usually",
        "sometimes",
        "especially",
        "particularly",
        "above",
        "meist",
        "oft",
        "besonders",
        "vor",
        "surtout",
        "souvent",
        "sobre",
        "menudo",
        "especialmente",
        "多为",
        "常为",
        "多",
        "常",
    ]
)
"""Words after which a text speaks of some things, not of all."""

_FILLING = """
    like likes liked liking enjoy enjoys enjoyed enjoying love loves loved loving prefer prefers preferred preference
    preferences appreciate appreciates appreciation interest interests interested interesting fan fans fond keen drawn
    passion passionate enthusiast fascinated fascination curious explore explores exploring discover discovering engage
    engages engaging look looks looking seek seeks seeking follow follows following watch watches watching watched read
    reads play plays playing played listen listens learn learns learning hear view views viewing user users person people
    someone somebody individual they he she dislike dislikes disliked hate hates hated avoid avoids avoiding reject rejects
    tired bored strong strongly deep deeply great good best high highly wide broad various variety varied range different
    diverse certain particular particularly especially specific specifically mainly mostly often usually also kind kinds
    type types sort sorts genre genres story stories tale tales theme themes themed thing things content topic topics
    subject subjects style styles element elements aspect aspects material materials work works piece pieces item items
    title titles focus focused featuring feature features include includes including involve involving related set
    setting settings based full lot lots many several such way ways use uses using make makes making time times new
    places place don't doesn't can't isn't aren't is't i'm he's she's it's they're just really very much more most
    gusta gustan interesa interesan le la el los las un una unos unas de del en con por para que sobre y su sus
    der die das den dem des ein eine einen einem einer und oder mit von über für mag liebt gern gerne interessiert sich
    im in am an auf zu ist sind nicht keine le les des du une et ou avec pour sur dans aime aiment il elle ne pas se s'intéresse
    viewed clicked bought rated searched search hid shared chose got comes said user's
"""
GLUE = (
    frozenset(_FILLING.split()) | AND | FLIPS | BREAKS | frozenset(ENGLISH_STOP_WORDS - {"fire", "cry", "mill", "sea"})
)
"""Words that claim nothing."""

_AGAINST = re.compile(
    r"\b(?:dis|un)lik(?:es?|ed|ing)\b|\bhate[sd]?\b|\bavoid(?:s|ed|ing)?\b|\breject(?:s|ed)?\b|\btired of\b"
    r"|\bnot (?:a fan|interested|into|keen|fond)\b|\b(?:does|do|did)(?: not|n['’]t) (?:like|enjoy|love|care|want)\b"
    r"|\bcan(?:not|['’]t) stand\b|\bno interest\b|\bno le gustan?\b|\bodia\b|\bevita\b|\bmag (?:keine?n?|nicht)\b"
    r"|\bhasst\b|\bmeidet\b|\bn['’]aime pas\b|\bdéteste\b|\bévite\b|不喜欢|讨厌",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;]\s|\bbut (?=(?:likes?|enjoys?|loves?|prefers?)\b)", re.IGNORECASE)


def dislikes(statement: str) -> bool:
    """Does the sentence say that somebody does not like a thing?"""
    return _AGAINST.search(statement) is not None


def clauses(statement: str) -> list[tuple[bool, str]]:
    """(against, words) of each part of a sentence: what comes after "dislikes" is against, what comes before is not."""
    found = []
    for clause in _CLAUSE.split(statement):
        before, *after = _AGAINST.split(clause, maxsplit=1)
        found += [(False, before), *((True, _AGAINST.sub(" ; ", rest)) for rest in after)]
    return [(against, words) for against, words in found if words.strip()]
