"""Postal addresses: a street and a number, as English, German, French, Spanish and Chinese write them, and P.O. boxes.

`addresses` gives their spans in a text; `agent.pii` uses it. Titles that have the form of an address are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Films, books and series that are called like an address.
WORKS = frozenset(
    (
        "10 cloverfield lane",
        "21 jump street",
        "22 jump street",
        "84 charing cross road",
        "10 rillington place",
        "1313 mockingbird lane",
        "711 ocean drive",
        "99 river street",
        "13 rue madeleine",
        "13 rue del percebe",
        "36 quai des orfèvres",
        "8 rue de l'humanité",
        "avenida cloverfield 10",
    )
)
_FREE = r"(?<![0-9A-Za-zÀ-ɏ_■$€£.,/])"  # a house number is not the end of another number, and no price
# Not \b: Chinese is written without blanks, and what is masked beside a word must not make it begin there.
_START, _END = r"(?<![0-9A-Za-zÀ-ɏ_■])", r"(?![0-9A-Za-zÀ-ɏ_■])"
_WORD = r"[\w'’-]{1,30}"
_CAPITAL = rf"[A-ZÀ-Þ]{_WORD}"
_POSTCODE = rf"(?:,? (?:[A-Z]{{1,2}}-)?\d{{5}} {_CAPITAL})?"

_STREET = (
    r"(?:[Ss]treet|[Rr]oad|[Aa]venue|[Ll]ane|[Dd]rive|[Bb]oulevard|[Tt]errace|[Cc]rescent|[Pp]arkway|[Hh]ighway|Court|Place"
    r"|Square|Close|Way|Grove|Gardens|Mews|Walk|Hill|St|Rd|Ave|Ln|Blvd|Pkwy|Hwy|(?:Dr|Ct|Sq)(?!\.? [A-Z][a-z]))" + _END
)
_OF_WORKS = r"(?i:(?! (?:films?|movies?|books?|stor(?:y|ies)|songs?|series|shows?|episodes?|bands?|blues|journal)\b))"
_PLACE_IN_TOWN = (
    rf"(?:,? (?:[Aa]pt|[Aa]partment|[Uu]nit|[Ss]uite|[Ff]lat)\.? [0-9A-Za-z]{{1,5}}{_END})?"
    rf"(?:,? (?:{_CAPITAL},? ){{0,3}}(?:[A-Z]{{2}} \d{{5}}(?:-\d{{4}})?|[A-Z]{{1,2}}\d[A-Z\d]? \d[A-Z]{{2}}){_END})?"
)
_SMALL = r"(?!(?:on|the|of|in|an?|to|and|for|from|off|best|top|new|more|am|pm|days?|years?)\b)[a-z][a-z'’-]{1,30}"
_ENGLISH = (
    rf"{_FREE}\d{{1,5}}(?:[A-Za-z]|[-–]\d{{1,4}})?,? (?:(?!(?:Best|Top|Great|Greatest|Most|New)\b)(?:{_CAPITAL}|[NSEW]"
    rf"|\d{{1,3}}(?:st|nd|rd|th))\.? ){{1,4}}{_STREET}{_OF_WORKS}{_PLACE_IN_TOWN}",
    # in small letters only after a word that says that it is a place, or where nothing else is said
    rf"(?i:(?=\d)(?:(?<={_START}at )|(?<={_START}near )|(?<={_START}to )|(?<={_START}from )"
    r"|(?<=address )|(?<=address: )|(?<=address is )|^(?=[^,.;!?]{0,90}\Z))"
    rf"\d{{1,5}}[a-z]?,? (?:{_SMALL} ){{1,2}}(?:street|road|avenue|lane|drive|boulevard|terrace|crescent|st|rd|ave|ln){_END}"
    rf"{_OF_WORKS})",
    rf"{_START}P\.? ?O\.? ?[Bb]ox \d{{1,6}}{_END}",
)

_NUMBER_DE = (
    rf"\d{{1,3}}(?: ?[a-hA-H]{_END})?{_END}(?!%|[.,]\d)"
    r"(?! (?:Jahre?|Folgen?|Staffeln?|Episoden?|Filme?|Minuten?|Stunden?|Tage|Euro|km|Mal)\b)"
)
_GERMAN = (
    _START
    + r"(?i:(?!(?:milch|sesam|bundes|einbahn)str)[a-zäöüß-]{3,30}(?:straße|strasse|str\.)) ?"
    + _NUMBER_DE
    + _POSTCODE,
    _START
    + r"(?!(?:Sack|Aus|Um|Heim|Rück|Hin|Lebens|Mittel|Tabellen|Start|Sitz|Park|Stell|Spiel|Listen|Arbeits)(?:gasse|weg|platz))"
    r"[A-ZÄÖÜ][a-zäöüß-]{2,30}(?:str|gasse|allee|damm|chaussee|ufer|weg|platz|steig|pfad) " + _NUMBER_DE + _POSTCODE,
    _START
    + r"(?!(?:Die|Der|Das|Diese|Jede|Eine|Keine) )(?:[A-ZÄÖÜ][\w.-]{1,30}[ -]){1,3}(?:Straße|Strasse|Str\.|Allee|Gasse) "
    + _NUMBER_DE
    + _POSTCODE,
    _START
    + r"(?!(?:Der|Dieser|Jeder|Unser|Erster|Zweiter|Dritter|Letzter|Bester) )[A-ZÄÖÜ][a-zäöüß]{1,30}(?:er |-)(?:[\w-]{1,20}-)?"
    r"(?:Weg|Platz|Ring|Damm|Ufer|Markt) " + _NUMBER_DE + _POSTCODE,
    rf"{_START}(?:Am|An der|Auf der|Auf dem|In der|Im|Zum|Zur|Unter den) {_CAPITAL}"
    rf" \d{{1,3}}[a-h]?,? (?:D-)?\d{{5}} {_CAPITAL}",
    rf"{_START}Postfach \d\d[\d ]{{0,8}}\d{_END}",
)

_LINK_FR = r"(?:(?:de |du |des |d['’]|la |le |les |l['’]|en |aux? ){1,3})"
_TAIL_FR = rf"(?: (?:de |du |des |la |le ){{0,2}}{_CAPITAL}){{0,3}}" + _POSTCODE
_FRENCH = (
    rf"{_FREE}\d{{1,4}}(?: ?(?:bis|ter)\b)?,? (?i:rue|avenue|av\.|boulevard|bd\.?|chemin|allée|impasse|quai|faubourg|ruelle) "
    rf"{_LINK_FR}?[\wÀ-ÿ]{_WORD}{_TAIL_FR}",
    rf"{_FREE}\d{{1,4}}(?: ?(?:bis|ter)\b)?,? (?:(?:place|cours|square) |(?:[Pp]lace|route|passage) {_LINK_FR})"
    rf"{_CAPITAL}{_TAIL_FR}",
)

_LINK_ES = r"(?:(?:de|del|la|las|los|el|y) ){0,3}"
_NUMBER_ES = (
    r",? ?(?:n[º°.o]\.? ?|núm\.? |número |# ?)?(?!(?:19|20)\d\d)\d{1,4}(?:-?[A-Z])?(?![0-9A-Za-zÀ-ɏ_■%]|[.,]\d)"
)
_SPANISH = (
    rf"{_START}(?i:calle|c/|avenida|avda\.?|av\.|paseo|plaza|pza\.?|camino|carretera|ronda|travesía|callejón) ?"
    rf"{_LINK_ES}{_CAPITAL}(?: {_LINK_ES}{_CAPITAL}){{0,3}}{_NUMBER_ES}(?:,? \d{{1,2}}[ºª°](?: ?[A-Z]\b)?)?"
    + _POSTCODE,
    rf"{_START}(?:calle|c/|avenida|avda\.?) ?(?:[a-zà-ÿ]{{2,20}} ){{0,3}}[a-zà-ÿ]{{2,20}}{_NUMBER_ES}(?=\s*(?:[.,;!?)]|$))",
)

_NUMBER_ZH = r"\s?(?:\d{1,5}|[一二三四五六七八九十百零〇]{1,5})\s?"
_CHINESE = (
    rf"[一-鿿]{{1,12}}(?:路|街|大道|巷|弄|胡同)(?:{_NUMBER_ZH}弄)?{_NUMBER_ZH}号(?!线)"
    r"(?:\d{0,4}(?:号楼|楼|室|单元|栋|幢|层|院)){0,4}",
    r"[一-鿿]{2,10}(?:小区|花园|家园|公寓|新村)\d{1,3}(?:号楼|栋|幢)(?:\d{1,4}(?:单元|室|号|楼)){0,3}",
)
_BEFORE_ZH = re.compile(r"[一-鿿]{0,11}[在是于到址为去寄]")  # "I live in": what stands before the name of a street

_FORMS = tuple(re.compile(form) for form in (*_ENGLISH, *_GERMAN, *_FRENCH, *_SPANISH))
_FORMS_ZH = tuple(re.compile(form) for form in _CHINESE)


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """The spans of addresses, in order; those that overlap are one."""
    spans = [match.span() for form in _FORMS for match in form.finditer(text) if not _is_work(match[0])]
    for match in (m for form in _FORMS_ZH for m in form.finditer(text)):
        before = _BEFORE_ZH.match(match[0])
        spans.append((match.start() + (before.end() if before else 0), match.end()))
    start = end = -1
    for first, last in sorted(spans):
        if first > end:
            if end > 0:
                yield start, end
            start, end = first, last
        end = max(end, last)
    if end > 0:
        yield start, end


def _is_work(text: str) -> bool:
    plain = " ".join(text.lower().replace("’", "'").replace(",", " ").split())
    work = next((work for work in WORKS if f"{plain} ".startswith(f"{work} ")), None)
    return work is not None and not any(char.isdigit() for char in plain[len(work) :])  # no postcode follows
