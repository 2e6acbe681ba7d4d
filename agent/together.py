"""Several requests at once: all of their answers, or the first failure.

answers = await together([ask(a), ask(b)])
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


async def together(work: Sequence[Awaitable[_T]]) -> list[_T]:
    """The results of all. A failure is raised only when all are done, so that none is left at work behind our back."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for failure in (found for found in done if isinstance(found, BaseException)):
        raise failure
    return [found for found in done if not isinstance(found, BaseException)]
