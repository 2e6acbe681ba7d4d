"""What a report shows of a result: tables, plots and facts in their order. The page and the README only draw them.

sheet = view(json.loads(text))      # a result of `leitmotif eval`, of one of KINDS ("rank" where it says none)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from eval import report_captions as captions
from eval import report_tables as tables
from eval.plots import Dots, Lines, Mark, Panel, Series
from eval.report_refresh import CAPTION, REFRESH
from eval.report_tables import Column, Figures, Form, Table, group, number, ranked, table
from retrieval.readers import ReadError

NAMED = {"all": 4, "own": 3}  # systems that are told apart among the slices: more lines than these no eye can follow
NDCG = "ndcg@10 in percent"
FACTS: Mapping[str, Form] = {
    "protocol": str,
    "users": tables.whole,
    "catalogue": tables.whole,
    "seed": str,
    "date": tables.day,
    "model": str,
    "digest": str,
}
SLICES = {"history": "Items in the history", "popularity": "Training users of the target"}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """`plot` shows what the tables say; with `key`, it tells apart whose data a system sees. `folded` tables are shown on
    demand."""

    title: str
    text: str
    tables: tuple[Table, ...]
    plot: Dots | Lines | None = None
    key: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A result. `brief` is its table in the README; `command` and `machine` may be empty."""

    title: str
    facts: Mapping[str, str]
    command: str
    machine: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    brief: Table


Parts = Callable[[Document, Mapping[str, Figures]], Iterator[Part]]


@dataclass(frozen=True, slots=True)
class Kind:
    """`title` goes before the dataset. `entries` is the field that holds the figures by name, `first` what has such a name."""

    title: str
    entries: str
    first: str
    parts: Parts
    brief: Callable[[Mapping[str, Figures]], Sequence[Column]]


def view(document: Document) -> Sheet:
    """Raises ReadError for a kind that is not known, and for a document without what its kind must have."""
    name = document.get("kind", "rank")
    if name not in KINDS:
        raise ReadError(f"no result is of the kind {name!r}", hint=f"the kinds are {', '.join(KINDS)}")
    kind = KINDS[name]
    entries = document.get(kind.entries)
    if not document.get("dataset") or not _are_figures(entries):
        raise ReadError(f"a result of the kind {name!r} needs 'dataset' and '{kind.entries}'", hint="run it again")
    best_first = ranked(entries)
    titles = [document["dataset"], document.get("protocol")]
    return Sheet(
        title=kind.title + ", ".join(title for title in titles if title),
        facts={fact: form(document[fact]) for fact, form in FACTS.items() if document.get(fact) is not None},
        command=document.get("command", ""),
        machine=document.get("machine", ""),
        parts=tuple(kind.parts(document, best_first)),
        notes=(*document.get("notes", ()), *_errors(best_first)),
        brief=table("", kind.brief(best_first), best_first, kind.first),
    )


def _are_figures(entries: object) -> TypeGuard[Mapping[str, Figures]]:
    return isinstance(entries, Mapping) and all(isinstance(f, Mapping) for f in entries.values()) and bool(entries)


def _errors(entries: Mapping[str, Figures]) -> Iterator[str]:
    for name, figures in entries.items():
        if figures.get("errors"):
            because = f", the first because of {figures['first_error']}" if figures.get("first_error") else ""
            yield f"{name}: {figures['errors']} without an answer{because}"


# --- the kinds ------------------------------------------------------------------------------------------------------


def _rank(document: Document, systems: Mapping[str, Figures]) -> Iterator[Part]:
    accuracy = tables.grouped(table("Accuracy in percent, and what it cost", tables.MAIN, systems, "system"))
    text = "The dot is the mean over users, the bar its 95 % bootstrap interval."
    yield Part("Accuracy", text, (accuracy,), _dots(systems, group), key=True)
    if document.get("pairs"):
        yield _pairs(document["pairs"])
    if document.get("slices"):
        yield _slices(document["slices"], list(systems))
    beyond = tables.grouped(table("The first ten of each list", tables.BEYOND, systems, "system"))
    yield Part("Beyond accuracy", "", (beyond,))
    if document.get("problems"):
        found = document["problems"]
        yield Part("Problems", f"{len(found):,} in the input.", (tables.problems(found),))


def _recall(document: Document, channels: Mapping[str, Figures]) -> Iterator[Part]:
    columns = [*_recalls(channels), tables.RECALL_INTERVAL]
    proposed = "Users whose next item a channel proposes among its first k, in percent"
    found = [table(proposed, columns, channels, "channel")]
    chroma = document.get("chroma_vs_exact")
    if chroma:
        at_k = [tables.column(k, tables.percent, f"k = {k}") for k in chroma]
        nearest = "The k nearest items of exact search that are found, in percent"
        found.append(table(nearest, at_k, {"Chroma": chroma}, "index"))
    yield Part("Recall", "", tuple(found))


