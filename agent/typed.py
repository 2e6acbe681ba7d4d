"""What people type, before anything else happens to it: cleaned as the readers clean every text that comes in, and bounded.

typed("slow\u200b-burn  mysteries", "the query", MOST_QUERY)    # "slow-burn mysteries"
"""

from __future__ import annotations

from agent.errors import UsageError
from retrieval.readers import clean

MOST_QUERY = 1000  # characters


def typed(text: str, what: str, most: int) -> str:
    """`text`, each line of it NFKC-normalised and without hidden characters, so that no word can hide from the checks.

    Empty lines are left out. Raises UsageError, which calls the text `what`, for one of more than `most` characters.
    """
    if len(text) > most:
        raise UsageError(f"{what} is longer than {most} characters", hint="say it in fewer words")
    return "\n".join(line for part in text.splitlines() if (line := clean(part, most)))
