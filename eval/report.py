"""The report: one HTML page of results, and the table that the README includes.

    documents = load(sorted(RESULTS.glob("*.json")))
    Path("report.html").write_text(page(documents))
    readme = include(readme, markdown(for_readme(documents)))

Nothing is measured here and no clock is read: the same documents give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.report_tables import Table
from eval.report_view import Document, Sheet, view
from retrieval.readers import ReadError

HERE = Path(__file__).parent
RESULTS = HERE / "results"  # what the README shows: the last results, without the rows of users
SAID = {"model": "{}", "users": "{} users", "seed": "seed {}", "date": "{}"}
ABLATION = "full-"
TITLE = """# Results

Made from `eval/results` by `leitmotif eval report --tables docs/results.md`; a test checks that it agrees. What the rows are:
[eval.md](eval.md). What was tried, and what did not work: [eval/LOG.md](../eval/LOG.md).
"""
IN_README = ("rank", "profiles", "explanations")  # the kinds of its tables
BEGIN, END = "<!-- eval:begin -->", "<!-- eval:end -->"


def load(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The documents in the files. Raises ReadError, naming the file, for one that cannot be read or is no JSON object."""
    return [_document(path) for path in paths]


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(f"cannot open {path.name}: {(error.strerror or 'unreadable').lower()}") from error
    except ValueError as error:
        raise ReadError(f"{path.name} is not JSON: {error}", hint="leitmotif eval rank writes results") from error
    if not isinstance(document, dict):
        raise ReadError(f"{path.name} is not a result", hint="leitmotif eval rank writes results")
    return document


def page(documents: Sequence[Document]) -> str:
    """The whole page, a part for each document in their order. Raises ReadError as `view` does."""
    return _environment().get_template("report.html.j2").render(sheets=[view(document) for document in documents])


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


# --- the README -----------------------------------------------------------------------------------------------------


def markdown(documents: Sequence[Document]) -> str:
    """A table for each document under a line that says what was run and where; what `full` is worth without a part is on the
    page only. Raises ReadError as `view` does."""
    return "\n\n".join(_brief(view(document)) for document in documents)


def _brief(sheet: Sheet) -> str:
    facts = [form.format(sheet.facts[name]) for name, form in SAID.items() if name in sheet.facts]
    command = f"`{sheet.command}`" if sheet.command else ""
    said = ", ".join(filter(None, (*facts, sheet.machine, command)))
    return f"**{sheet.title}**{': ' if said else ''}{said}\n\n{_table(sheet.brief)}"


def _table(table: Table) -> str:
    rule = ["---", *("---:" for _ in table.columns[1:])]
    shown = (row for row in table.rows if not row.name.startswith(ABLATION))
    rows = [table.columns, rule, *((f"`{row.name}`", *row.cells) for row in shown)]
    bars = "\\|"  # a bar ends a cell, in code too
    return "\n".join(f"| {' | '.join(cell.replace('|', bars) for cell in row)} |" for row in rows)


def for_readme(documents: Sequence[Document]) -> list[Document]:
    """The first ranking, and the first results on how far the words can be trusted; the others are in `tables`."""
    first: dict[str, Document] = {}
    for document in documents:
        first.setdefault(str(document.get("kind", "rank")), document)
    return [first[kind] for kind in IN_README if kind in first]


def tables(documents: Sequence[Document]) -> str:
    """docs/results.md: a table for each document. Raises ReadError as `view` does."""
    return f"{TITLE}\n{markdown(documents)}\n"


def included(readme: str) -> str:
    """What stands between the markers. Raises ReadError unless each is there once, in order."""
    return _split(readme)[1].strip("\n")


def include(readme: str, table: str) -> str:
    """The README with `table` between the markers. Raises ReadError as `included` does."""
    before, _, after = _split(readme)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _split(readme: str) -> tuple[str, str, str]:
    before, begin, rest = readme.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in inside + after or END in before + after:
        raise ReadError(f"README needs {BEGIN} and {END}, once each", hint="put them where the table is to be")
    return before, inside, after


def drift(readme: str, documents: Sequence[Document]) -> str | None:
    """Why README and results do not agree, in a line; None when they do."""
    marked = BEGIN in readme or END in readme
    if not documents:
        return "README has a place for results, and there are none" if marked else None
    try:
        shown = included(readme)
    except ReadError as error:
        return str(error)
    differs = "README differs from the results: leitmotif eval report --readme README.md"
    return None if shown == markdown(for_readme(documents)) else differs
