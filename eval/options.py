"""Options that several commands of `leitmotif eval` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[Path, typer.Argument(metavar="DATASET", help="Any file or folder that ingest reads.")]
Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="As for ingest; auto looks.")]
Mapping_ = Annotated[list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN,...", help="As for ingest.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides negatives, samples and order.")]
Users = Annotated[int | None, typer.Option("--users", metavar="N", min=1, help="A sample of the users.")]
Candidates = Annotated[
    Path | None, typer.Option("--candidates", metavar="FILE", help="A line a user: user<TAB>item item item ...")
]
Protocol = Annotated[
    str, typer.Option("--protocol", metavar="NAME", help="uniform, popularity or everything (no candidate file).")
]
Systems = Annotated[str | None, typer.Option("--systems", metavar="A,B,...", help="Default: all of them.")]
LLMUsers = Annotated[
    int, typer.Option("--llm-users", metavar="N", min=0, help="Users the LLM is asked about; 0: none.")
]
Weights = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="For full_default; the shipped ones without.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the figures there, too, as JSON.")]
