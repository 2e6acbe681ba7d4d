"""The same for many users: some at a time, with progress, and one that crashes is a row, not the end of the run.

profiles = await for_each(users, build, progress)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from agent.errors import LLMUnavailableError
from agent.results import Failure

AT_ONCE = 32  # users in work at the same time: what they ask for one after the other fills the 64 requests in flight
Progress = Callable[[int, int], None]  # (done, total)
_T = TypeVar("_T")


async def for_each(
    users: Sequence[str], work: Callable[[str], Awaitable[_T]], progress: Progress | None = None
) -> list[_T | Failure]:
    """What `work` makes of each user, in the order of `users`.

    Raises LLMUnavailableError when the LLM goes away; everything else that goes wrong is a Failure in its place.
    """
    gate = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(user: str) -> _T | Failure:
        nonlocal done
        async with gate:
            try:
                found: _T | Failure = await work(user)
            except LLMUnavailableError:
                raise
            except Exception as exc:  # the edge of a batch: a crashed user is a row, not the end of the run
                found = Failure(user, f"{type(exc).__name__}: {exc}")
        done += 1
        if progress:
            progress(done, len(users))
        return found

    tasks = [asyncio.ensure_future(one(user)) for user in users]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # or connections are left half open
