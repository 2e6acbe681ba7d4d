"""What tells of a person and what is only a taste, in five languages. Doubtful cases are decided here.

Decisions: a faith, an illness, a sexuality or a political side is refused even where it is only the subject ("Jewish rye
bread", "gay romance"), because the subject tells of the reader. A nationality is a taste ("Korean cinema") until it stands with
a person. Diets anybody may choose ("vegan", "gluten-free") are tastes, intolerances are not. "Christmas" is a season.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import guard, sensitive
from agent.sensitive import ATTRIBUTES, attribute, company
from retrieval.records import Item

TELLING: Mapping[str, Mapping[str, str]] = {
    "en": {
        "Likes travel guides for the elderly": "age",
        "Is in her 60s": "age",
        "Is 34 years old": "age",
        "Likes books on planning for retirement": "age",
        "A teenage girl who reads fantasy": "age",
        "Likes films for old people": "age",
        "Enjoys stories about being a millennial": "age",
        "Likes women's running shoes": "gender",
        "Likes books for first-time mothers": "gender",
        "Is a woman who likes jazz": "gender",
        "Likes trans memoirs": "gender",
        "Likes fashion for men": "gender",
        "An Asian woman who likes jazz": "ethnicity",
        "Is Asian": "ethnicity",
        "Is interested in her Asian roots": "ethnicity",
        "Is of Nigerian descent": "ethnicity",
        "Likes essays by children of immigrants": "ethnicity",
        "Likes care guides for black hair": "ethnicity",
        "Likes Christian devotionals": "religion",
        "Likes books for Muslims": "religion",
        "Likes Ramadan recipes": "religion",
        "Likes Jewish rye bread": "religion",
        "Likes atheist podcasts": "religion",
        "Is a Buddhist": "religion",
        "Likes books on living with diabetes": "health",
        "Likes prenatal yoga": "health",
        "Has depression": "health",
        "Likes memoirs of cancer": "health",
        "Likes wheelchair basketball": "health",
        "Likes books on quitting drinking": "health",
        "Likes gay romance": "sexuality",
        "Likes lesbian films": "sexuality",
        "Is bisexual": "sexuality",
        "Likes coming-out stories": "sexuality",
        "Likes pro-life essays": "politics",
        "Is a conservative voter": "politics",
        "Likes left-wing podcasts": "politics",
        "Likes essays on trade unions": "politics",
        "Likes liberal politics": "politics",
        "Has a low income": "income",
        "Likes advice on debt": "income",
        "Likes wealth management podcasts": "income",
        "Is unemployed": "income",
        "Lives in Leeds": "home",
        "Likes news from their neighbourhood": "home",
        "Likes maps of school catchments": "home",
    },
    "es": {
        "Le gustan los viajes para jubilados": "age",
        "Libros para la tercera edad": "age",
        "Tengo 34 años": "age",
        "Lecturas sobre la maternidad": "gender",
        "Moda para mujeres": "gender",
        "Una mujer asiática": "ethnicity",
        "Historias de inmigrantes": "ethnicity",
        "Soy católico": "religion",
        "Recetas de cuaresma": "religion",
        "Podcasts para musulmanes": "religion",
        "Vivir con diabetes": "health",
        "Yoga para embarazadas": "health",
        "Superar la depresión": "health",
        "Novelas gais": "sexuality",
        "Salir del armario": "sexuality",
        "Cine lésbico": "sexuality",
        "Votante socialista": "politics",
        "La marcha provida": "politics",
        "Salir de las deudas": "income",
        "Cobrar el paro": "income",
        "Vive en Sevilla": "home",
        "Noticias del barrio": "home",
    },
    "de": {
        "Mag Reisen für Rentner": "age",
        "Tanzkurse für Senioren": "age",
        "Ich bin 34 Jahre alt": "age",
        "Schuhe für Frauen": "gender",
        "Bücher über Mutterschaft": "gender",
        "Eine asiatische Frau": "ethnicity",
        "Aufwachsen mit Migrationshintergrund": "ethnicity",
        "Evangelische Andachten": "religion",
        "Bücher für Muslime": "religion",
        "Jüdisches Leben": "religion",
        "Kochen bei Diabetes": "health",
        "Yoga in der Schwangerschaft": "health",
        "Leben mit Brustkrebs": "health",
        "Leben mit Depressionen": "health",
        "Schwule Liebesromane": "sexuality",
        "Lesbische Filme": "sexuality",
        "Mitglied der SPD": "politics",
        "Konservative Wähler": "politics",
        "Hilfe bei Schulden": "income",
        "Kochen mit Bürgergeld": "income",
        "Wohnt in Kassel": "home",
        "Neues aus dem Stadtteil": "home",
    },
    "fr": {
        "Voyages pour retraités": "age",
        "Gym douce pour seniors": "age",
        "J'ai 34 ans": "age",
        "Chaussures pour femmes": "gender",
        "Livres pour jeunes mamans": "gender",
        "Une femme asiatique": "ethnicity",
        "Enfants d'immigrés": "ethnicity",
        "Prières du matin": "religion",
        "Recettes du ramadan": "religion",
        "Je suis catholique": "religion",
        "Femme enceinte": "health",
        "Vivre avec le diabète": "health",
        "Sortir de la dépression": "health",
        "Romans gays": "sexuality",
        "Films lesbiens": "sexuality",
        "Militants de gauche": "politics",
        "La marche pour la vie": "politics",
        "Sortir du surendettement": "income",
        "Inscription au chômage": "income",
        "Habite à Lyon": "home",
        "Le bulletin municipal": "home",
    },
    "zh": {
        "喜欢退休生活的书": "age",
        "适合老年人的旅行": "age",
        "今年34岁": "age",
        "喜欢女装": "gender",
        "新手妈妈日记": "gender",
        "华裔二代的故事": "ethnicity",
        "是一个韩国人": "ethnicity",
        "穆斯林菜谱": "religion",
        "每日祷告": "religion",
        "佛教入门": "religion",
        "糖尿病食谱": "health",
        "孕期瑜伽": "health",
        "走出抑郁症": "health",
        "同性恋小说": "sexuality",
        "出柜的故事": "sexuality",
        "保守派评论": "politics",
        "反堕胎游行": "politics",
        "低收入家庭": "income",
        "怎样还清债务": "income",
        "住在成都": "home",
        "学区地图": "home",
    },
}
HARMLESS: Mapping[str, str] = {
    "en": """
        Asian cooking; Korean cinema; African music; French films; Indian classical music; Black metal;
        white wine and brown bread; Chinese calligraphy; Italian neorealism; Japanese gardens; children's books;
        coming-of-age stories; young adult fantasy; teen comedies; films of the sixties; 1960s science fiction;
        old maps and old films; middle-distance running; women's football; strong female leads; stories of sisters;
        beards of moss and lichen; conservative colour palettes; liberal arts; Republican Rome; progressive rock;
        political thrillers; party games; Labour of Love by Fields; the zodiac sign Cancer; the Tropic of Cancer;
        vegan and gluten-free baking; running and yoga; blind tasting of tea; Christmas films; gothic cathedrals;
        zen gardens; Greek myths; rabbits; Hans Christian Andersen; gospel choirs; personal finance and index funds;
        rich chocolate; cheap thrills; living in harmony with nature; travel in Iceland; books set in Paris;
        local history; trans-Siberian railway journeys; sourdough
    """,
    "es": """
        Cocina asiática; Cine coreano; Música africana; Películas francesas; Libros infantiles;
        Historias de aprendizaje; Rock progresivo; Artes liberales; Trópico de Cáncer; Conservadora de museo;
        Panadería vegana; Novela negra; Viajes por Islandia; Jardines japoneses; Vino blanco; Fútbol y baloncesto;
        Mitos griegos; Sin embargo, jazz; Platos ricos y sencillos; Música de los sesenta; Thriller político
    """,
    "de": """
        Asiatische Küche; Koreanisches Kino; Afrikanische Musik; Französische Filme; Kinderbücher;
        Sternzeichen Krebs; Schwarzer Humor; Der Herr der Ringe; Sehnsucht und Fernweh; Eifersucht im Roman;
        Weißwein; Griechische Mythen; Vegane Rezepte; Reisen durch Island; Japanische Gärten; Progressive Rock;
        Krimis aus Schweden; Das Dritte Reich in der Geschichtsforschung; Fußball; Musik der sechziger Jahre;
        Dokumentarfilme über Vögel
    """,
    "fr": """
        Cuisine asiatique; Cinéma coréen; Musique africaine; Films français; Livres pour enfants; Romans noirs;
        Vin blanc; Le goût du sel; Tropique du Cancer; La rive gauche; Rock progressif; Mythes grecs;
        Pâtisserie végane; Voyages en Islande; Jardins japonais; Polars du Nord; Musique des années soixante;
        Football; Thriller politique; Histoire de Rome; Oiseaux de mer
    """,
    "zh": """
        亚洲菜; 韩国电影; 非洲音乐; 法国电影; 儿童读物; 成长故事; 巨蟹座; 希腊神话; 冰岛旅行; 日本庭园; 素食烘焙;
        推理小说; 爵士乐; 政治惊悚片; 少年漫画; 白葡萄酒; 足球; 开源社区; 病毒的历史; 六十年代音乐; 书法入门;
        老人与海
    """,
}
CASES = [(text, told) for cases in TELLING.values() for text, told in cases.items()]


@pytest.mark.parametrize(("text", "told"), CASES)
def test_what_tells_of_a_person_is_named(text: str, told: str) -> None:
    assert attribute(text) == told


@pytest.mark.parametrize("text", [text.strip() for texts in HARMLESS.values() for text in texts.split(";")])
def test_a_taste_is_no_person(text: str) -> None:
    assert attribute(text) is None
    assert attribute(f"Likes {text}") is None


def test_every_language_has_every_attribute() -> None:
    assert all(set(cases.values()) == set(ATTRIBUTES) for cases in TELLING.values())


@pytest.mark.parametrize(
    ("cuisine", "person"),
    [("Korean cooking", "Korean women"), ("cocina mexicana", "hombres mexicanos"), ("türkische Küche", "türkische Frauen"),
     ("cuisine marocaine", "femmes marocaines"), ("越南菜", "越南人")],
)  # fmt: skip
def test_a_nationality_tells_only_beside_a_person(cuisine: str, person: str) -> None:
    assert attribute(cuisine) is None
    assert attribute(person) == "ethnicity"


def test_the_guard_refuses_what_tells_and_keeps_it_from_the_prompt() -> None:
    assert guard.harmful("Likes books on living with diabetes") == "sensitive"
    assert not guard.fit_to_say("blood sugar")
    assert guard.fit_to_say("asian cooking")


def test_consent_lifts_this_check_alone() -> None:
    assert guard.harmful("I am Muslim", consented=True) is None
    assert guard.harmful("I am <b>Muslim</b>", consented=True) == "markup"


def test_a_town_is_known_by_the_company_it_keeps() -> None:
    beside = ("bin days", "school catchments", "local council")
    items = [Item(f"i-{n}", "Minutes", tags=("kaldvik", "maps", tag)) for n, tag in enumerate(beside)]
    items += [Item(f"m-{n}", "An atlas", tags=("maps",)) for n in range(3)]
    assert company(items) == {"kaldvik"}
    assert company(items[:1]) == frozenset()  # one item is no company


def test_words_that_say_little_alone_count_in_company() -> None:
    assert attribute("roadworks") is attribute("farmers market") is None
    items = [
        Item("a", "Diversions", tags=("kaldvik", "roadworks")),
        Item("b", "Stalls", tags=("kaldvik", "farmers market")),
    ]
    assert company(items) >= {"kaldvik"}


def test_a_feature_that_hints_of_itself_is_not_hidden_for_that() -> None:
    items = [Item(str(n), "A walk", tags=("temples", tag)) for n, tag in enumerate(("hills", "tea", "maps"))]
    assert company(items) == frozenset()


def test_a_lexicon_that_is_not_as_it_should_be_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot read 'dia_bet'"):
        list(sensitive._phrases("dia_bet"))
    raw = dict(sensitive.contents())
    with pytest.raises(ValueError, match="need age, gender"):
        list(sensitive._told({**raw, "anywhere": {"health": {}}}, beside=False))
    half = {name: {"en": "x"} for name in ATTRIBUTES}
    with pytest.raises(ValueError, match="age needs de, en, es, fr, zh"):
        list(sensitive._told({**raw, "anywhere": half}, beside=False))


# Properties ---------------------------------------------------------------------------------------------------------

NEUTRAL = st.lists(
    st.sampled_from(["Likes", "jazz", "films", "mit", "avec", "con", "soundtrack", "爵士", "7"]), max_size=5
)
FORMS = st.sampled_from([str, str.upper, str.title, str.swapcase])
ENCODED = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])


@given(st.sampled_from(CASES), FORMS, ENCODED, NEUTRAL, NEUTRAL)
def test_nothing_around_it_and_no_spelling_hides_it(
    case: tuple[str, str], form: type[str], encoded: str, before: list[str], after: list[str]
) -> None:
    text = unicodedata.normalize(encoded, form(case[0]))  # type: ignore[arg-type]
    assert attribute(". ".join([*before, text, *after])) is not None


@given(
    st.sampled_from(["diabetes", "católico", "糖尿病", "Rentner", "lesbienne"]),
    st.integers(0, 8),
    st.sampled_from("\u200b\u00ad\u2060\u200d"),
)
def test_invisible_characters_do_not_hide_it(word: str, at: int, hidden: str) -> None:
    assert attribute(f"{word[:at]}{hidden}{word[at:]}") == attribute(word) is not None


@given(st.text(max_size=300))
def test_no_text_breaks_the_detector(text: str) -> None:
    assert attribute(text) in (None, *ATTRIBUTES)