def _coldstart(document: Document, systems: Mapping[str, Figures]) -> Iterator[Part]:
    def sees(name: str) -> str:
        return "all" if systems[name].get("others", True) else "own"

    caption = "Strangers who describe themselves, in percent"
    known = tables.grouped(table(caption, tables.STRANGERS, systems, "system", words=("note",)), sees)
    written = " ".join(document.get("template", {}).get("sentences", ()))
    text = f"A description is written as “{written}”" if written else ""
    yield Part("A description alone", text, (known,), _dots(systems, sees), key=True)
    if document.get("curve"):
        yield _curve(document["curve"])


def _llm(_: Document, variants: Mapping[str, Figures]) -> Iterator[Part]:
    columns = (*tables.VARIANTS, *tables.LOST)
    found = table("Accuracy in percent, and what it cost", columns, variants, "variant")
    yield Part("Ways of asking", "", (found,), _dots(variants, lambda _: "own"))


def _predictor(document: Document, profiles: Mapping[str, Figures]) -> Iterator[Part]:
    text = "What profiles add to the log-probability of the next item, and the statements that add nothing."
    found = [table("Written profiles", tables.PREDICTOR, profiles, "system")]
    if worst := {f"{n + 1}. {w['text']}": w for n, w in enumerate(document.get("worst", ()))}:
        parts = (tables.column("contribution", lambda nats: f"{nats:+.3f}", "nats"),)
        found.append(table("Statements that harm most", parts, worst, "statement"))
    yield Part("Profiles as a predictor", text, tuple(found))


def _profiles(document: Document, systems: Mapping[str, Figures]) -> Iterator[Part]:
    text = "What written statements claim, how much of it the user's evidence supports, and what they find."
    more = table("Beside these", tables.PROFILES_MORE, systems, "system", words=("version", "note"))
    yield Part("Written statements, judged", text, (table("Shares", tables.PROFILES, systems, "system"), more))
    if "predictor" in document:
        yield from _predictor(document, {"leitmotif": document["predictor"]})


def _table_of(title: str, caption: str, columns: Sequence[Column], first: str, text: str = "") -> Parts:
    """A kind whose page is one table."""

    def parts(_: Document, entries: Mapping[str, Figures]) -> Iterator[Part]:
        yield Part(title, text, (table(caption, columns, entries, first),))

    return parts


_sensitive = _table_of("What profiles give away", "By attribute", tables.SENSITIVE, "attribute", captions.HIDDEN)
_robustness = _table_of("Attacks", "By family", tables.ROBUSTNESS, "family", captions.HOSTILE)
_explanations = _table_of("Reasons", "Shares", tables.EXPLANATIONS, "system", captions.CITED)
_writing = _table_of("Written, before any check", "By group and task", tables.WRITING, "measure")
_themes = _table_of("Themes that live", "Against planted truth", tables.THEMES, "system")
_questions = _table_of("One question", "Strangers", tables.QUESTIONS, "asked", captions.ASKED)
_representations = _table_of("Texts of users", "What each is worth", tables.REPRESENTATIONS, "text", captions.WRITTEN)
_control = _table_of("What owners can do", "Places among the first k", tables.CONTROL, "edit")
_refresh = _table_of("An update and a rebuild", "Cost and agreement", REFRESH, "way", CAPTION)


def _recalls(channels: Mapping[str, Figures]) -> Sequence[Column]:
    keys = {key for figures in channels.values() for key in figures if key.startswith("recall@")}
    return [tables.column(key, tables.percent) for key in sorted(keys, key=lambda key: (len(key), key))]


KINDS = {
    "rank": Kind("", "systems", "system", _rank, lambda _: tables.BRIEF),
    "recall": Kind("Retrieval: ", "channels", "channel", _recall, _recalls),
    "coldstart": Kind("Cold start: ", "systems", "system", _coldstart, lambda _: tables.COLDSTART),
    "llm": Kind("Language model: ", "variants", "variant", _llm, lambda _: tables.VARIANTS),
    "profiles": Kind("Statements: ", "systems", "system", _profiles, lambda _: tables.PROFILES),
    "sensitive": Kind("Sensitive: ", "attributes", "attribute", _sensitive, lambda _: tables.SENSITIVE),
    "robustness": Kind("Hostile text: ", "families", "family", _robustness, lambda _: tables.ROBUSTNESS),
    "explanations": Kind("Reasons: ", "systems", "system", _explanations, lambda _: tables.EXPLANATIONS),
    "control": Kind("Control: ", "systems", "edit", _control, lambda _: tables.CONTROL),
    "writing": Kind("Writing: ", "measures", "measure", _writing, lambda _: tables.WRITING),
    "themes": Kind("Themes: ", "systems", "system", _themes, lambda _: tables.THEMES),
    "representations": Kind("Texts: ", "systems", "text", _representations, lambda _: tables.REPRESENTATIONS),
    "questions": Kind("One question: ", "systems", "asked", _questions, lambda _: tables.QUESTIONS),
    "refresh": Kind("Refresh: ", "systems", "way", _refresh, lambda _: REFRESH),
    "predictor": Kind("Profiles: ", "systems", "system", _predictor, lambda _: tables.PREDICTOR),
}


