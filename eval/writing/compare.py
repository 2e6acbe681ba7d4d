"""Measures of one model's answers, or of two models' on the same inputs, with intervals that resample the inputs.

found = document(bench, tuned, base, seed=0)
found["measures"]["held_out statement precision"]["difference"]     # tuned minus base, as a share
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.stats import wilson
from eval.writing.asking import PROMPTS, Written
from eval.writing.ground import Bench
from eval.writing.measures import Part, Parts, measured, says
from retrieval.readers import ReadError

RESAMPLES = 4000
GROUPS = ("trained", "held_out", "sample", "tempting", "planted")
PROFILE = {
    "statement": 4,
    "theme": 3,
    "portrait": 1,
}  # requests for a profile of the sample (eval/results: 4.2 statements)
TOKENS = ("prompt_tokens", "completion_tokens")
_OTHER = "these are answers to other inputs"
_HINT = "measure with the seed that they were asked with; after a change of the examples, ask again"

Figures = dict[str, Any]
Interval = tuple[float, float]


def document(bench: Bench, answers: Sequence[Written], against: Sequence[Written] = (), *, seed: int = 0) -> Figures:
    """Every measure by group and task: `value` and, where there is something to compare with, `against` and `difference`.

    Compared are the inputs that both answered. Raises ReadError for answers to inputs that `bench` does not have.
    """
    ours, theirs = scored(bench, answers), scored(bench, against)
    if against:
        ours = {i: parts for i, parts in ours.items() if i in theirs}
        theirs = {i: parts for i, parts in theirs.items() if i in ours}
        if not ours:
            raise ReadError("the two files have no input in common", hint=_HINT)
    rows: dict[str, Figures] = {}
    for (group, task), ids in _parted(bench, ours).items():
        for name in _names(ours, theirs, ids):
            a, b = _table(ours, ids, name), _table(theirs, ids, name) if against else None
            if a[:, 1].any() or (b is not None and b[:, 1].any()):
                rows[f"{group} {task} {name}"] = {
                    "group": group,
                    "task": task,
                    "measure": name,
                    **_row(a, b, name, seed),
                }
    rows |= _profile(rows)
    models = {"answers": _model(answers), "against": _model(against)}
    named = " against ".join(filter(None, models.values()))
    return {"kind": "writing", "dataset": named, "seed": seed, "models": models, "measures": rows}


def scored(bench: Bench, answers: Iterable[Written]) -> dict[str, Parts]:
    """The measures of each answer by the id of its input."""
    found = {}
    answers = list(answers)
    bench.prepare((bench.inputs[a.id], says(a)) for a in answers if a.id in bench.inputs)
    for answer in answers:
        given = bench.inputs.get(answer.id)
        if given is None:
            raise ReadError(f"{_OTHER}: there is no {answer.id}", hint=_HINT)
        if given.digest != answer.digest:
            raise ReadError(f"{_OTHER}: {answer.id} has changed", hint=_HINT)
        found[answer.id] = measured(bench, given, answer)
    return found


def _parted(bench: Bench, found: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Ids by group and task, in a fixed order."""
    parted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in sorted(found):
        parted[bench.inputs[name].group, bench.inputs[name].task].append(name)
    order = [(group, task) for group in GROUPS for task in PROMPTS]
    return {key: parted[key] for key in order if key in parted}


def _names(ours: Mapping[str, Parts], theirs: Mapping[str, Parts], ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for i in ids for side in (ours, theirs) for name in side.get(i, {})))


def _table(found: Mapping[str, Parts], ids: Sequence[str], name: str) -> NDArray[np.float64]:
    """(hits, of) of each input, shape (n, 2); (0, 0) where it was not measured."""
    nothing: Part = (0.0, 0.0)
    return np.array([found[i].get(name, nothing) for i in ids], dtype=np.float64)


def _row(a: NDArray[np.float64], b: NDArray[np.float64] | None, name: str, seed: int) -> Figures:
    """`ci95`: of a share of inputs Wilson's, else the bootstrap's, as of `difference`, which is paired by input."""
    kept = (a[:, 1] > 0) if b is None else (a[:, 1] > 0) | (b[:, 1] > 0)
    a = a[kept]
    drawn = np.random.default_rng(seed).multinomial(len(a), np.full(len(a), 1 / len(a)), RESAMPLES)
    row = {"unit": "tokens" if name in TOKENS else "share", "inputs": len(a), **_side(a, drawn)}
    if b is None:
        return row
    b = b[kept]
    other = _side(b, drawn)
    both = row["value"] is not None and other["value"] is not None
    ends = _interval(_ratios(a, drawn) - _ratios(b, drawn)) if both else None
    return {
        **row,
        **{"against" if key == "value" else f"against_{key}": value for key, value in other.items()},
        "difference": row["value"] - other["value"] if both else None,
        "difference_ci95": ends,
    }


def _side(table: NDArray[np.float64], drawn: NDArray[np.int64]) -> Figures:
    hits, of = (float(total) for total in table.sum(axis=0))
    if not of:
        return {"value": None, "hits": 0, "of": 0, "ci95": None}
    single = bool(np.isin(table, (0.0, 1.0)).all())
    ends = wilson(int(hits), int(of)) if single else _interval(_ratios(table, drawn))
    return {"value": hits / of, "hits": round(hits), "of": round(of), "ci95": ends}


def _ratios(table: NDArray[np.float64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share in each resample, shape (RESAMPLES,); NaN where a resample has nothing to measure."""
    hits, of = (drawn @ table).T
    shares: NDArray[np.float64] = np.divide(hits, of, out=np.full(len(of), np.nan), where=of > 0)
    return shares


def _interval(values: NDArray[np.float64]) -> Interval | None:
    known = values[~np.isnan(values)]
    return (float(np.quantile(known, 0.025)), float(np.quantile(known, 0.975))) if len(known) else None


def _profile(rows: Mapping[str, Figures]) -> dict[str, Figures]:
    """The prompt tokens of a whole profile, from the mean of each request on the test examples."""
    found: Figures = {"group": "profile", "task": "profile", "measure": "prompt_tokens", "unit": "tokens", "inputs": 0}
    for side in ("value", "against"):
        means = [_mean(rows, task, side) for task in PROFILE]
        known = [mean for mean in means if mean is not None]
        whole = sum(n * mean for n, mean in zip(PROFILE.values(), known, strict=False))
        found[side] = whole if len(known) == len(PROFILE) else None
    if found["value"] is None:
        return {}
    found["difference"] = found["value"] - found["against"] if found["against"] is not None else None
    return {"profile prompt_tokens": found}


def _mean(rows: Mapping[str, Figures], task: str, side: str) -> float | None:
    """Over the test examples of both groups."""
    found = [rows.get(f"{group} {task} prompt_tokens", {}) for group in ("trained", "held_out")]
    key = "" if side == "value" else "against_"
    of = sum(row.get(f"{key}of", 0) for row in found)
    return sum(row.get(f"{key}hits", 0) for row in found) / of if of else None


def _model(answers: Sequence[Written]) -> str:
    return answers[0].model if answers else ""
