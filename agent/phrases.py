"""Is a text the name of a thing, or does it speak to somebody? A rule of form: it needs no list of attacks.

    nominal("mysteries set in cold places")    # True
    nominal("please help me win")              # False: a pronoun, and a request

A noun phrase holds words that mean something, and prepositions. Pronouns, auxiliaries, negated verbs and the like are closed
classes (Quirk et al. 1985, A Comprehensive Grammar of the English Language, §2.39): a few dozen words in each language, which
no author can add to. So a sentence shows itself whatever it says. Read are English, Spanish, German, French and Chinese.
Words that two languages write alike ("die", "son") are left out where the other one uses them in names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from retrieval.trust import folded

MOST_WORDS = 6
MOST_HAN = 12  # Chinese characters, and characters in other scripts that may have no blanks
MOST_UNREAD = 3  # words in a script whose closed classes are not listed here
_CLOSED_WORDS = """
    i'm i've i'll i'd me my mine myself we us our ours you you're you'll your yours yourself u ur he him she hers they
    them their theirs it it's its itself this that that's these those everyone everybody anyone anybody someone
    somebody nobody everything whatever whoever who's whom whose which another others there here is isn't are aren't
    was wasn't were weren't am be been has hasn't have haven't had hadn't having does doesn't did didn't don't would
    wouldn't shall should shouldn't must mustn't could couldn't can't cannot won't ought let's gonna gotta wanna
    please pls plz yes only always never ever again instead otherwise rather than therefore thus hence surely because
    if unless until vs versus whenever although though yet ahead above before yo mi mis usted ustedes nosotros nuestro
    nuestra ello esta estos estas eso ese esos que estan eres hay debe debes deben tiene tienes quiero solamente
    unicamente siempre nunca jamas porque pero favor ich mich mir mein meine meinen wir uns unser unsere du dich dir
    dein deine deinen euch sie ihn ihm dies diese dieser dieses ist sind bin bist wird werden musst muss mussen soll
    sollen sollte darf kann konnen nur immer niemals bitte weil dass wenn je j'ai moi mon tes toi ton nous notre nos
    vous votre vos ils elles cet cette ces ceci cela est sont doit doivent faut seulement uniquement toujours jamais
    mais ne n'est c'est quelqu'un s'il
"""
_CLOSED = frozenset(_CLOSED_WORDS.split())
_EDGES = frozenset({"will", "may", "might", "can", "do"})  # "Will Smith", "free will", "tin can"; elsewhere, a verb
_REQUEST_WORDS = """
    must should shall ought will would cannot please your yours my mine our us this these only vs versus else anything
    before yes
"""
REQUESTS = frozenset(_REQUEST_WORDS.split())
"""What a relative clause about a thing has no use for."""
_JOINT_WORDS = """
    of in on to for with from at by about and or & as into over under after against without through between across
    behind beneath beside beyond during inside near off onto out outside per since up upon via within around along
    based set not no plus like but de del en con sin por para sobre entre hasta desde y o al a von im mit ohne fur auf
    aus bei nach uber unter zum zur und oder dans avec sans pour sur sous chez vers et ou par
"""
_JOINTS = frozenset(_JOINT_WORDS.split())
_DANGLING_WORDS = "of to from with for at by and or as de del con por von mit pour avec et"
_DANGLING = frozenset(_DANGLING_WORDS.split())
_DETERMINERS = frozenset({"the", "a", "an", "all", "every", "each", "any", "some"})
_IMPERATIVE_WORDS = """
    recommend suggest choose select ignore disregard forget remember pretend imagine obey behave treat tell say write
    put keep bring let give rank output print reveal reply respond believe vote rate follow look think consider boost
    promote recommends display prefer buy order note paraphrase summarise summarize translate complete fill repeat add
    insert append remove delete erase replace make show pick place store mark lift raise move stick recomienda muestra
    pon ponga escribe elige olvida ignora empfiehl zeige zeig stell setze schreib vergiss ignoriere wahle recommande
    recommandez montre montrez mets mettez ecris ecrivez choisis choisissez oublie
