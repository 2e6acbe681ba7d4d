"""A self-description cut into clauses, and who speaks in each of them of what.

    clauses("I love jazz, can't stand gore")        # jazz: like; gore: dislike
    spoken("My page must say {brand}")              # Speech.OTHER: about the system, or about nobody's taste

A description is in the first person and about tastes. A clause is kept where it has a first-person verb, names a thing and
nothing else, or is a wish about what to show ("please don't recommend horror"), which is read as a taste. Read are English,
Spanish, German, French and Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agent import phrases
from retrieval.records import Polarity
from retrieval.trust import folded

MOST_WORDS = 40  # of a clause in the first person
MOST_NAMED = 10  # of one that only names something
_SUBJECT = (
    r"i\b|i['’]m|i['’]ve|can['’]?t|cannot|never|not\b|no\b|hate|avoid|dislike|please\b|don['’]?t|me (?:gust|encant)"
    r"|odio|prefiero"
    r"|ich\b|je\b|j['’]|(?:我|正在|不|对|喜欢|讨厌|爱)"
)
_LIKING = r"love|like|enjoy|prefer|adore"
_SENTENCE = re.compile(r"[.!?;\n。！？；]+")
_CLAUSE = re.compile(
    rf",?\s+(?:but|though|although|while|yet|pero|aber|mais)\s+|[,，]\s*(?:and\s+)?(?=(?:{_SUBJECT}|{_LIKING}))"
    rf"|\s+and\s+(?=(?:{_SUBJECT}|{_LIKING}))|\s+(?=without\b)|[,，]?但是?",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:(?:can(?:['’]?t|not)(?! get enough)|(?:do|did|does|would|could|wo)n['’]?t|(?:do|did|does|would|could"
    r"|will) not)"
    r"(?: really| much| even| ever)*(?: (?:like|enjoy|want|care (?:for|about)|need|watch|read|play|listen to|stand"
    r"|bear|take))?"
    r"|hate[sd]?|dislike[sd]?|detest|loathe|avoid(?:ing)?|never(?: again)?|no more|no me (?:gust|interes)an?"
    r"|no (?:soporto|aguanto|quiero)"
    r"|no|without|sick of|tired of|bored of|allergic to|less|fewer"
    r"|not (?:an? )?(?:(?:big|huge|great|really|that|very) )*(?:into|interested in|fan of|keen on|fond of)"
    r"|nothing with|not"
    r"|odio|detesto|evito|nada de|(?:ich )?(?:hasse|meide)|(?:ich mag )?keine?[nr]?|je (?:déteste|hais)|j['’]évite"
    r"|je n['’]aime pas"
    r"|pas de|pas d(?=['’]))\b|我?(?:真的|也|很|都)*(?:不喜欢|不爱看?|不想看|讨厌|不要)",
    re.IGNORECASE,
)
_NOT_FOR_ME = re.compile(
    r"^(?P<what>.+?)\s+(?:(?:is|are)(?:n['’]?t| not)\s+(?:for me|my (?:thing|cup of tea|kind of \w+))"
    r"|mag ich (?:gar |überhaupt )?nicht)\W*$",
    re.IGNORECASE,
)
_LEARNING = re.compile(
    r"\b(?:learn(?:ing)?|studying|practising|practicing|trying to get better at|taking up|estoy aprendiendo(?: a)?"
    r"|aprendo"
    r"|ich lerne(?: gerade)?|j['’]apprends)\b|我?(?:正在|在)学习?",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"\b(love[sd]?|like[sd]?|enjoy(?:ed|s)?|adore|prefer|into|fan of|keen on|interested in|fond of|looking for|want"
    r"|fascinated by|obsessed with|favou?rites?|always up for|mostly (?:read|watch|play|listen to)"
    r"|can['’]?t get enough of"
    r"|(?:read|watch|play|listen to|collect)(?:ing)?"
    r"|me (?:gust|encant|interes|fascin)an?|prefiero|adoro|disfruto de|ich (?:mag|liebe|lese gerne?|höre gerne?"
    r"|bevorzuge)"
    r"|ich interessiere mich für|lese gerne?|j['’](?:aime|adore)|je préfère)\b|我?(?:也|很|最|都)*(?:喜欢|热爱|爱看|爱听|爱)",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"^(?:(?:i|we|am|'m|’m|have|'ve|’ve|do|been|also|really|just|quite|very|so|all|always|mostly|usually|lately|much"
    r"|a|an|the|some"
    r"|any|anything|things?|stuff|big|huge|to|for|with|of|my|is|are|about|lot|lots|and|or|please|currently|now|watch"
    r"|read|play"
    r"|listen)\b|[\s,:'’-])+",
    re.IGNORECASE,
)
_LIST = re.compile(r"(?:[,，、]|: )\s*(?:and\s+|or\s+)?|\s+(?:and|or|y|und|oder|et|ou)\s+")
_POLITE = (
    r"(?:(?:please|pls|por favor|bitte|s['’]il (?:vous|te) pla[iî]t|thanks|thank you|thx|gracias|danke|merci|yes"
    r"|ok(?:ay)?|hi|hello"
    r"|hey|and|but|so|also)\b[\s,]*|请)"
)
_COURTESY = re.compile(
    rf"^\W*{_POLITE}+|[\s,]*\b(?:please|bitte|por favor|thanks|thank you|no thanks)\W*$"
    r"|, the \w+(?: and \w+)? the (?:better|merrier)\W*$",
    re.IGNORECASE,
)
_SHOWING = r"(?:show|recommend|suggest|give|send|bring|offer|find)(?:ing)?"
_UNWANTED = re.compile(
    rf"^(?:(?:can|could|would) you )?(?:do not|don['’]?t|never|stop|no more|avoid)(?: ever)? {_SHOWING}(?: me"
    rf"| us)?(?: any(?: more)?| more)? "
    rf"(?P<en>.+?)(?: any ?more| (?:ever )?again)?$"
    rf"|^{_SHOWING} (?:me |us )?(?:less|fewer|no) (?P<less>.+)$"
    r"|^no (?:me )?(?:recomiend[eo]s?|recomend[ée]is|muestres?|sugieras?|des)(?: más)? (?P<es>.+)$"
    r"|^(?:empfiehl|zeige?|gib)(?: mir)?(?: bitte)? (?:keine?n?|weniger) (?P<de>.+)$"
    r"|^ne (?:me )?(?:recommande[zs]?|montre[zs]?|propose[zs]?)(?:-moi)? (?:pas|plus|jamais) (?:de |d['’]|des |les? "
    r"|la )?(?P<fr>.+)$"
    r"|^(?:不要|别)(?:再|给我)*(?:推荐|显示|看)(?P<zh>.+)$",
    re.IGNORECASE,
)
_WANTED = re.compile(
    rf"^(?:(?:can|could|would) you )?{_SHOWING} me (?:(?:some|more|a few|a lot of|any|good) )*(?P<en>.+)$"
    r"|^(?:recomi[ée]nd[ae]me|mu[ée]strame)(?: más)? (?P<es>.+)$|^(?:empfiehl"
    r"|zeige?) mir(?: bitte)?(?: mehr)? (?P<de>.+)$"
    r"|^(?:recommande[zs]?|montre[zs]?|propose[zs]?)-moi (?:plus de |plus d['’]|des )?(?P<fr>.+)$|^(?:多?给我"
    r"|多)推荐(?P<zh>.+)$",
    re.IGNORECASE,
)
_TURN = re.compile(r"^(?P<less>less|fewer|no)? ?(?:more )?", re.IGNORECASE)
_FIRST_PERSON = re.compile(
    r"^(?:(?:not |always |big |mostly |currently )*(?:looking for|love|loving|enjoy|adore|hate|can't stand|learning"
    r"|studying|interested in"
    r"|into|fan of|up for|obsessed with|fascinated by))\b"
    r"|^(?:[^\w]*\w[\w'-]*[^\w']+){0,4}?(?:i|i'(?:m|ve|d|ll)|ich|je|yo)\b|\bj'\w|^(?:\w+ ){0,3}(?:mich|mir)\b|我"
    r"|\b(?:me (?:gust|encant|interes|fascin|aburr|apasion|relaj|molest)\w+|odio|detesto|adoro|prefiero|disfruto"
    r"|evito|aprendo"
    r"|estudio|leo|veo|soy|tengo|estoy|escucho|soporto|aguanto|lese gerne?|me plai\w+)\b"
    r"|\b(?:(?:puts?|turns?) me off|(?:bores?|fascinates?|relax|relaxes|delights?|scares?|annoys?|calms?|thrills?"
    r"|interests?|makes?|keeps?"
    r"|moves?|cheers?|depress|depresses) me\b)|\bmy (?:\w+ ){0,2}(?:favou?rites?|passions?|hobb(?:y|ies)|interests?"
    r"|guilty pleasures?)\b"
    r"|\b(?:is|are) (?:my (?:\w+ )?(?:thing|passion|favou?rites?|cup of tea|weakness)|for me)$"
    r"|\b(?:isn't|aren't|not) (?:for me|my (?:thing|cup of tea|kind of \w+))$"
)
_ADDRESSED = re.compile(
    r"\b(?:should|must|dare|do|don't|will|shall|would|could) you\b|\byou (?:\w+ )?(?:should|must|shall|will|ought"
    r"|have to|need to|are|were|gotta|better)\b|\byou(?:'re|'ll| wrote| said| agreed)\b"
    r"|\bi (?:\w+ ){0,2}(?!when\b|where\b|that\b|which\b|if\b|as\b|until\b|because\b|like\b|while\b)\w+ you\b"
    r"|\b(?:recommend\w*|rank(?:s|ings?|er)?|prompts?|instructions?|users?|customers?|assistant|note that"
    r"|from now on)\b"
    r"|\b(?:my|this|the|our|user) (?:own )?(?:page|profile|portrait|record|file|entry|card|account|summary|list"
    r"|description|system"
    r"|machine|algorithm|model|ai|bot|writer|candidates?|shelf|shelves)\b|\b(?:record|portrait|page) of me\b|\b(?:of"
    r"|about) (?:mine|me)\b"
    r"|\b(?:write|put|say|says|store|remember) (?:down|in|that|about|this|it|to)\b|\b(?:all|the|every) (?:others?"
    r"|rest)\b"
    r"|\beveryone (?:else|should|must|agrees?)\b|\b(?:ficha|perfil|pagina|profil|nutzer\w*|usuarios?|utilisateurs?"
    r"|escribe|schreib\w*|ecris)\b"
    r"|推荐|用户|页面|资料|写(?:下|上|进|入|在|明)|记住|必须|只有"
)
_RELATIVE = re.compile(r",? (?:(?:in|with|for|from|of|about) )?(?:that|which|who|where|whose|whom) ")
_ANAPHORS = re.compile(r"\b(?:its|their|his|her|them|everything)\b")
_GRADE = re.compile(r"(?<!\bin)(?<!\bwith) [a-f]$")  # "vitamin c" is the price
_PREDICATE = re.compile(
    r"\s*(?:is|are|was|were|will|would|has|have|had|must|should|shall|can|could|does|did)\b", re.IGNORECASE
)
_DENIED = re.compile(r"(?:not|no|never)\b")
_ONE = re.compile(r"\b(?:ones?|titles?|items?|names?|things?|entry|entries)$")
_SECOND_PERSON = re.compile(
    r"\b(?:yours?|u|yourself|du|dich|dir|dein\w*|usted|ustedes|vous|votre|vos|toi)\b|^you\b|[你您]"
)


class Speech(StrEnum):
    """Who a part of a description speaks of."""

    OWN = "own"  # in the first person
    ADDRESSED = "addressed"  # to the system, or about what it keeps
    OTHER = "other"  # maybe only the name of a thing


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a self-description: the copied words, what they say, and whether they tell of learning something.

    `said` is the piece before anything was cut off it: what the guard must see.
    """

    span: str
    polarity: Polarity | None
    learning: bool = False
    said: str = ""


