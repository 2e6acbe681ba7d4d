"""Plain, true sentences made from the data alone: what is said when the LLM is away or what it wrote did not pass.

Nothing here can be wrong about the evidence, because every word is taken from it. Nothing here is beautiful either.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from retrieval.features import DOMAINS
from retrieval.records import Event, EventKind, Item, Polarity, Theme
from retrieval.trust import spoken, suspicion

SAID = 3  # features named in a sentence; more reads like a list of tags
MOST_LIKES, MOST_DISLIKES = 5, 3  # named in a portrait
_WORD = re.compile(r"[^\W\d_]+")
_PARTED = re.compile(r"(?<=[^\W\d_])- (?!(?:and|or|to)\b)(?=[^\W\d_])")  # "second- chance", not "pre- and post-war"
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou](?!ni))")  # "an animated film", but "a unique one"
_SAYS = "Says “"
VERBS = {Polarity.LIKE: "Likes", Polarity.DISLIKE: "Dislikes"}
# What a title may not bring into a sentence: links, addresses, tags, code and emphasis. "(1995)", "M*A*S*H" and "[REC]" may.
_UNSAYABLE = re.compile(
    r"https?:|www\.|<[a-z/!]|&#?\w{2,8};|\]\(|[`|\\{}]|\*\*|__|~~|^\s*#+\s|\w@\w|(?:^|\s)@\w"
    r"|\b[\w-]+\.(?:com|org|net|io|biz|info)\b|\+?\d(?:[\s().-]{0,2}\d){8,}|[\x00-\x1f\x7f]",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\(\d{4}\)")  # "1972-1990 (1992)" is no telephone number
_DID = {
    EventKind.VIEW: "looked at",
    EventKind.CLICK: "looked at",
    EventKind.PURCHASE: "got",
    EventKind.LIKE: "liked",
    EventKind.SHARE: "shared",
    EventKind.DISLIKE: "disliked",
    EventKind.HIDE: "hid",
    EventKind.SKIP: "skipped",
}


def enumerate_words(parts: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def phrase(genres: Sequence[str], details: Sequence[str], domains: Sequence[str]) -> str:
    """ "mystery films and books, especially slow-burn and arctic". All best first; `domains` are plural nouns, maybe none.

    `genres` are features that go before the noun (categories), `details` those that cannot (tags). One of the two must hold
    something.
    """
    if not domains:
        return enumerate_words([*genres, *details][:SAID])
    nouns = enumerate_words(domains[:2])
    if not genres:
        return f"{nouns} about {enumerate_words(details[:SAID])}"
    what = f"{enumerate_words(genres[:2])} {nouns}"
    return f"{what}, especially {enumerate_words(details[: SAID - 1])}" if details else what


def statement(polarity: Polarity, words: str) -> str:
    """A statement from a phrase that names a taste: "Likes mystery films"."""
    return f"{VERBS[polarity]} {lower(words)}"


def words_of(text: str) -> str:
    """What a statement likes or dislikes, without the verb; nothing of one that tells something else."""
    verb = next((v for v in VERBS.values() if text.startswith(f"{v} ")), None)
    return text.removeprefix(f"{verb} ") if verb else ""


def told(words: str) -> str:
    """A statement of what the user says that they are, quoted: "Says “I'm Muslim”"."""
    return f"{_SAYS}{words}”"


def tells(text: str) -> bool:
    """Is it a statement of what somebody is, and so no taste?"""
    return text.startswith(_SAYS)


def looking_for(queries: Sequence[str]) -> str:
    """A statement from searches that led to no item; the words are the user's. The latest two, at least one."""
    return f"Is looking for {enumerate_words([f'“{query}”' for query in queries[-2:]])}"


def label(features: Sequence[str]) -> str:
    """ "Mystery and slow-burn". `features` best first, at least one."""
    return capital(enumerate_words(features[:2]))


def portrait(likes: Sequence[str], dislikes: Sequence[str]) -> str:
    """One paragraph from theme labels, strongest first."""
    if not likes and not dislikes:
        return "Nothing is known about this person's interests yet."
    said = []
    if likes:
        said.append(f"Mostly interested in {enumerate_words([lower(text) for text in likes[:2]])}.")
    if len(likes) > 2:
        said.append(f"Also follows {enumerate_words([lower(text) for text in likes[2:MOST_LIKES]])}.")
    if dislikes:
        said.append(f"Stays away from {enumerate_words([lower(text) for text in dislikes[:MOST_DISLIKES]])}.")
    return " ".join(said)