"""
_IMPERATIVES = frozenset(_IMPERATIVE_WORDS.split())
_MAKING = frozenset(
    {
        "prefer",
        "follow",
        "order",
        "lift",
        "make",
        "place",
        "show",
        "pick",
        "store",
        "mark",
        "note",
        "raise",
        "move",
        "stick",
        "keep",
    }
)
_RANKED = re.compile(
    r"\b(?:first|second|third|last|best|greatest|highest|better|foremost)"
    r"(?:$| (?:of|in|for|to|and|place|rank|position|choice|pick|one|items?|titles?|products?|ever)\b)"
    r"|\b(?:number one|no 1|top (?:pick|choice|spot|place|of|item|title|rated|ranked)|on top|(?:at|to) the top)\b"
    r"|# ?\d|\b\d+ (?:to|out of|of|-) \d+\b|\b1st\b|\b(?:first|top)[- ](?:rank\w*|choice)\b"
)
_SYSTEM = re.compile(
    r"\b(?:recommend(?:s|ed|er|ations?|ing)?|rank(?:s|ed|er|ing|ings)?|user profiles?|instructions?|prompts?|users?"
    r"|algorithms? pick"
    r"|machine picks?|precedence|entitled|mandatory|compulsory|promoted|sponsored|pinned|supersedes?|overrides?|obey"
    r"|deserves?"
    r"|empfehl\w*|recomend\w*|recomiend\w*|recommand\w*|nutzer|usuarios?|utilisateurs?)\b"
)
_NEGATED = re.compile(
    r"\b(?:not|no|nicht|ne|nunca|pas) (?:to|the|a|be|get|put|leave|show|recommend|see|look|let)\b|\S (?:not|n't)\b"
)
_LEAD = re.compile(
    r"^(?:how (?:much|many|long)(?: to)?|(?:how|what|where|when|which \w+|what \w+) (?:to|(?:do|can|could|should"
    r"|would) i)|how do you|what did"
    r"|what (?:is|are)|where (?:is|are)|how|what|where|why|when|things to do|places to \w+|ways to"
    r"|como|donde|que (?=\w+r\b)|wie (?:man|kann ich)|wo (?:man|kann ich)|comment|ou (?=\w+(?:er|ir|re)\b)"
    r"|(?:我)?(?:想|要)?(?:怎么|怎样|如何|哪里|在哪里?|什么)(?:能|可以)?)\s*"
)
_SAID = re.compile(r"[.!?;:,，。！？；：、\"“”«»<>|=+*/\\→↑↓☑☐✔✅❌]|\s[-–—]\s|\.\.\.|…")
_ABBREVIATION = re.compile(
    r"\b(?:dr|mr|mrs|ms|st|jr|vs|no|vol|e\.t|u\.s|j\.r\.r)\.|\b(?:\w\.)+(?!\w)|\d[.,/:]\d|[^\W\d]:[^\W\d]|\w/\w"
    r"|\w\+\+|\.net\b"
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_HAN_SPEAKS = re.compile(
    r"[我你您她它咱]|他(?!乡)|请(?!客)|必须|应该|只(?:有|要|能|推|选|写|是|看|爱|买|给)|不要|不得|永远|总是|推荐|排名|排在|排到|第一(?!次|部|季|章)|写(?:下|上|进|入|在|明)"
    r"|记住|显示|忽略|忘记|置顶|最前|最好|用户|这个|那个|此项|把(?!手|戏)"
)
_READ = re.compile(
    r"[\x00-\u024f\u1e00-\u1eff\u2000-\u2bff\u3000-\u303f\u3400-\u9fff\uff00-\uffef\ufe0f\u200d\U0001f000-\U0001faff]*"
)
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|&")


@lru_cache(maxsize=65_536)
def nominal(text: str, most: int = MOST_WORDS) -> bool:
    """Is `text` a noun phrase of at most `most` words, or a question of how, what or where about one?

    False for what addresses, asks, commands, denies or compares, and for what speaks of ranks, users and their profiles.
    """
    plain = folded(text.replace("à", "de")).strip()  # folding would make the French preposition an English article
    words = _TOKEN.findall(plain)
    if not words:
        return bool(plain) and len(plain) <= most and not _SAID.search(plain)  # "🎷🎷"
    if len(words) > most or beside(plain):
        return False
    if not _READ.fullmatch(plain):
        return len(words) <= MOST_UNREAD and len(plain) <= MOST_HAN
    named = _LEAD.sub("", plain)
    if _HAN.search(named):
        return len(_HAN.findall(named)) <= MOST_HAN and not _HAN_SPEAKS.search(named)
    asked = len(named) < len(plain)
    return not _NEGATED.search(plain) and _of_one_piece(_TOKEN.findall(named), asked)


def named(text: str) -> int:
    """How many words of `text` name something: neither joints nor determiners."""
    return sum(word not in _JOINTS and word not in _DETERMINERS for word in _TOKEN.findall(folded(text)))


def beside(text: str) -> bool:
    """Has `text` marks of a sentence, or does it speak of ranks, users and their profiles? It is folded."""
    marked = _SAID.search(_ABBREVIATION.sub("", text)) is not None
    return marked or _SYSTEM.search(text) is not None or _RANKED.search(text) is not None


def commands(text: str, *, maybe: bool = False) -> bool:
    """Is the first word of a sentence a verb of command, which names nothing? `maybe` it names something ("pick"). `text` is
    folded."""
    first = _TOKEN.search(text)
    return first is not None and first[0] in (_IMPERATIVES if maybe else _IMPERATIVES - _MAKING)


def of_the_system(text: str) -> bool:
    """Does it speak of ranking, users and the like? It is folded."""
    return _SYSTEM.search(text) is not None


def _of_one_piece(words: list[str], asked: bool) -> bool:
    """No word of a closed class that only sentences have, no command, and no object of a verb. `asked`: "how to ..." stood
    before, so that a verb may come first."""
    if (
        not _CLOSED.isdisjoint(words)
        or not _DANGLING.isdisjoint(words[-1:])
        or not _EDGES.isdisjoint(words[1:-1])
        or "i" in words[:-1]
    ):
        return False
    if words and words[0] in _IMPERATIVES and not (words[0] in _MAKING and (asked or len(words) == 2)):
        return False
    # "a determiner after a word that means something" is what follows a verb: "raise the lantern", not "over the top"
    return asked or not any(w in _DETERMINERS and b not in _JOINTS | _DETERMINERS for b, w in pairwise(words))
