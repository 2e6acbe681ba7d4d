"""The edge of the process: what went wrong, as one line, a hint and an exit code. What is not known here is a bug and shows
itself in full."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from typer.exceptions import Abort, TyperException

from agent.errors import LeitmotifError
from agent.serve.schemas import ErrorOut

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_GROUP = re.compile(r"Usage: (.+?) \[OPTIONS\] COMMAND")


@dataclass(frozen=True, slots=True)
class Problem:
    error: str
    hint: str
    exit_code: int


def run(command: Callable[[], object], argv: Sequence[str]) -> int:
    """Run the command and answer with its exit code; report what went wrong as the arguments ask for (--json)."""
    try:
        code = command()
    except (KeyboardInterrupt, Abort):
        code = INTERRUPTED
    except Exception as exc:  # the process edge: what `describe` does not know is raised again
        problem = describe(exc)
        if problem is None:
            raise
        report(problem, as_json=wants_json(argv))
        return problem.exit_code
    if code == INTERRUPTED:
        report(Problem("interrupted", "what was finished is kept", INTERRUPTED), as_json=wants_json(argv))
    return code if isinstance(code, int) else DONE


def wants_json(argv: Sequence[str]) -> bool:
    """Read from the raw arguments, because they may be what is wrong."""
    options = list(argv)[: list(argv).index("--")] if "--" in argv else argv
    return "--json" in options


def report(problem: Problem, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(ErrorOut(error=problem.error, hint=problem.hint).model_dump_json() + "\n")
    sys.stderr.write(f"error: {problem.error}\n")
    if problem.hint:
        sys.stderr.write(f"hint: {problem.hint}\n")


def describe(exc: Exception) -> Problem | None:
    """The faults that are not bugs."""
    if isinstance(exc, TyperException):
        said = exc.format_message()
        if group := _GROUP.match(said):  # a group without a command: its whole help is the message
            return Problem(f"`{group[1]}` needs a command", f"`{group[1]} --help` lists them", exc.exit_code)
        hint = "`leitmotif --help` and `leitmotif COMMAND --help` say what is possible"
        return Problem(_line(said), hint, exc.exit_code)
    if isinstance(exc, LeitmotifError):
        return Problem(_line(str(exc)), exc.hint, exc.exit_code)
    if isinstance(exc, OSError):
        return Problem(_line(_os_error(exc)), _os_hint(exc), FAILED)
    return _from_below(exc)


def _from_below(exc: Exception) -> Problem | None:
    """The errors of retrieval and prompts, imported only now: the command that raised them has them loaded already."""
    from prompts.library import PromptError
    from retrieval.readers import ReadError
    from retrieval.store import StoreError

    if isinstance(exc, ReadError):
        return Problem(_line(str(exc)), exc.hint, USAGE)
    if isinstance(exc, StoreError):
        return Problem(_line(str(exc)), exc.hint, FAILED)
    if isinstance(exc, PromptError):
        return Problem(_line(str(exc)), "the prompts are in prompts/templates", FAILED)
    return None


def _os_error(exc: OSError) -> str:
    reason = exc.strerror or str(exc) or type(exc).__name__
    return f"{exc.filename}: {reason}" if exc.filename else reason


def _os_hint(exc: OSError) -> str:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, or choose another --home"
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "check the rights of that path, or choose another --home"
    if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        return "give another path, or make its folder first"
    return "run `leitmotif doctor`"


def _line(text: str) -> str:
    return " ".join(text.split())
