"""Tables of a report, and how its figures are written: from the JSON documents of `leitmotif eval` to text.

    table("Accuracy", MAIN, document["systems"])

A figure that is not there, or null, is a dash.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NONE = "–"
OWN_HISTORY = ("random", "bm25", "embed_", "llm", "zero_shot")  # how systems begin that see no other user's data
LINES_SHOWN = 5

Figures = Mapping[str, Any]
Form = Callable[[Any], str]
Column = tuple[str, Callable[[Figures], str]]  # header, and what stands below it for a system


@dataclass(frozen=True, slots=True)
class Row:
    """`group`: "own" or "all", whose data the system sees; "" where that is not asked."""

    name: str
    cells: tuple[str, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The first of `columns` is that of the names. `words`: those that hold text, not figures."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    words: tuple[str, ...] = ()


def group(system: str) -> str:
    """Whose data a system sees, by its name: "own" (this user's history and the items' text) or "all"."""
    return "own" if system.startswith(OWN_HISTORY) else "all"


def ranked(entries: Mapping[str, Figures]) -> dict[str, Figures]:
    """The best ndcg@10 first, those without one last; equal ones stay in their order."""
    return dict(sorted(entries.items(), key=lambda entry: -number(entry[1].get("ndcg@10"), -math.inf)))


def column(key: str, form: Form, header: str = "") -> Column:
    """A figure under its own name or `header`."""
    return header or key, lambda figures: form(figures.get(key))


def table(
    caption: str, columns: Sequence[Column], entries: Mapping[str, Figures], first: str, words: tuple[str, ...] = ()
) -> Table:
    """A row for each entry in their order; the names stand under `first`."""
    rows = (Row(name, tuple(cell(figures) for _, cell in columns)) for name, figures in entries.items())
    return Table(caption, (first, *(header for header, _ in columns)), tuple(rows), words)


def grouped(plain: Table, group: Callable[[str], str] = group) -> Table:
    """The table of systems with a column that says whose data each sees."""
    rows = (Row(row.name, (group(row.name), *row.cells), group(row.name)) for row in plain.rows)
    first, *others = plain.columns
    return Table(plain.caption, (first, "sees", *others), tuple(rows), ("sees", *plain.words))


def problems(found: Sequence[Figures]) -> Table:
    """What was refused, one row for each file and kind of reason: numbers and quoted names may differ within a kind."""
    kinds: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for problem in found:
        kinds[problem["file"], re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "…", problem["reason"])].append(problem)
    rows = (
        Row(file, (whole(len(alike)), _lines([p["line"] for p in alike]), alike[0]["reason"]))
        for (file, _), alike in sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    )
    caption = "What could not be used, by kind; of each kind the first is quoted"
    return Table(caption, ("file", "count", "lines", "reason"), tuple(rows), ("lines", "reason"))


def _lines(numbers: Sequence[int]) -> str:
    """Line 0 is the file as a whole."""
    real = [str(number) for number in numbers if number]
    return ", ".join(real[:LINES_SHOWN]) + (", …" if len(real) > LINES_SHOWN else "") or NONE


# --- figures as text ------------------------------------------------------------------------------------------------


def number(value: float | None, default: float = math.nan) -> float:
    return default if value is None else float(value)


def _known(form: Callable[[float], str]) -> Form:
    return lambda value: NONE if value is None else form(value).replace("-", "−")


percent = _known(lambda value: f"{value:z.1f}")
hundredth = _known(lambda value: f"{value:z.2f}")
signed = _known(lambda value: f"{value:+z.1f}")
whole = _known(lambda value: f"{value:,.0f}")
p_value = _known(lambda value: "<0.001" if value < 0.001 else f"{value:.3f}")
seconds = _known(lambda value: f"{value:.{3 if value < 0.1 else 2 if value < 10 else 1}f}")


def interval(bounds: Sequence[float | None] | None) -> str:
    """Both ends: "68.9 to 73.8"."""
    low, high = bounds or (None, None)
    return NONE if low is None or high is None else f"{percent(low)} to {percent(high)}"


def with_half(value: float | None, bounds: Sequence[float | None] | None) -> str:
    """A figure and half of its interval: "71.4 ± 2.4"."""
    low, high = bounds or (None, None)
    return percent(value) if low is None or high is None else f"{percent(value)} ± {percent((high - low) / 2)}"


def misses(kinds: Mapping[str, Figures] | None) -> str:
    """Of each kind, how many changes were missed of how many: "born 1/20, faded 3/8"."""
    found = ((kind, figures) for kind, figures in (kinds or {}).items() if figures["changes"])
    return ", ".join(f"{kind} {figures['missed']}/{figures['changes']}" for kind, figures in found) or NONE


def day(iso: str) -> str:
    at = datetime.fromisoformat(iso)
    return f"{at.day} {at:%b %Y}"


# --- the columns ----------------------------------------------------------------------------------------------------

NDCG: Column = ("ndcg@10", lambda figures: with_half(figures.get("ndcg@10"), figures.get("ci95")))
TIME = column("seconds_per_user", seconds, "s/user")
CALLS = column("llm_calls", whole, "LLM calls")
USERS = column("users", whole)  # some systems are asked about a sample alone
BRIEF = (NDCG, column("hit@10", percent), USERS, CALLS, TIME)
LOST = (column("errors", whole), column("invalid", whole))
MAIN = (
    column("ndcg@10", percent),
    column("ci95", interval, "95 % interval"),
    *(column(key, percent) for key in ("ndcg@1", "ndcg@5", "ndcg@20", "hit@10", "mrr")),
    USERS,
    *LOST,
    CALLS,
    column("llm_tokens", whole, "tokens"),
    TIME,
)
BEYOND = (
    column("coverage@10", percent, "coverage, %"),
    column("diversity@10", hundredth, "diversity"),
    column("novelty@10", hundredth, "novelty, bits"),
    column("serendipity@10", percent, "serendipity, %"),
    column("calibration@10", hundredth, "miscalibration, nats"),
)
PAIRS = (
    column("difference", signed),
    column("ci95", interval, "95 % interval"),
    column("p", p_value),
    column("p_holm", p_value, "p (Holm)"),
    USERS,
)
COLDSTART = (column("recall@10", percent), NDCG)
STRANGERS = (*COLDSTART, USERS, column("note", lambda text: text or ""))
RECALL_INTERVAL = column("ci95", interval, "95 % interval of the last")
VARIANTS = (NDCG, column("calls", whole, "LLM calls"), column("tokens", whole), TIME)
share = _known(lambda value: f"{value:.2f}")
PROFILES = (
    column("precision", share),
    column("precision_ci95", lambda ends: f"{ends[0]:.2f} to {ends[1]:.2f}" if ends else NONE, "95 % interval"),
    *(column(key, share) for key in ("recall", "specificity", "redundancy", "coverage")),
    column("abstention_on_junk", share, "abstains on junk"),
    column("statements_per_user", percent, "statements/user"),
    column("llm_tokens", whole, "tokens"),
)
PROFILES_MORE = (
    column("claims", whole),
    column("supported", whole),
    column("precision_history", share, "precision over the whole history"),
    column("staleness_days", _known(lambda value: f"{value:.0f}"), "staleness, days"),
    column("unique_sentences", share, "unique sentences"),
    column("model_share", share, "written by the model"),
    column("seconds", whole),
    column("version", lambda text: text or NONE),
    column("note", lambda text: text or ""),
)
SENSITIVE = (
    column("histories", whole),
    column("leaks", whole, "profiles that tell"),
    column("share", _known(lambda value: f"{100 * value:.2f}"), "share, %"),
    column("wilson95", lambda ends: f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}", "95 % interval"),
    column("statements", whole),
    column("silent", whole, "without a statement"),
)
ROBUSTNESS = (
    column("attempts", whole),
    column("success", _known(lambda value: f"{value:.1f}"), "success, %"),
    column("wilson95", lambda ends: f"{ends[0]:.1f} to {ends[1]:.1f}" if ends else NONE, "95 % interval"),
    column("success_undefended", _known(lambda value: f"{value:.1f}"), "undefended, %"),
    column("rise", _known(lambda value: f"{value:+.1f}"), "places won"),
    column("rise_undefended", _known(lambda value: f"{value:+.1f}"), "undefended"),
    column("planted", whole),
    column("stored", whole),
    column("stored_undefended", whole, "undefended"),
)
EXPLANATIONS = (
    column("counterfactual_effect", _known(lambda value: f"{value:+.3f}"), "effect"),
    column("counterfactual_ci95", lambda ends: f"{ends[0]:+.3f} to {ends[1]:+.3f}" if ends else NONE, "95 % interval"),
    *(column(key, share) for key in ("precision", "recall", "specificity", "redundancy", "coverage")),
    column("reasons", whole),
    column("claims", whole),
    column("unique_sentences", share, "unique sentences"),
    column("model_words", share, "in the model's words"),
)


CONTROL = (
    column("themes", whole),
    column("users", whole),
    column("before", _known(lambda v: f"{v:.2f}"), "places before"),
    column("after", _known(lambda v: f"{v:.2f}"), "after"),
    column("reached", share, "as meant"),
    column("worst", whole, "worst after"),
    column("nearest_after", _known(lambda v: f"{v:.2f}"), "nearest, after"),
    column("named_before", _known(lambda v: f"{v:.2f}"), "named, before"),
    column("named_after", _known(lambda v: f"{v:.2f}"), "named, after"),
    column("order_kept", share, "order of others kept"),
)


def _measure(key: str, form: str) -> Callable[[Figures], str]:
    """A share in percent, tokens as they are."""
    return lambda figures: _known(lambda v: f"{v * (1 if figures['unit'] == 'tokens' else 100):{form}}")(
        figures.get(key)
    )


def _of(key: str) -> Callable[[Figures], str]:
    return lambda f: (
        f"{f[f'{key}hits']:,} of {f[f'{key}of']:,}" if f.get(f"{key}of") and f["unit"] != "tokens" else NONE
    )


def _ends(figures: Figures) -> str:
    """Of the difference, where there is one."""
    compared = figures.get("against") is not None
    ends = figures.get("difference_ci95" if compared else "ci95") or ()
    scale, sign = 1 if figures["unit"] == "tokens" else 100, "+" if compared else ""
    return " to ".join(f"{scale * end:{sign}z.1f}" for end in ends).replace("-", "−") or NONE


WRITING = (
    ("against", _measure("against", "z.1f")),
    ("", _of("against_")),
    ("answers", _measure("value", "z.1f")),
    ("", _of("")),
    ("difference", _measure("difference", "+z.1f")),
    ("95 % interval", _ends),
    column("inputs", whole),
)
THEMES = (
    *(column(key, share, head) for key, head in (("ari", "ARI"), ("nmi", "NMI"), ("v_measure", "V"))),
    column("id_stability", share, "keeps ids"),
    column("label_stability", share, "keeps labels"),
    column("delay_median", whole, "median delay, points"),
    column("by_kind", misses, "missed"),
    column("false_alarms_per_200", hundredth, "false alarms/200"),
)
PREDICTOR = (
    column("gain_nats", lambda gain: f"{gain:+.3f}", "gain in nats"),
    column("ci95", lambda ends: f"{ends[0]:+.3f} to {ends[1]:+.3f}", "95 % interval"),
    USERS,
    column("statements", whole),
    column("not_earning", percent, "of these not earning their place, %"),
)
REPRESENTATIONS = (
    NDCG,
    column("ari", share, "ARI"),
    column("nmi", share, "NMI"),
    column("texts", percent, "texts/user"),
    column("seconds", percent, "seconds"),
    USERS,
)
QUESTIONS = (
    NDCG,
    column("match", share, "of the belief is true"),
    column("match_gain", lambda gain: f"{gain:+.3f}" if gain is not None else NONE, "gained"),
    column("yes", share, "answered yes"),
    USERS,
)