# --- the parts ------------------------------------------------------------------------------------------------------


def _dots(entries: Mapping[str, Figures], look: Callable[[str], str]) -> Dots | None:
    """Those that have a figure and an interval."""
    drawn = {name: f for name, f in entries.items() if None not in (f.get("ndcg@10"), *(f.get("ci95") or (None,)))}
    marks = tuple(Mark(name, f["ndcg@10"], tuple(f["ci95"]), look(name)) for name, f in drawn.items())
    return Dots(marks, f"{NDCG}, with 95 % intervals") if marks else None


def _pairs(pairs: Sequence[Figures]) -> Part:
    reference = pairs[0]["a"]
    ordered = sorted(pairs, key=lambda pair: (pair["difference"], pair["b"]))  # the strongest rival first
    sure = {pair["b"] for pair in ordered if pair["ci95"][0] > 0 or pair["ci95"][1] < 0}
    ahead = sum(pair["b"] in sure and pair["difference"] > 0 for pair in pairs)
    marks = tuple(
        Mark(pair["b"], pair["difference"], tuple(pair["ci95"]), "sure" if pair["b"] in sure else "open")
        for pair in ordered
    )
    text = (
        f"ndcg@10 of {reference} minus that of each other system, over the users whom both answered. The interval is above "
        f"0 for {ahead} of {len(pairs)}, and below for {len(sure) - ahead}; where it holds 0, the dot is hollow."
    )
    caption = (
        f"{reference} minus the other, in percent points. p: paired randomisation test; Holm: for all pairs together"
    )
    found = table(caption, tables.PAIRS, {pair["b"]: pair for pair in ordered}, "minus")
    plot = Dots(marks, f"{reference} is better by, in percent points of ndcg@10", origin=0.0, form="+z.1f")
    return Part(f"Against {reference}", text, (found,), plot)


def _slices(slices: Sequence[Figures], systems: Sequence[str]) -> Part:
    apart = _told_apart(systems)
    order = [*apart, *(name for name in systems if name not in apart)]
    panels, below = [], []
    for by, title in SLICES.items():
        parts = {_slice(part): part["systems"] for part in slices if part["by"] == by}
        if not parts:
            continue
        found = {name: {label: part.get(name, {}).get("ndcg@10") for label, part in parts.items()} for name in systems}
        series = (Series(name, tuple(map(number, found[name].values()))) for name in order)
        panels.append(Panel(title, tuple(parts), tuple(series), len(apart)))
        columns = [tables.column(label, tables.percent, label.replace("\n", ", ")) for label in parts]
        below.append(table(f"{NDCG}. {title}", columns, found, "system"))
    text = "Below each slice stands how many users are in it. The systems that are not named are grey."
    return Part("Who it works for", text, tuple(below), Lines(tuple(panels), NDCG), folded=True)


def _told_apart(systems: Sequence[str]) -> list[str]:
    """The best of each group, ablations left out."""
    whole = [name for name in systems if "-" not in name]
    best = {name for sees, most in NAMED.items() for name in [s for s in whole if group(s) == sees][:most]}
    return [name for name in whole if name in best]


def _slice(part: Figures) -> str:
    """Its name, its bounds where the name does not say them, and its users, in lines."""
    low, high = part["low"], part["high"]
    bounds = [] if part["by"] == "history" or high == 0 else [f"{low}–{high}" if low < high else str(low)]
    users = max((share["users"] for share in part["systems"].values()), default=0)
    return "\n".join([part["name"].replace("-", "–"), *bounds, f"{users:,} users"])


def _curve(curve: Mapping[str, Sequence[Figures]]) -> Part:
    events = {point["events"] for points in curve.values() for point in points}
    ticks = [str(n) for n in sorted(events, key=lambda n: (not isinstance(n, int), n if isinstance(n, int) else 0))]
    by_tick = {name: {str(point["events"]): point for point in points} for name, points in curve.items()}
    series = tuple(Series(name, *_points(points, ticks)) for name, points in by_tick.items())
    panel = Panel("Events seen", tuple(ticks), series, len(series))
    found = {name: {tick: tables.NDCG[1](p) for tick, p in points.items()} for name, points in by_tick.items()}
    columns = [tables.column(tick, lambda text: text or tables.NONE) for tick in ticks]
    text = "How much better it gets with each event; the bands are 95 % intervals."
    below = table(f"{NDCG} by events seen", columns, found, "system")
    return Part("From stranger to regular", text, (below,), Lines((panel,), NDCG))


def _points(points: Mapping[str, Figures], ticks: Sequence[str]) -> tuple[tuple[float, ...], tuple[Any, ...]]:
    """Figures and intervals at the ticks, NaN where there are none."""
    known = [points.get(tick, {}) for tick in ticks]
    bounds = [point.get("ci95") or (None, None) for point in known]
    values = tuple(number(point.get("ndcg@10")) for point in known)
    return values, tuple((number(low), number(high)) for low, high in bounds)
