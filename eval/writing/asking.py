"""Ask the model that runs for one answer to each input, as it comes: no repair, no second try. Raw answers go into a file.

    answers = await ask(llm, made, Path("tuned.jsonl"), tell)
    answers = read(Path("tuned.jsonl"))

The tuned model has its own prompts, any other the few-shot ones with the same facts. A run that was cut off goes on with what
is not yet in the file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import coldstart, guard, plain
from agent.errors import LLMOutputError, UsageError
from agent.evidence import Evidence
from agent.llm import LLM
from agent.notes import Notes
from agent.tuning.examples import EventsIn, GroundsIn, LabelsIn, StatementsIn, TextIn
from agent.tuning.render import notes_of, reason_notes
from eval.writing.inputs import Input
from prompts import library
from retrieval.features import DOMAINS
from retrieval.readers import ReadError
from retrieval.store import LLMCall

if TYPE_CHECKING:
    from eval.rank import Tell

AT_ONCE = 256  # requests between two writes; the client lets fewer through at a time
NOTHING = "nothing"
PROMPTS = {
    "statement": "write_statement",
    "theme": "label_theme",
    "self": "read_self",
    "reason": "explain",
    "portrait": "write_portrait",
}
CLAUSES = "clauses"  # in the place of a prompt: a self-description read by code
_HINT = "`leitmotif eval writing --out FILE` writes such files"


@dataclass(frozen=True, slots=True)
class Written:
    """One raw answer. `answer` is what the prompt's output type holds, None where it failed; `failure`: "length" (no end before
    the token limit), "invalid", or "". `digest` says what it answers (Input.digest). Tokens are those of the one request."""

    id: str
    task: str
    group: str
    domain: str
    case: str
    digest: str
    prompt: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    answer: dict[str, Any] | None
    failure: str = ""


async def ask(llm: LLM, made: Sequence[Input], file: Path, tell: Tell, *, screened: bool = True) -> list[Written]:
    """The answers to `made`, in `file` too; what it holds already, of this prompt, is not asked again. Replaces `llm.log`.
    `screened`: the model reads what the product would show it, else all that there is.

    Raises LLMUnavailableError, what was answered being kept, and UsageError for a file with another model's answers.
    """
    known = {w.id: w for w in read(file)} if file.exists() else {}
    if others := {w.model for w in known.values()} - {llm.identity}:
        raise UsageError(f"{file.name} holds answers of {sorted(others)[0]}", hint="give each model a file of its own")
    calls: dict[str, LLMCall] = {}

    def log(call: LLMCall) -> None:
        if call.user and call.attempts == 1:
            calls[call.user] = call

    llm.log = log
    asked = {i.id: (i.digest, _prompt(i, llm)) for i in made}
    left = [i for i in made if i.id not in known or (known[i.id].digest, known[i.id].prompt) != asked[i.id]]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        for start in range(0, len(left), AT_ONCE):
            found = await asyncio.gather(*(_one(llm, i, calls, screened) for i in left[start : start + AT_ONCE]))
            stream.writelines(json.dumps(asdict(w), ensure_ascii=False) + "\n" for w in found)
            stream.flush()
            known |= {w.id: w for w in found}
            tell("answers", min(start + AT_ONCE, len(left)), len(left))
    return [known[i.id] for i in made]


async def _one(llm: LLM, given: Input, calls: Mapping[str, LLMCall], screened: bool) -> Written:
    about = (given.id, given.task, given.group, given.domain, given.case, given.digest)
    tuned = llm.settings.tuned
    if isinstance(given.given, TextIn) and not tuned:
        pieces = await _by_code(given.given.text, llm)
        return Written(*about, CLAUSES, llm.identity, 0, 0, {"pieces": pieces})
    prompt = library.load(PROMPTS[given.task], tuned=tuned)
    answer: dict[str, Any] | None = None
    try:
        found = await llm.complete(prompt, n=1, user=given.id, **variables(given, tuned=tuned, screened=screened))
        answer = found[0].output.model_dump(mode="json")
    except LLMOutputError:
        pass  # the log says what became of the first try
    call = calls[given.id]
    failure = "" if call.outcome == "ok" else "length" if call.finish_reason == "length" else "invalid"
    tokens = (call.tokens_in, call.tokens_out)
    return Written(*about, prompt.ref, llm.identity, *tokens, None if failure else answer, failure)


def _prompt(given: Input, llm: LLM) -> str:
    """What answers an input."""
    if isinstance(given.given, TextIn) and not llm.settings.tuned:
        return CLAUSES
    return library.load(PROMPTS[given.task], tuned=llm.settings.tuned).ref


async def _by_code(text: str, llm: LLM) -> list[dict[str, str]]:
    """What the product reads in a self-description without a tuned model."""
    reading = await coldstart.read(text, "somebody", datetime.now(UTC), llm)
    return [{"says": s.polarity.value, "text": s.facet} for s in reading.statements]


def read(file: Path) -> list[Written]:
    """The answers in a file, the last where an input has several. Raises ReadError, naming the line, for what is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"cannot read {file.name}: {error}", hint=_HINT) from error
    found: dict[str, Written] = {}
    for number, line in enumerate(lines, 1):
        try:
            written = Written(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise ReadError(f"{file.name}, line {number}: {error}", hint=_HINT) from error
        found[written.id] = written
    return list(found.values())


# --- what is asked ----------------------------------------------------------------------------------------------------


def variables(given: Input, *, tuned: bool, screened: bool = True) -> dict[str, str]:
    """The variables of the input's prompt: for the tuned model as in training, for another the same facts in its form."""
    match given.given:
        case EventsIn(polarity=polarity, events=events):
            notes = notes_of(events, polarity, unsaid=given.unsaid, screened=screened)
            if tuned:
                return {"polarity": polarity, "notes": notes.leading.text}
            return {"notes": few_shot_notes(notes, given.genres)}
        case StatementsIn(statements=statements):
            if tuned:
                return {"statements": "\n".join(statements)}
            verb = "Dislikes " if all(s.startswith("Dislikes ") for s in statements) else "Likes "
            return {"notes": ", ".join(plain.lower(s.removeprefix(verb)) for s in statements)}
        case GroundsIn(evidence=evidence, item=item):
            notes_ = reason_notes(evidence, item)
            head, rest = ", ".join([item.kind, *item.features[:1]]), ", ".join(item.features[1:])
            return notes_ if tuned else {"shared": notes_["shared"], "item": f"{head} ({rest})" if rest else head}
        case LabelsIn(likes=likes, dislikes=dislikes):
            return {"likes": "; ".join(likes), "dislikes": "; ".join(dislikes) or "none"}
        case TextIn(text=text):
            return {"text": text}
        case _:
            raise TypeError(f"no prompt for {type(given.given).__name__}")


def few_shot_notes(notes: Notes, genres: frozenset[str]) -> str:
    """The notes as write_statement@1 has them (Evidence.notes): "mystery films, books (slow-burn, arctic)".

    Without `genres` the first feature is taken for one. Searches are shown where there is nothing else.
    """
    features = tuple(f for f, _ in notes.features)
    if not (features or notes.kinds):
        features = tuple(" ".join(guard.words(text)) for text in notes.typed)
    before = genres & set(features) or frozenset(features[:1] if notes.kinds else ())
    return Evidence((), features, tuple(_noun(k) for k, _ in notes.kinds[:2]), before).notes or NOTHING


def _noun(kind: str) -> str:
    """The word for several: of the catalogue's kinds the product's, else the English plural where it is a plain one."""
    regular = kind.isascii() and kind[-1:].isalpha() and not kind.endswith(("s", "x", "z", "h", "y"))
    return DOMAINS.get(kind, f"{kind}s" if regular else kind)
