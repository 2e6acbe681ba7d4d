"""Expand people.json into events.jsonl and planted.json.

The catalogue (items.jsonl) and the plan (people.json) are written by hand. This script lays each
planned interest out as dated browsing sessions, adds the hand-written reviews and queries and a
little noise, and writes down what was planted. The same plan always gives the same bytes.

    python retrieval/sample/build.py [--out FOLDER]
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEPT_BACK = 3  # items of a subject left untouched, so that there is something to recommend
# The most days between choosing a thing and judging it (the least is half of that).
LAG = {"film": 2, "article": 1, "music": 6, "book": 18, "game": 14, "course": 28, "travel": 34}
BOUGHT = {"book", "game", "course", "travel"}  # reviewed things of these domains were bought first

# How readily a look at an item leads to a click, and to something more.
STYLES: dict[str, tuple[float, dict[str, float]]] = {
    "engaged": (0.42, {"like": 0.3, "purchase": 0.2, "rate": 0.12, "share": 0.06}),
    "browse": (0.12, {"like": 0.05}),
    "buyer": (0.5, {"purchase": 0.9}),
    "averse": (0.0, {"dislike": 0.6, "hide": 0.4}),
}

Row = dict[str, Any]


def domain(item: str) -> str:
    """The domain an item id begins with."""
    return item.partition("-")[0]


def days_between(start: date, end: date, weekdays: Sequence[int]) -> list[date]:
    """All days from start to end inclusive that fall on one of the weekdays (Monday is 0)."""
    span = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [day for day in span if day.weekday() in weekdays]


class Person:
    """Lays out one person's plan as events."""

    def __init__(self, plan: Row, subjects: dict[str, list[str]], until: date, seed: int) -> None:
        """Seed the person's own dice and note every item the plan names."""
        self.plan, self.subjects, self.until = plan, subjects, until
        self.rng = random.Random(f"{seed}:{plan['user']}")  # noqa: S311 - dice, not secrets
        self.events: list[tuple[datetime, str, Row]] = []  # when, which interest, the row
        self.taken: set[str] = set()
        self.done: set[tuple[str, str]] = set()  # (interest, item) liked, bought, hidden and so on
        for interest in plan["interests"]:
            self.taken |= self.named(interest)

    @staticmethod
    def named(interest: Row) -> set[str]:
        """The items the plan names for an interest, outright or in a review or a query."""
        written = [*interest["reviews"], *interest["queries"]]
        return set(interest.get("items", [])) | {entry["item"] for entry in written}

    def pool(self, interest: Row) -> list[str]:
        """The named items, filled up from the subject to the size the plan asks for."""
        chosen = sorted(self.named(interest))
        free = [item for item in self.subjects[interest["subject"]] if item not in self.taken]
        want = min(interest["take"] - len(chosen), len(free) - KEPT_BACK)
        chosen += self.rng.sample(free, max(0, want))
        self.taken |= set(chosen)
        if interest.get("ordered"):
            return list(interest["items"])
        self.rng.shuffle(chosen)
        reviewed = {review["item"] for review in interest["reviews"]}
        unreviewed = [item for item in chosen if item not in reviewed]
        chosen.sort(key=lambda item: item in unreviewed[-1:])  # leave time to judge the reviewed
        return chosen

    def moment(self, day: date, hours: Sequence[int]) -> datetime:
        """A random minute of the day inside the person's usual hours."""
        hour = self.rng.randrange(hours[0], hours[1])
        return datetime.combine(day, time(hour, self.rng.randrange(60), self.rng.randrange(60)))

    def emit(self, interest: Row, at: datetime, kind: str, **more: Any) -> None:
        """Note one event; `more` may hold an item, a value, a text and what led there (via)."""
        row: Row = {"user": self.plan["user"], "item": more.get("item"), "kind": kind}
        row |= {"value": more.get("value"), "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        context = {"device": interest["device"]} | {k: more[k] for k in ("via",) if k in more}
        self.events.append((at, interest["id"], row | {"text": more.get("text"), "context": context}))

    def session_days(self, interest: Row) -> list[tuple[date, date]]:
        """A (day, end of its phase) for each session, spread evenly with some play."""
        weekdays = interest.get("weekdays", range(7))
        phases = []
        for start, end in interest["phases"]:
            last = date.fromisoformat(end) if end else self.until
            phases.append((days_between(date.fromisoformat(start), last, weekdays), last))
        total = sum(len(days) for days, _ in phases)
        out: list[tuple[date, date]] = []
        for days, last in phases:
            count = max(1, round(interest["sessions"] * len(days) / total))
            for j in range(count):
                play = self.rng.uniform(-0.3, 0.3 if j < count - 1 else 0.0) if j else 0.0
                place = j + play * (1.0 if count > 2 else 0.3)
                out.append((days[int(place / max(1, count - 1) * (len(days) - 1))], last))
        return sorted(out)

    def interest(self, interest: Row) -> None:
        """All sessions of one interest."""
        pool, sessions = self.pool(interest), self.session_days(interest)
        reviews = {review["item"]: review for review in interest["reviews"]}
        queries = {query["item"]: query["text"] for query in interest["queries"]}
        seen: list[str] = []
        for j, (day, last) in enumerate(sessions):
            first, stop = (-(-n * len(pool) // len(sessions)) for n in (j, j + 1))
            fresh = pool[first:stop]
            if interest["polarity"] == "like":  # too little that is new: go back to something
                fresh += self.rng.sample(seen, min(len(seen), max(0, 2 - len(fresh))))
            clock = self.moment(day, interest["hours"])
            for item in fresh:
                via = {}
                if item in queries and item not in seen:
                    clock += timedelta(seconds=self.rng.randrange(40, 200))
                    self.emit(interest, clock, "search", text=queries[item])
                    via = {"via": "search"}
                clock = self.visit(interest, item, clock, via, item in reviews)
                if item not in seen:
                    seen.append(item)
                    if item in reviews:
                        self.review(interest, reviews[item], clock, last)

    def visit(self, interest: Row, item: str, clock: datetime, via: dict[str, str], reviewed: bool) -> datetime:
        """One look at an item and what comes of it; gives back the time afterwards."""
        click, outcomes = STYLES[interest["style"]]
        kinds = ["view", "click"] if self.rng.random() < click else ["view"]
        nothing = max(0.0, 1 - sum(outcomes.values()))
        outcome = self.rng.choices([*outcomes, ""], [*outcomes.values(), nothing])[0]
        if reviewed and interest["style"] == "averse":
            outcome = "hide"
        elif reviewed:
            outcome = "purchase" if domain(item) in BOUGHT and "purchase" in outcomes else ""
        if (outcome, domain(item)) in {("purchase", "article"), *(("rate", d) for d in BOUGHT)}:
            outcome = "like"  # nobody buys an article, or judges a book on finding it
        if outcome and (interest["id"], item) not in self.done:
            self.done.add((interest["id"], item))
            kinds.append(outcome)
        for kind in kinds:
            clock += timedelta(minutes=self.rng.randrange(1, 7), seconds=self.rng.randrange(60))
            value = self.rng.choice([3.5, 4.0, 4.5]) if kind == "rate" else None
            self.emit(interest, clock, kind, item=item, value=value, **via)
        return clock

    def review(self, interest: Row, review: Row, seen: datetime, last: date) -> None:
        """The hand-written judgement, some days after the item was chosen."""
        at_once = interest["style"] in ("averse", "buyer")
        lag = 0 if at_once else LAG[domain(review["item"])]
        day = seen.date() + timedelta(days=self.rng.randint(lag // 2, lag))
        day = min(max(day, date.fromisoformat(review.get("after", "2000-01-01"))), last)
        weekdays = interest.get("weekdays", range(7))
        week = timedelta(days=6)
        nearby = days_between(max(day - week, seen.date()), min(day + week, last), weekdays)
        day = min(nearby, key=lambda d: abs((d - day).days))
        at = self.moment(day, interest["hours"])
        if at <= seen:
            at = seen + timedelta(minutes=2, seconds=self.rng.randrange(60))
        found = {"item": review["item"], "value": review["stars"], "text": review["text"]}
        self.emit(interest, at, "rate", **found)

    def noise(self) -> None:
        """A few idle looks at things outside every subject the person cares about."""
        own = {item for i in self.plan["interests"] for item in self.subjects[i["subject"]]}
        others = sorted({item for items in self.subjects.values() for item in items} - own)
        first = min(at for at, _, _ in self.events).date()
        for item in self.rng.sample(others, self.plan["noise"]):
            day = first + timedelta(days=self.rng.randrange((self.until - first).days))
            kind = self.rng.choice(["view", "view", "click"])
            self.emit({"id": "", "device": "phone"}, self.moment(day, (7, 21)), kind, item=item)

    def rows(self) -> list[Row]:
        """Build everything and give the finished rows, oldest first."""
        for interest in self.plan["interests"]:
            self.interest(interest)
        self.noise()
        self.events.sort(key=lambda event: event[0])
        user = self.plan["user"]
        return [{"id": f"e-{user}-{n:03d}", **row} for n, (_, _, row) in enumerate(self.events, 1)]

    def planted(self) -> Row:
        """What the plan put into the events, with dates and items read back from them."""
        keep = ("id", "subject", "polarity", "description", "tags", "horizon", "person")
        interests: list[Row] = []
        for plan in self.plan["interests"]:
            mine = [(str(at.date()), row) for at, name, row in self.events if name == plan["id"]]
            phases = []
            for start, end in plan["phases"]:
                days = [day for day, _ in mine if start <= day <= (end or str(self.until))]
                phases.append([days[0], days[-1]])
            row: Row = {key: plan[key] for key in keep if key in plan}
            row["items"] = list(dict.fromkeys(event["item"] for _, event in mine if event["item"]))
            row["started"] = phases[0][0]
            row["ended"] = phases[-1][1] if plan["phases"][-1][1] else None
            interests.append({**row, "phases": phases})
        by_id = {row["id"]: row for row in interests}
        changes = [{**c, "at": self.change_date(c, by_id)} for c in self.plan["changes"]]
        return {"summary": self.plan["summary"], "interests": interests, "changes": changes}

    @staticmethod
    def change_date(change: Row, by_id: dict[str, Row]) -> str:
        """The first day on which the change can be seen in the events."""
        row = by_id[change["interest"]]
        if change["kind"] == "split":
            return str(min(by_id[name]["started"] for name in change["into"]))
        if change["kind"] == "contradicted":
            return str(by_id[change["by"]]["started"])
        if change["kind"] == "revived":
            return str(row["phases"][1][0])
        return str(row["ended"] if change["kind"] == "faded" else row["started"])


def main() -> None:
    """Write both files into --out (by default beside this script)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=HERE)
    out: Path = parser.parse_args().out
    plan = json.loads((HERE / "people.json").read_text(encoding="utf-8"))
    subjects: dict[str, list[str]] = plan["subjects"]
    lines: list[str] = []
    users: dict[str, Row] = {}
    for entry in sorted(plan["people"], key=lambda entry: str(entry["user"])):
        person = Person(entry, subjects, date.fromisoformat(plan["until"]), plan["seed"])
        rows = person.rows()
        lines += [json.dumps(row, ensure_ascii=False) for row in rows]
        users[entry["user"]] = person.planted()
        print(entry["user"], len(rows), dict(Counter(str(row["kind"]) for row in rows)))
    planted = {"users": users, "subjects": {name: {"items": ids} for name, ids in subjects.items()}}
    with (out / "events.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(lines) + "\n")
    with (out / "planted.json").open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(planted, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
