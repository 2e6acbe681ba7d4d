"""Personal data in what people type: found and masked and nothing else touched, down to prompts, logs and the store."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import guard, pii
from agent.coldstart import read
from agent.errors import UsageError
from agent.typed import MOST_QUERY, typed
from retrieval.records import Event, EventKind, Item
from tests.fakes import NOW, FakeLLM, act, catalogue, make_service

# What stands in braces is personal, the rest is to stay as it is.
PERSONAL = {
    "email": [
        "{ann@example.com}",
        "mail me at {ann.b+films@mail.example.co.uk}.",
        "schreib an {jörg.müller@müller-post.de}, bitte",
        "escríbeme a {marta_ruiz@ejemplo.es}",
        "mon adresse: {c.dupont@exemple.fr}!",
        "我的邮箱是{ann@example.com}谢谢",
        "{ann (at) example (dot) com} please",
        "{ann at gmail dot com}",
        "from /users/{ann%40example.com}/profile",
    ],
    "phone": [
        "call {+1 (212) 555-0123} tonight",
        "{(212) 555-0123}",
        "{212.555.0123}, after six",
        "{1-800-555-0199}",
        "call me at {5551234}",
        "{+44 20 7946 0958}",
        "{020 7946 0958}",
        "{07700 900123}",
        "{07700900123}",
        "{(0117) 496 0123}",
        "Ruf mich an: {030 1234567}",
        "{+49 (0)30 1234567}",
        "{0049 170 1234567}",
        "{0171/1234567}",
        "{089 / 123 456}",
        "{01711234567}",
        "{06 12 34 56 78}",
        "mon portable {06.12.34.56.78}",
        "{+33 6 12 34 56 78}",
        "{0612345678}",
        "mi número: {612 34 56 78}",
        "{91 123 45 67}",
        "llámame al {612345678}",
        "{+34 612 345 678}",
        "手机{13812345678}",
        "{138 1234 5678}",
        "{010-12345678}",
        "微信:{12345678}",
        "a film of 2003, {+49 30 1234567} 2019",
        "01.02.2003 {030 1234567}",
    ],
    "card": [
        "{4111 1111 1111 1111}",
        "card {4111111111111111} ok",
        "{5500-0000-0000-0004}",
        "{378282246310005}",
        "卡号{6222 0212 3456 7894}",
    ],
    "iban": [
        "{DE89 3704 0044 0532 0130 00} danke",
        "{DE89370400440532013000}",
        "{GB29 NWBK 6016 1331 9268 19}",
        "{FR14 2004 1010 0505 0001 3M02 606}",
        "cuenta {ES91 2100 0418 4502 0005 1332}.",
    ],
    "ip": ["my server is {192.168.1.77}", "{2001:db8::ff00:42:8329}", "{203.0.113.9}, again"],
    "id": [
        "{123-45-6789}",
        "ni {AB123456C}",
        "DNI {12345678Z}",
        "NIE {X1234567L}",
        "身份证{11010519491231002X}",
        "{RSSMRA85T10A562S}",
        "{1 85 05 78 006 084 91}",
    ],
    "address": [
        "I live at {221B Baker Street, London NW1 6XE}",
        "{12 Baker Street}, and I love jazz",
        "{742 Evergreen Terrace, Springfield, IL 62704}",
        "send it to {12 Main St}.",
        "{1600 N. Sunset Blvd, Apt 4}",
        "cafés near {221b baker street}",
        "{P.O. Box 1234}",
        "Ich wohne in der {Hauptstr. 12a, 10115 Berlin}",
        "{Hauptstraße 5}",
        "{goethestraße 7}",
        "{Berliner Straße 10}",
        "{Karl-Marx-Allee 33}",
        "{Kurfürstendamm 21}",
        "{Alexanderplatz 1}",
        "{Am Markt 3, 04109 Leipzig}",
        "j'habite {12, rue de la Paix, 75002 Paris}",
        "{5 bis avenue des Champs-Élysées}",
        "{8 boulevard Saint-Michel}",
        "{3 place de la République}",
        "{12 rue de rivoli}",
        "Vivo en la {Calle Mayor 5}",
        "{calle de Alcalá, 45, 3º B, 28013 Madrid}",
        "{Avda. de la Constitución 12}",
        "vivo en la {calle mayor 5}",
        "{C/ Serrano 21}",
        "我住在{中山路88号}",
        "{上海市浦东新区世纪大道100号}",
        "{南京东路二十八号}",
        "地址是{北京市朝阳区建国路88号3号楼502室}",
    ],
}
EXAMPLES = [(kind, text) for kind, texts in PERSONAL.items() for text in texts]

IMPERSONAL = """
2001: A Space Odyssey (1968)|Apollo 13 (1995)|12 Angry Men (1957)|Se7en (1995)|8½ (1963)|Blade Runner 2049 (2017)
The 400 Blows|21 Grams|10 Cloverfield Lane (2016)|21 Jump Street|84 Charing Cross Road (1987)|36 Quai des Orfèvres
13 Rue Madeleine (1947)|8 Mile|127 Hours|1408|1917|300: Rise of an Empire|Call Northside 777 (1948)|2 Fast 2 Furious
7 Faces of Dr. Lao (1964)|5,000 Fingers of Dr. T|Nightmare on Elm Street 3|The Taking of Pelham 1 2 3|U-571|Apartment 1303
Lindenstraße|Berlin Alexanderplatz (1980)|Auf Platz 1 der Liste|Der dritte Weg 3|Sesamstraße 50 Jahre|Staffel 5 Folge 12
Die Straße (1954)|Calle 13|Calle 54 (2000)|Plaza Sésamo|2 places de concert|3 cours de cuisine|la rue Cases-Nègres
上海滩之十六铺|地铁5号线|7号房的礼物|和平饭店|一条路|《第9区》|2012年的电影
rated 4.5 of 5|4.5|10/10|1,000,000 copies|1.000.000 Exemplare|1 000 000 $|USD 300 400 5000|612 345 678 €|$1,299.99|12,50 €
2019-05-01|01.02.2003|31/12/1999|1999-2003|1960 1970 1980|12:30:45|2019-05-01 18:30|20190501123000|1393632000000|964982703
ISBN 978-3-16-148410-0|0-306-40615-2|0306406152|9780306406157|B07XJ8C8F5|tt0114709|item-12345678|tt0111161, tt0068646
4006381333931|4111111111111112|1234 5678 9012 3456|DE89370400440532013001|12345678A|000-12-3456
version 1.2.3.4|127.0.0.1|300.1.2.3|std::vector|a::b|3.14159 26535|101 102 103 104|16 GB RAM, 2 x 512 GB|1920x1080|24/7
top 10 wall street movies|5 wall street books|7 best road trips|2 on the road|during 2020|spring 2019|starring 3 women
meet me at noon|look at google.com|@home|10 km at 5 am|$20 at dot com prices|route 66|42nd street
550e8400-e29b-41d4-a716-446655440000|deadbeef01711234567
"""
UNTOUCHED = [text for line in IMPERSONAL.strip().splitlines() for text in line.split("|")]

PIECES = "0|1|2|3|4|5|9| |+|-|.|/|(|)|,|:|@|■|a|Z|路|号|在|12|Baker Street| at | dot |com|call |straße |rue de |calle |fe80::1"
PIECES += "|DE89370400440532013000|4111 1111 1111 1111|030 1234567|01.02.2003|1.2.3.4|ann@b.co"


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[text for _, text in EXAMPLES])
def test_personal_data_is_masked_and_named(kind: str, text: str) -> None:
    typed_in = text.replace("{", "").replace("}", "")
    assert pii.mask(typed_in) == re.sub(r"\{.*\}", pii.MARK, text)
    assert pii.found(typed_in) == (kind,)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_nobodys_stays_as_it_is(text: str) -> None:
    assert pii.found(text) == ()
    assert pii.mask(text) == text


def test_the_examples_are_as_many_as_promised() -> None:
    assert len(EXAMPLES) >= 60
    assert len(UNTOUCHED) >= 60


def test_several_kinds_in_one_text_are_all_named() -> None:
    text = "12 Baker Street, ann@example.com, (212) 555-0123"
    assert pii.found(text) == ("email", "phone", "address")
    assert pii.mask(text) == f"{pii.MARK}, {pii.MARK}, {pii.MARK}"


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES.split("|")), max_size=20).map("".join)))
def test_what_was_masked_holds_nothing_more_to_mask(text: str) -> None:
    masked = pii.mask(text)
    assert pii.found(masked) == ()
    assert pii.mask(masked) == masked


HOSTILE = [
    "1 ",
    "1-",
    "1.",
    "a@",
    "a@b.",
    "+1 ",
    "(1",
    "1:",
    "a:",
    "路1",
    "12 A ",
    "1 rue de ",
    "calle a ",
    "DE89 ",
    "4111 ",
    "at 1 oak ",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_costs_time_in_proportion(unit: str) -> None:
    """A pattern that is quadratic in any of these would need minutes."""
    text = unit * (50_000 // len(unit))
    started = time.process_time()
    pii.mask(text)
    assert time.process_time() - started < 3


# --- the guard, and what is typed -------------------------------------------------------------------------------------


def test_the_guard_refuses_a_sentence_with_personal_data() -> None:
    evidence = guard.support(["mystery", "ann", "example", "baker", "street"])
    for text in ("Likes mystery from ann@example.com", "Likes mystery at 12 Baker Street", "Likes mystery 030 1234567"):
        assert guard.check(text, evidence, lambda texts: np.zeros((len(texts), 2), np.float32)) == "personal"
        assert guard.harmful(text) == "personal"
        assert not guard.fit_to_say(text)


def test_a_mask_claims_nothing() -> None:
    assert guard.words(f"Likes {pii.MARK}") == ["likes"]
    assert guard.harmful(pii.MARK) is None


def test_hidden_characters_cannot_split_what_the_checks_look_for() -> None:
    assert typed("ann@exa\u200bmple.com \u202e ４１", "it", 100) == "ann@example.com 41"
    assert typed("one\n\n two \u2028three", "it", 100) == "one\ntwo\nthree"


def test_too_much_typed_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="the query is longer than 5 characters"):
        typed("mystery", "the query", 5)


def test_a_query_that_is_too_long_is_a_usage_error(tmp_path: Path) -> None:
    somebody: list[Item | Event] = [*catalogue(), act("ann", 1, "noir-film-1")]
    with make_service(tmp_path, None, somebody) as service, pytest.raises(UsageError, match=str(MOST_QUERY)):
        asyncio.run(service.recommend("ann", now=NOW, query="x" * (MOST_QUERY + 1)))


def test_a_self_description_keeps_the_masked_words_and_drops_mere_contacts() -> None:
    text = "I love the bookshop at 12 Baker Street. Call me on 030 123\u200b4567! I like jazz, mail ann@example.com"
    found = asyncio.run(read(text, "u", NOW, FakeLLM()))
    assert [s.text for s in found.statements] == [f"Likes bookshop at {pii.MARK}", "Likes jazz"]
    assert [why for _, why in found.ignored] == ["personal", "personal"]


# --- end to end -------------------------------------------------------------------------------------------------------


def canaries(count: int) -> list[str]:
    """Mails, phones, addresses and cards' kin, each different."""
    forms = ("canary{}@example.org", "+49 30 7{:06}", "{} Canaryfield Road", "Kanarienstraße {}", "(212) 555-{:04}")
    return [forms[n % len(forms)].format(n + 100) for n in range(count)]