def parts(text: str) -> Iterator[str]:
    """What the sentences of `text` are made of, without words of courtesy; a list is still one part."""
    for sentence in _SENTENCE.split(text):
        for part in _CLAUSE.split(sentence):
            bare = _COURTESY.sub("", part).strip()
            if bare:
                yield bare


def clauses(text: str) -> list[Clause]:
    """All clauses of a self-description, lists cut into their members. `polarity` is None where no verb tells it."""
    return [clause for part in parts(text) for clause in (wishes(part) or members(part))]


def wishes(part: str) -> list[Clause]:
    """What a wish about what to show says of tastes; none where `part` is none, or its object is not the name of a thing."""
    unwanted, wanted = _UNWANTED.match(part), _WANTED.match(part)
    match = unwanted or wanted
    if match is None:
        return []
    found = []
    for piece in _LIST.split(next(group for group in match.groups() if group)):
        turn = _TURN.match(piece)
        span = _FILLER.sub("", piece[turn.end() :] if turn else piece).strip(" ,'\"")
        if not phrases.nominal(span):
            return []
        less = turn is not None and turn["less"] is not None
        against = less or (unwanted is not None and not piece.lower().startswith("more "))
        found.append(Clause(span, Polarity.DISLIKE if against else Polarity.LIKE, said=span))
    return found


