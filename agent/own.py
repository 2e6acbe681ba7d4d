"""What owners write into their own profile, read and checked: untrusted like everything that is typed.

own_statement("I can't stand gore", None, allow_sensitive=False)     # ("Dislikes gore", Polarity.DISLIKE)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent import guard, plain, sensitive
from agent.clauses import Clause, Speech, likes_or_not, members, parts, spoken, wishes
from agent.errors import UsageError
from agent.phrases import nominal
from agent.typed import typed
from retrieval.records import Polarity

MOST_STATEMENT = 200  # characters
MOST_LABEL = 60
MOST_WORDS = 20
_SIDE = re.compile(r"^(?:(?P<like>likes)|(?P<dislike>dislikes))\s+", re.IGNORECASE)
_TURNED = re.compile(
    r"^(?:i\s+)?used to (?:like|love|enjoy) (?P<what>.+?)[,;]?\s+(?:(?:and|but)\s+)?(?:now|no longer|not any ?more)\b.*$",
    re.IGNORECASE,
)
_WHY = {
    "personal": "it tells how to reach somebody",
    "markup": "it holds a link, markup or code",
    "instruction": "it speaks to the system",
}


def own_statement(text: str, says: Polarity | None, *, allow_sensitive: bool) -> tuple[str, Polarity]:
    """The statement that `text` makes, and its side; `says` decides where no verb does (default: a like). No LLM is asked.

    Raises UsageError for what is empty, too long, two things at once, no taste, harmful, or sensitive without consent.
    """
    words = _checked(text, "the statement", MOST_STATEMENT, allow_sensitive)
    verb = _SIDE.match(words)
    if verb:
        return _made(words[verb.end() :], Polarity.LIKE if verb["like"] else Polarity.DISLIKE, says)
    if sensitive.attribute(words) and not likes_or_not(words):
        return plain.told(words.rstrip(" .")), Polarity.LIKE
    if turned := _TURNED.match(words):
        return _made(turned["what"], Polarity.DISLIKE, says)
    sides = {clause.polarity for clause in _clauses(words)} - {None}
    if len(sides) > 1:
        raise UsageError("it says two things: what is liked and what is not", hint="add them one by one")
    spans = [clause.span for clause in _clauses(words)]
    if not sides or not spans:
        return _made(words, says or Polarity.LIKE, says)
    return _made(_from_to(words, spans), sides.pop(), says)


def own_label(text: str, *, allow_sensitive: bool) -> str:
    """A name for a theme. Raises UsageError as `own_statement` does."""
    words = _checked(text, "the name", MOST_LABEL, allow_sensitive)
    return plain.capital(_named(words))


def _from_to(words: str, spans: Sequence[str]) -> str:
    """What stands from the first of the spans to the end of the last; the first, where they are not found as they are."""
    begin, end = words.find(spans[0]), words.rfind(spans[-1]) + len(spans[-1])
    return words[begin:end] if spans[0] in words and spans[-1] in words and begin < end else spans[0]


def _clauses(text: str) -> list[Clause]:
    return [clause for part in parts(text) for clause in (wishes(part) or members(part))]


def _made(words: str, side: Polarity | None, says: Polarity | None) -> tuple[str, Polarity]:
    side = side or Polarity.LIKE
    if says is not None and says is not side:
        raise UsageError(f"the words tell a {side.value}, not a {says.value}", hint="change one of the two")
    return f"{plain.VERBS[side]} {plain.lower(_named(words))}", side


def _named(words: str) -> str:
    """The thing that is named, which must be one: a sentence is none."""
    words = words.strip(" .,;!?'\"“”")
    pieces = re.split(r"[,;]| and | or ", words)
    if not words or not all(nominal(piece.strip(), MOST_WORDS) for piece in pieces if piece.strip()):
        raise UsageError(
            "it does not name something that can be liked", hint="say it like “slow mysteries set in cold places”"
        )
    return words


def _checked(text: str, what: str, most: int, allow_sensitive: bool) -> str:
    words = " ".join(typed(text, what, most).split())
    if not words:
        raise UsageError(f"{what} is empty")
    problem = guard.harmful(words, consented=allow_sensitive)
    if problem is None and any(spoken(part) is Speech.ADDRESSED for part in parts(words)):
        problem = "instruction"
    if problem == "sensitive":
        hint = "it is kept if they agree: a box on the page, allow_sensitive, or --allow-sensitive"
        raise UsageError(f"{what} is sensitive: {sensitive.attribute(words)}", hint=hint)
    if problem:
        raise UsageError(f"{what} is refused: {_WHY[problem]}", hint="say only what is liked or disliked")
    return words
