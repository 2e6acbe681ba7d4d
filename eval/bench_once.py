"""What it costs and what it brings that no word may come twice (agent/once.py), on the running tuned model.

    python -m eval.bench_once [--inputs 512]

Prints, for greedy answers and for drafts, seconds and how many sentences the guard would refuse because
they repeat a word: with the rule, with the frequency penalty that it took the place of, and with neither. The inputs are
English ones that the model was tuned with, so that only the ways differ; the least of three times.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from agent import guard
from agent.config import Settings
from agent.errors import LLMOutputError
from agent.llm import LLM
from agent.tuning import examples
from agent.tuning.render import Rendered, render
from prompts.library import Params

WAYS = {"once": (True, 0.0), "penalty 2.0": (False, 2.0), "neither": (False, 0.0)}
DRAWN = ((0.0, 1), (0.5, 4))  # (temperature, answers to each input)
TIMES = 3


async def sentences(
    llm: LLM, asked: Sequence[Rendered], once: bool, penalty: float, temperature: float, n: int
) -> list[str]:
    """What the model says to all inputs, asked at the same time."""

    async def one(given: Rendered) -> list[str]:
        params = Params(given.prompt.params.max_tokens, temperature, penalty, once)
        try:
            answers = await llm.complete(replace(given.prompt, params=params), n=n, **given.variables)
        except LLMOutputError:
            return []
        return [answer.output.text for answer in answers if answer.output.text]

    return [text for texts in await asyncio.gather(*map(one, asked)) for text in texts]


async def measure(count: int) -> None:
    """One line a way and temperature. The ways take turns, because the machine is not always as quiet."""
    told = (
        e for e in examples.load(examples.DATA) if e.task == "statement" and e.language == "en" and e.split == "train"
    )
    asked = [render(example) for example in told][:count]
    llm = LLM(Settings().llm)
    await sentences(llm, asked, False, 0.0, 0.0, 1)  # fills the server's cache
    for temperature, n in DRAWN:
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        said: dict[str, list[str]] = {}
        for _ in range(TIMES):
            for way, (once, penalty) in WAYS.items():
                begun = time.perf_counter()
                said[way] = await sentences(llm, asked, once, penalty, temperature, n)
                seconds[way].append(time.perf_counter() - begun)
        for way, texts in said.items():
            repeated = sum(map(guard.loops, texts))
            print(
                f"temperature {temperature}, {way}: {min(seconds[way]):.1f} s, {repeated} of {len(texts)} repeat a word"
            )
    await llm.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=512)
    asyncio.run(measure(parser.parse_args().inputs))


if __name__ == "__main__":
    main()
