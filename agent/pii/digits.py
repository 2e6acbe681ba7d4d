"""Numbers that belong to a person: IBANs, payment cards, national ids and phone numbers, told from all other numbers.

Each function gives the spans (start, end) of one kind in a text; `agent.pii` puts them together. A kind is taken only where
its checksum holds or its form is one that other numbers do not have; a phone number without such a form needs a word like
"call" before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

Spans = Iterator[tuple[int, int]]

MOST_PHONE = 15  # digits, ITU-T E.164
LEAST_CHARS = 7
MOST_GROUPS = 8  # of digits in a number: "+33 6 12 34 56 78" has six
MOST_CHARS = 32
# Lengths by country, SWIFT IBAN Registry.
_IBANS = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18
    FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
    LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27
    ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
"""
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9■])[A-Za-z]{2}\d{2}")
_IBAN_REST = re.compile(r"(?:[ -]?[A-Za-z0-9])*")
# Issuers by first digits (ISO/IEC 7812): Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay.
_ISSUER = re.compile(
    r"4(?:\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[068]\d{12}|(?:6011|65\d\d|64[4-9]\d|62\d\d)\d{12,15}|35\d{14}"
)
_NATIONAL = {  # a form that is theirs alone, or a checksum
    "us": re.compile(r"(?<![\w■-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w■]|-\d)"),
    "uk": re.compile(
        r"(?<![\w■])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?(?:\d\d ?){3}[A-D](?![\w■])"
    ),
    "es": re.compile(r"(?<![\w■])[XYZ\d]-?\d{7}-?[A-HJ-NP-TV-Z](?![\w■])"),
    "it": re.compile(r"(?<![\w■])[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?![\w■])", re.IGNORECASE),
    "fr": re.compile(r"(?<![\w■])[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?![\w■])"),
    "cn": re.compile(
        r"(?<![A-Za-z0-9■])[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9■])"
    ),
}
_RUN = re.compile(r"(?<![0-9A-Za-zÀ-ɏ_■])(?<![0-9A-Za-z■]-)(?<![0-9■]\.)[+(]{0,2}+\d++(?:[ \u00a0.\-–/()]{1,3}+\d++)*+")
_GROUP = re.compile(r"[+(]*\d+\)?")
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2})|(?:19|20)\d\d([./-])\d{1,2}\2\d{1,2}")
_FULL_DATE = re.compile(r"(?<!\d)(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})")
_COUNTRY = re.compile(r"\(?\+\(?[1-9]\d*(?!\.\d\b.* )|00[1-9]\d(?!\d*0{3})")  # no "+3.5 (2019"
_APART = re.compile(r"[\s\u00a0/–(]")  # what may stand between two numbers; dots and hyphens hold one together
_NO_DIGIT = re.compile(r"\D+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SEP = r"[ \u00a0.\-–/]"
_PAIRS = re.compile(rf"0[1-9]({_SEP})\d\d(?:\1\d\d){{3}}")  # France: 06 12 34 56 78
_FORMS = re.compile(
    rf"{_PAIRS.pattern}"
    rf"|\(?0[1-9]\d{{0,3}}\)?(?:{_SEP}{{1,3}}\d{{2,8}}){{1,4}}"  # a trunk zero: 030 1234567, 0171/123-456, 010-12345678
    r"|01[567]\d{8,9}|07[1-9]\d{8}|0[67]\d{8}"  # mobiles of Germany, Britain and France in one piece
    rf"|(?:1{_SEP})?\(?[2-9]\d\d\)?{_SEP}{{0,2}}(?!000)\d{{3}}[ .-]\d{{4}}"  # North America, Italy: (212) 555-0123
    r"|1[3-9]\d([ -]?)\d{4}\2\d{4}"  # China: 138 1234 5678
    r"|[6-9]\d\d([ .-])\d\d\3\d\d\3\d\d|[6-9]\d\d([ -])\d{3}\4\d{3}|9\d([ .-])\d{3}\5\d\d\5\d\d"  # Spain
    r"|[6-9]\d{4} \d{5}"  # India
    r"|\((?!(?:19|20)\d\d\))\d{2,4}\) ?\d{3,5}[- ]?\d{4}"  # an area in brackets: (11) 91234-5678
)
_CUE = re.compile(
    r"(?:(?<![\w■])(?:phone|tel(?:e?fon\w*|ephone|éfono)?|mobile?|cell|handy|call|text (?:me|us)|sms|fax|whats ?app|telegram"
    r"|wechat|ruf\w*|anruf\w*|portable|appel\w*|téléphon\w*|ll[aá]m\w*|m[oó]vil)\b|电话|手机|微信|联系|致电)[^\d■]{0,16}$",
    re.IGNORECASE,
)
_COUNT_BEFORE = re.compile(r"(?:[$€£¥]|\b(?:USD|EUR|GBP|ISBN|ASIN|ID|EAN)):?\s*$", re.IGNORECASE)
_COUNT_AFTER = re.compile(
    r"\s?(?:[$€£¥%]|(?:usd|eur|gbp|euros?|dollars?|d[oó]lares|views?|visitas|vues|people|personas|habitant\w*|Einwohner)\b)",
    re.IGNORECASE,
)


def ibans(text: str) -> Spans:
    """Where the length of the country and the remainder by 97 are right (ISO 13616)."""
    for head in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(head[0][:2].upper())
        rest = _IBAN_REST.match(text, head.end(), head.end() + 2 * 30)
        if length is None or rest is None:
            continue
        places = [i for i in range(head.start(), rest.end()) if text[i].isalnum()]
        if len(places) < length or (len(places) > length and text[places[length - 1] + 1].isalnum()):
            continue
        letters = "".join(text[i] for i in places[:length]).upper()
        if int("".join(str(int(c, 36)) for c in letters[4:] + letters[:4])) % 97 == 1:
            yield head.start(), places[length - 1] + 1


def national_ids(text: str) -> Spans:
    """Of the United States, the United Kingdom, Spain, Italy, France and China."""
    hits = [m.span() for country, form in _NATIONAL.items() for m in form.finditer(text) if _sound(country, m[0])]
    end = 0
    for start, stop in sorted(hits):
        if start >= end:
            yield start, stop
            end = stop


def _sound(country: str, number: str) -> bool:
    plain = re.sub(r"[ -]", "", number).upper()
    if country == "es":
        return "TRWAGMYFPDXBNJZSQVHLCKE"[int(plain[:-1].translate(str.maketrans("XYZ", "012"))) % 23] == plain[-1]
    if country == "fr":
        digits = plain[:-2].replace("2A", "19").replace("2B", "18")
        return 97 - int(digits) % 97 == int(plain[-2:])
    if country == "cn":
        total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(plain[:17]))
        return "10X98765432"[total % 11] == plain[-1]
    return True


