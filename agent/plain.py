"""Plain, true sentences made from the data alone: what is said when the LLM is away or what it wrote did not pass.

Nothing here can be wrong about the evidence, because every word is taken from it. Nothing here is beautiful either.
"""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.records import Event, EventKind, Item, Polarity

SAID = 3  # features named in a sentence; more reads like a list of tags
_VERBS = {Polarity.LIKE: "Likes", Polarity.DISLIKE: "Avoids"}
_DID = {
    EventKind.VIEW: "looked at",
    EventKind.CLICK: "looked at",
    EventKind.PURCHASE: "got",
    EventKind.LIKE: "liked",
    EventKind.SHARE: "shared",
    EventKind.DISLIKE: "disliked",
    EventKind.HIDE: "hid",
}


def enumerate_words(parts: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def statement(polarity: Polarity, genres: Sequence[str], details: Sequence[str], domains: Sequence[str]) -> str:
    """ "Likes mystery films and books, especially slow-burn and arctic". All best first; `domains` are plural nouns.

    `genres` are features that go before the noun (categories), `details` those that cannot (tags). One of the two must hold
    something.
    """
    both = "and" if polarity is Polarity.LIKE else "or"
    nouns = enumerate_words(domains[:2] or ("things",), both)
    if not genres:
        return f"{_VERBS[polarity]} {nouns} about {enumerate_words(details[:SAID], both)}"
    what = f"{_VERBS[polarity]} {enumerate_words(genres[:2], both)} {nouns}"
    return f"{what}, especially {enumerate_words(details[: SAID - 1])}" if details else what


def label(features: Sequence[str]) -> str:
    """ "Mystery and slow-burn". `features` best first, at least one."""
    text = enumerate_words(features[:2])
    return text[:1].upper() + text[1:]


def portrait(likes: Sequence[str], dislikes: Sequence[str]) -> str:
    """One paragraph from theme labels, strongest first."""
    if not likes and not dislikes:
        return "Nothing is known about this person's interests yet."
    said = []
    if likes:
        said.append(f"Mostly interested in {enumerate_words([lower(text) for text in likes[:2]])}.")
    if len(likes) > 2:
        said.append(f"Also follows {enumerate_words([lower(text) for text in likes[2:5]])}.")
    if dislikes:
        said.append(f"Stays away from {enumerate_words([lower(text) for text in dislikes[:3]])}.")
    return " ".join(said)


def lower(text: str) -> str:
    """`text` as it goes inside a sentence: the first letter small, unless the word is written in capitals."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def act(event: Event, item: Item) -> str:
    """What the user did, to be read after "you": "rated The Long Thaw 4.5"."""
    if event.kind is EventKind.RATE and event.value is not None:
        return f"rated {item.title} {event.value:g}"
    return f"{_DID.get(event.kind, 'chose')} {item.title}"


def reason(acts: Sequence[str], shared: Sequence[str]) -> str:
    """Why an item fits: what the user did, and what this has in common with it."""
    did = enumerate_words(acts[:2])
    if shared:
        return f"You {did}; this is {enumerate_words(shared[:SAID])} too."
    return f"You {did}; this one is close to that."


def reason_said(texts: Sequence[str], shared: Sequence[str]) -> str:
    """Why an item fits what the user said of themselves."""
    said = enumerate_words([f"“{text}”" for text in texts[:2]])
    return f"You told us {said}; this is about {enumerate_words(shared[:SAID])}." if shared else f"You told us {said}."


def reason_popular(people: int) -> str:
    """For an item that only its popularity proposes."""
    return (
        f"Chosen by {people} others; we know too little about you to say more."
        if people > 1
        else "New to the catalogue."
    )