def labels(themes: Sequence[Theme]) -> tuple[list[str], list[str]]:
    """The names of the active likes and dislikes, each strongest first. What somebody is, is neither."""
    tastes = [t for t in themes if t.active and not tells(t.summary)]
    likes, dislikes = ([t.label for t in tastes if t.polarity is side] for side in Polarity)
    return likes, dislikes


def portrayed(themes: Sequence[Theme]) -> tuple[tuple[list[str], frozenset[str]], ...]:
    """What a portrait depends on, of likes and of dislikes: the strongest, and which ones it may name, in any order."""
    likes, dislikes = labels(themes)
    return (likes[:1], frozenset(likes[:MOST_LIKES])), (dislikes[:1], frozenset(dislikes[:MOST_DISLIKES]))


def lower(text: str) -> str:
    """`text` as it goes inside a sentence: the first letter small, unless the word is written in capitals."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def cased(text: str, names: Mapping[str, str]) -> str:
    """`text` with names as `names` (by lower case) writes them: "italian courses" to "Italian courses"."""
    return _WORD.sub(lambda word: names.get(word[0], word[0]), text)


def tidy(text: str) -> str:
    """A sentence of the LLM's without a final full stop, with one space between words, none in compounds, and the right
    article."""
    joined = _PARTED.sub("-", " ".join(text.split()).rstrip(" .;,"))
    return capital(_ARTICLE.sub(r"\1n ", joined))


def act(event: Event, item: Item) -> str:
    """What the user did, to be read after "you": "rated The Long Thaw 4.5"."""
    verb, what = _did(event, item)
    return f"{verb} {what}"


def _did(event: Event, item: Item) -> tuple[str, str]:
    if event.kind is EventKind.RATE and event.value is not None:
        return "rated", f"{title(item)} {event.value:g}"
    return _DID.get(event.kind, "chose"), title(item)


def title(item: Item) -> str:
    """The title as it may be said, or else the kind of thing it is: titles are hostile until shown otherwise."""
    said = " ".join(spoken(item.title).split())
    if said and not _UNSAYABLE.search(_YEAR.sub("", unicodedata.normalize("NFKC", " ".join(item.title.split())))):
        return said
    kind = next((c.lower() for c in item.categories if DOMAINS.get(c.lower()) == f"{c.lower()}s"), "item")
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def because(acts: Sequence[tuple[Event, Item]], said: str) -> str:
    """The first half of a reason: what the user did, or else what they said of themselves.

    "You rated The Long Thaw 4.5 and Whiteout 4"; one verb for several acts of a kind.
    """
    if not acts:
        return f"You told us of “{said}”"
    by_verb: dict[str, list[str]] = {}
    for event, item in acts[:2]:
        verb, what = _did(event, item)
        by_verb.setdefault(verb, []).append(what)
    return "You " + enumerate_words([f"{verb} {enumerate_words(what)}" for verb, what in by_verb.items()])


def shares(features: Sequence[str]) -> str:
    """The second half: what an item has in common with that. `features` hold at least one."""
    return f"this shares {enumerate_words(features[:SAID])}"


def counts_against(acts: Sequence[tuple[Event, Item]], said: str, features: Sequence[str]) -> str:
    """What speaks against an item: "Against it: you disliked Gore Hotel, which shares gore". `said`: see `because`."""
    which = ("which shares" if len(acts) == 1 else "which share") if acts else "and this shares"
    return f"Against it: {lower(because(acts, said))}, {which} {enumerate_words(features[:SAID])}."


MOVED = "that moves this up your list"
CLOSE = "this is close to it"


def reason_popular(people: int) -> str:
    """For an item that nothing known of the user speaks for. `people`: how many chose it."""
    return f"{_chosen_by(people)}; nothing we know of you says more."


def reason_spared(people: int, dislike: str) -> str:
    """For a user of whom only dislikes are known. `dislike` is the statement: "Dislikes horror films"."""
    return f"{_chosen_by(people)}, and it is none of what you dislike: {dislike.partition(' ')[2]}."


def _chosen_by(people: int) -> str:
    return f"Chosen by {people} {'person' if people == 1 else 'people'}" if people else "Not chosen by anybody yet"


def reason_asked(query: str) -> str:
    """For an item that only the question speaks for."""
    return "Close to what you asked for." if suspicion(query) else f"Close to what you asked for: “{query}”."