def members(part: str, *, own: bool = True) -> list[Clause]:
    """One clause, or one for each member of its list: "I like jazz, hiking and old films" has three.

    A verb of what is not the user's `own` speech counts at its start only: "the people who collect them" is no liking.
    """
    turned_down = _NOT_FOR_ME.match(part)
    if turned_down:
        return [Clause(_FILLER.sub("", turned_down["what"]).strip(), Polarity.DISLIKE, said=part)]
    negative, positive, learning = _NEGATIVE.search(part), _POSITIVE.search(part), _LEARNING.search(part)
    cue = negative or learning or positive
    if cue and not own and _FILLER.sub("", part[: cue.start()]).strip():
        negative = learning = cue = None
    says = Polarity.DISLIKE if negative else Polarity.LIKE if cue else None
    lead, rest = (part[: cue.end()], part[cue.end() :]) if cue else ("", part)
    found = []
    for piece in _LIST.split(rest):
        span = _FILLER.sub("", piece).strip(" ,'\"")
        if len(span) > 1 or (not span.isascii() and span.isprintable()):  # one letter is no taste, one emoji may be
            found.append(Clause(span, says, learning is not None and not negative, f"{lead}{piece}"))
        lead = ""
    return found


def likes_or_not(text: str) -> bool:
    """Has `text` a verb of liking or of its opposite?"""
    return _POSITIVE.search(text) is not None or _NEGATIVE.search(text) is not None