def planted(hidden: list[str]) -> list[Event]:
    """Reviews and searches of two users, one canary in each."""
    some = [item.id for item in catalogue() if item.id.startswith(("noir", "bread", "jazz"))]
    reviews = [
        act("ann", 1 + n / 100, some[n % 6], EventKind.RATE, value=4.5, text=f"Loved it, tell {secret} about it.")
        for n, secret in enumerate(hidden[:100])
    ]
    searches = [
        act("bob", 1 + n, None, EventKind.SEARCH, text=f"sourdough baking {secret}")
        for n, secret in enumerate(hidden[100:])
    ]
    return [*reviews, *searches, act("bob", 50, "bread-book-1")]


def test_no_canary_reaches_a_prompt_a_log_or_a_statement(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hidden = canaries(200)
    in_events, in_queries, in_words = hidden[:140], hidden[140:170], hidden[170:]
    llm = FakeLLM()
    with make_service(tmp_path, llm, [*catalogue(), *planted(in_events)]) as service:
        for user in ("ann", "bob"):
            asyncio.run(service.profile(user, now=NOW))
        shown = [
            asyncio.run(service.recommend("ann", now=NOW, query=f"sourdough, or ask {', or '.join(some)}", k=3))
            for some in zip(*[iter(in_queries)] * 5, strict=True)
        ]
        said = "I love jazz. " + " ".join(f"I like the bar at {secret}." for secret in in_words)
        cold = asyncio.run(service.cold_start(said, now=NOW))
        exported = [service.export(user) for user in ("ann", "bob")]
    seen = "\n".join([*(m.content for request in llm.history for m in request.messages), *llm.scored])
    kept = [{name: rows for name, rows in tables.items() if name != "events"} for tables in exported]
    told = repr((kept, cold, [answer.recommendations for answer in shown]))
    for where in (seen, told, caplog.text):
        assert [secret for secret in hidden if secret in where] == []
    assert f"sourdough, or ask {pii.MARK}" in seen
    assert f"bar at {pii.MARK}" in told
    assert all(any(secret in repr(tables["events"]) for tables in exported) for secret in in_events)
