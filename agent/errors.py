"""One exception tree. `retryable` tells a caller whether trying again can help; `hint` tells a person what to do."""

from __future__ import annotations


class LeitmotifError(Exception):
    """Base of every error that is ours. `str(error)` is one line for a person; `hint` says what to do about it."""

    retryable = False
    hint = ""
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(LeitmotifError):
    """The caller asked for something that cannot be: a bad option, an unreadable file, a wrong value."""

    exit_code = 2


class NotFoundError(UsageError):
    """A user, item, statement or theme that we do not know."""


class ConfigError(UsageError):
    hint = "check leitmotif.toml and the LEITMOTIF_* environment variables; unknown keys are errors"


class EngineError(LeitmotifError):
    """The embedded vLLM server could not be installed, started or stopped."""

    hint = "run `leitmotif doctor`"


class WeightsError(EngineError):
    hint = "run `leitmotif llm pull --force` to fetch and verify the weights again"


class LLMError(LeitmotifError):
    """Talking to the LLM failed."""

    hint = "run `leitmotif llm status`; the address is the setting llm.base_url"


class LLMUnavailableError(LLMError):
    """Refused, timed out, overloaded or gone: the same call may succeed later."""

    retryable = True
    hint = "start the embedded one with `leitmotif llm start`, or set llm.base_url; see `leitmotif llm status`"


class LLMOutputError(LLMError):
    """The model answered, but not with what the schema asks for, even after one repair."""

    hint = "the answer was dropped and a plain sentence from the data used instead"


class LLMUnsupportedError(LLMError):
    """The server does not offer what the call needs (prompt log-probabilities, say)."""