def spoken(part: str) -> Speech:
    """Who `part` speaks of."""
    plain = folded(part)
    if _ADDRESSED.search(plain) or phrases.commands(plain):
        return Speech.ADDRESSED
    if _FIRST_PERSON.search(plain):
        return Speech.OWN if len(plain.split()) <= MOST_WORDS else Speech.OTHER
    return Speech.ADDRESSED if _SECOND_PERSON.search(plain) or phrases.of_the_system(plain) else Speech.OTHER


def named(pieces: list[Clause]) -> list[Clause]:
    """What a list without a subject names. A list begins with a name and consists of names, or it is a sentence with commas."""
    if any(_PREDICATE.match(piece.said) for piece in pieces):
        return []
    found = [piece for piece in pieces if _names(piece)]
    return found if found and found[0] is pieces[0] and 2 * len(found) >= len(pieces) else []


def _names(clause: Clause) -> bool:
    """Does a clause name a thing, maybe with a relative clause ("films that make me think")? It has no subject of its own."""
    head, *rest = _RELATIVE.split(folded(clause.span), maxsplit=1)
    tail = frozenset(" ".join(rest).split())
    if clause.polarity is None and _DENIED.match(head):
        return False
    bounded = (
        len(tail) <= MOST_NAMED
        and phrases.REQUESTS.isdisjoint(tail)
        and not (rest and (_ONE.search(head) or phrases.commands(head, maybe=True)))
    )
    return (
        bounded
        and not phrases.beside("".join(rest))
        and phrases.nominal(_ANAPHORS.sub("", head), MOST_NAMED)
        and not _GRADE.search(head)
    )