def cards(text: str) -> Spans:
    """Of a known issuer, of its length, and with the check digit of ISO/IEC 7812 (Luhn)."""
    for groups in _runs(text):
        yield from _taken(groups, text, _is_card)


def phones(text: str) -> Spans:
    """In a form that only phone numbers have, or any of 7 to 15 digits after "call", "tel", "电话" and the like."""
    for groups in _runs(text):
        first = groups[0][0]
        called = _CUE.search(text, max(0, first - 40), first) is not None
        counts = _COUNT_BEFORE.search(text, max(0, first - 8), first) or _COUNT_AFTER.match(text, groups[-1][1])
        is_it = _is_called if called else _is_international if counts else _is_phone
        yield from _taken(groups, text, is_it)


def _runs(text: str) -> Iterator[list[tuple[int, int]]]:
    """Numbers that stand together, as the spans of their groups of digits; the brackets around a group are part of it."""
    for run in _RUN.finditer(text):
        if run.end() - run.start() < LEAST_CHARS:
            continue
        groups = [match.span() for match in _GROUP.finditer(text, *run.span())]
        after = text[run.end() : run.end() + 1]
        if after.isascii() and (after.isalpha() or after == "_"):
            groups.pop()  # "0171 1234x" ends in an id
        if groups:
            yield groups


def _taken(groups: Sequence[tuple[int, int]], text: str, is_it: Callable[[str], bool]) -> Spans:
    """The longest windows of groups that `is_it` accepts, from left to right."""
    place = 0
    while place < len(groups):
        start = groups[place][0]
        ends = [stop for _, stop in groups[place : place + MOST_GROUPS] if stop - start <= MOST_CHARS]
        longest = len(ends) if ends and ends[-1] - start >= LEAST_CHARS and _ends(groups, place, text) else 0
        fits = (n for n in range(longest, 0, -1) if _ends(groups, place + n, text) and is_it(text[start : ends[n - 1]]))
        count = next(fits, 0)
        if count:
            yield start, ends[count - 1]
        elif len(ends) > 2 and _DATE.fullmatch(text, start, ends[2]):
            count = 3
        place += count or 1


def _ends(groups: Sequence[tuple[int, int]], place: int, text: str) -> bool:
    """May a number end, and another begin, before the group at `place`? Not in the middle of 1.234.567."""
    return place in (0, len(groups)) or _APART.search(text, groups[place - 1][1], groups[place][0] + 1) is not None


def _digits(number: str) -> str:
    return _NO_DIGIT.sub("", number)


def _is_card(number: str) -> bool:
    digits = _digits(number)
    if not (_ISSUER.fullmatch(digits) and re.fullmatch(r"\d+(?:[ -]\d+)*", number)):
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_international(number: str) -> bool:
    """With + or 00 and the country, ITU-T E.123. A year that only follows is not taken in."""
    if not _COUNTRY.match(number):
        return False
    *body, last = number.split(" ")
    extra = _YEAR.fullmatch(last) is not None and len(_digits("".join(body))) >= 10
    least = 8 if "+" in number else 10
    return least <= len(_digits(number)) <= MOST_PHONE and not extra


def _is_phone(number: str) -> bool:
    if _is_international(number):
        return True
    digits = _digits(number)
    if not (9 <= len(digits) <= 12 and _FORMS.fullmatch(number)):
        return False
    return _PAIRS.fullmatch(number) is not None or not (_holds_date(number) or _is_isbn(digits))


def _is_called(number: str) -> bool:
    years = all(_YEAR.fullmatch(part) for part in re.split(_SEP, number)) or re.search(r"\((?:19|20)\d\d\b", number)
    return (7 <= len(_digits(number)) <= MOST_PHONE and not years and not _holds_date(number)) or _is_phone(number)


def _holds_date(number: str) -> bool:
    return any(
        not number[m.end() : m.end() + 1].isdigit() for m in (_DATE.match(number), _FULL_DATE.search(number)) if m
    )


def _is_isbn(digits: str) -> bool:
    """The check of ISBN-10 (ISO 2108)."""
    return len(digits) == 10 and sum((10 - place) * int(digit) for place, digit in enumerate(digits)) % 11 == 0
