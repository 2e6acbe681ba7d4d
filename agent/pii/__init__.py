"""Personal data in what people type (reviews, searches, a question, a self-description): found, and masked.

    mask("mail ann@example.com or call 030 1234567")    # "mail ■■■ or call ■■■"
    found("mail ann@example.com or call 030 1234567")   # ("email", "phone")

E-mail addresses, IP addresses, IBANs, payment cards, national ids that carry a check or a fixed form, phone numbers and
postal addresses (street and number). Names of people are not looked for. What masks must not touch (years, prices, ratings,
dates, ISBNs, "10 Cloverfield Lane") counts as much as what they must, so every pattern is narrow and numbers are checked.

Why no library: neither `phonenumbers` nor `python-stdnum` is a dependency. The first finds national numbers only where the
country is known, which a review does not tell; the second checks numbers and finds none, and the checks used here are short.
Every pattern is bounded or possessive: the time is linear in the text, whatever it holds.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from agent.pii import addresses, digits

MARK = "■■■"  # no letter and no digit: in any language it claims nothing, and nothing in it can be masked again
Spans = Iterator[tuple[int, int]]

# Nothing that is looked for comes without one of these.
_HINT = re.compile(r"[\d@号]|%40|\bdot\b|[(\[{]at[)\]}]", re.IGNORECASE)
_LATIN = "A-Za-z0-9À-ÖØ-öø-ɏ"
_EMAIL = re.compile(
    rf"(?<![{_LATIN}._+■-])[{_LATIN}._+-]++(?:@|%40)(?:[{_LATIN}-]++\.)+[A-Za-z]{{2,24}}"
    rf"|(?<![{_LATIN}._+■-])[{_LATIN}._+-]{{1,64}}+"
    rf"(?: ?[(\[{{]at[)\]}}] ?[{_LATIN}-]{{1,63}}(?: ?[(\[{{]dot[)\]}}] ?| dot |\.)| at [{_LATIN}-]{{1,63}} dot )"
    r"[A-Za-z]{2,12}(?![\w■])",
    re.IGNORECASE,
)
_IP = re.compile(
    r"(?<![\w.■-])(?:\d{1,3}\.){3}\d{1,3}(?![\w■]|\.\d)"
    r"|(?<![\w:.■])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:■])"
)
_VERSION = re.compile(r"(?:version|release|firmware|build|\bv)[ .]*$", re.IGNORECASE)


def mask(text: str) -> str:
    """`text` with personal data replaced by MARK. Idempotent."""
    return _scan(text)[0]


def found(text: str) -> tuple[str, ...]:
    """The kinds of personal data in `text`, among email, ip, iban, id, card, phone and address, each once."""
    return _scan(text)[1]


def _scan(text: str) -> tuple[str, tuple[str, ...]]:
    """The masked text and the kinds. Again while there is something to mask: a word that spared a number ("USD") may be
    masked itself. Patterns do not reach over a mask, so that this ends after two or three times."""
    named: set[str] = set()
    while _HINT.search(text):
        text, kinds = _pass(text)
        if not kinds:
            break
        named |= kinds
    return text, tuple(kind for kind in _KINDS if kind in named)


def _pass(text: str) -> tuple[str, set[str]]:
    """One kind after the other: what one has taken is no longer there for the next."""
    kinds = set()
    for kind, spans in _KINDS.items():
        parts, end = [], 0
        for start, stop in spans(text):
            parts += [text[end:start], MARK]
            end = stop
        if parts:
            text = "".join([*parts, text[end:]])
            kinds.add(kind)
    return text, kinds


def _emails(text: str) -> Spans:
    return (match.span() for match in _EMAIL.finditer(text))


def _ips(text: str) -> Spans:
    """Addresses of somebody's machine: not the loopback, no "version 1.2.3.4", and no a::b of a program."""
    for match in _IP.finditer(text):
        version = _VERSION.search(text, max(0, match.start() - 12), match.start())
        if not version and any(char.isdigit() for char in match[0]) and _names_a_machine(match[0]):
            yield match.span()


def _names_a_machine(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


_KINDS: dict[str, Callable[[str], Spans]] = {
    "email": _emails,
    "ip": _ips,
    "iban": digits.ibans,
    "id": digits.national_ids,
    "card": digits.cards,
    "phone": digits.phones,
    "address": addresses.addresses,
}
