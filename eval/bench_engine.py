"""How fast is a vLLM server, and what does it write? Prints one JSON document.

    python -m eval.bench_engine --base-url http://127.0.0.1:8765/v1
    python -m eval.bench_engine --rounds 3 --only decode prefill

Parts: `decode` (new tokens a second at 1, 16 and 64 requests at once), `prefill` (prompt tokens a second, nothing shared),
`fewshot` (our real use: a shared few-shot prefix, four samples each), `scoring` (how likely is a text: prompt
log-probabilities, forced text and single tokens behind a shared prefix), `texts` (greedy answers, to compare two kinds of
weights). Medians over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI

from agent.config import EMBEDDED_MODEL, EMBEDDED_PORT

SYSTEM = "You read what a person watched and say, in one short sentence, what they like."
EXAMPLES = (
    ("The Usual Suspects; Seven; The Game", "Likes a classic crime drama with a twist ending."),
    ("Toy Story; Finding Nemo; Up", "Likes warm animated adventures for the whole family."),
    ("Alien; The Thing; Event Horizon", "Likes tense science fiction horror in closed spaces."),
    ("Before Sunrise; Lost in Translation; Her", "Likes quiet romances carried by conversation."),
    ("The Matrix; Blade Runner; Ghost in the Shell", "Likes cyberpunk stories that question what is real."),
    ("Spirited Away; My Neighbor Totoro; Ponyo", "Likes hand-drawn fantasy films from Japan with gentle magic."),
)
SEGMENTS = (
    "Heat; The Town; Inside Man",
    "Airplane!; The Naked Gun; Hot Shots!",
    "Jaws; The Shallows; Open Water",
    "Gladiator; Braveheart; Spartacus",
    "Amelie; Chocolat; Midnight in Paris",
    "Rocky; Creed; Million Dollar Baby",
    "Saw; Hostel; The Collector",
    "Apollo 13; The Martian; Gravity",
    "Casablanca; The Maltese Falcon; The Big Sleep",
    "Die Hard; Speed; The Rock",
    "Pride and Prejudice; Emma; Sense and Sensibility",
    "Scream; Halloween; A Nightmare on Elm Street",
    "The Godfather; Goodfellas; Casino",
    "Planet Earth; March of the Penguins; Microcosmos",
    "The Lion King; Aladdin; Beauty and the Beast",
    "Unforgiven; Tombstone; The Good, the Bad and the Ugly",
    "Memento; Primer; Inception",
    "Superbad; The Hangover; Step Brothers",
    "Saving Private Ryan; Platoon; Full Metal Jacket",
    "Moonlight; Call Me by Your Name; Brokeback Mountain",
)
WORDS = (
    "river",
    "stone",
    "quiet",
    "market",
    "letter",
    "window",
    "garden",
    "story",
    "winter",
    "engine",
    "paper",
    "music",
)
PREFIX = [
    {"role": "system", "content": SYSTEM},
    *(
        message
        for watched, likes in EXAMPLES
        for message in ({"role": "user", "content": f"Watched: {watched}"}, {"role": "assistant", "content": likes})
    ),
]


@dataclass(frozen=True)
class Server:
    client: AsyncOpenAI
    model: str


Part = Callable[[Server, int], Awaitable[dict[str, Any]]]


def filler(seed: int, words: int) -> str:
    """Text that no other seed shares a prefix with; about 1.1 tokens a word."""
    step = seed % 11 + 1
    return f"{seed} " + " ".join(WORDS[(seed * 7 + i * step) % len(WORDS)] for i in range(words))


def messages(index: int) -> list[Any]:
    return [*PREFIX, {"role": "user", "content": f"Watched: {SEGMENTS[index % len(SEGMENTS)]}"}]


async def _together(calls: list[Awaitable[Any]]) -> tuple[list[Any], float]:
    began = time.perf_counter()
    answers = await asyncio.gather(*calls)
    return answers, time.perf_counter() - began


async def decode(server: Server, round_: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for width in (1, 16, 64):
        calls = [
            server.client.completions.create(
                model=server.model,
                prompt=filler(round_ * 1000 + width * 100 + i, 12),
                max_tokens=48,
                temperature=0,
                extra_body={"ignore_eos": True},
            )
            for i in range(width)
        ]
        answers, seconds = await _together(list(calls))
        result[f"tokens_per_s@{width}"] = sum(answer.usage.completion_tokens for answer in answers) / seconds
    return result


async def prefill(server: Server, round_: int) -> dict[str, Any]:
    calls = [
        server.client.completions.create(
            model=server.model, prompt=filler(round_ * 1000 + 500 + i, 450), max_tokens=1, temperature=0
        )
        for i in range(12)
    ]
    answers, seconds = await _together(list(calls))
    return {"tokens_per_s": sum(answer.usage.prompt_tokens for answer in answers) / seconds}


async def fewshot(server: Server, round_: int) -> dict[str, Any]:
    calls = [
        server.client.chat.completions.create(
            model=server.model,
            messages=[*messages(i)[:-1], {"role": "user", "content": f"Watched: {filler(round_ * 99 + i, 45)}"}],
            max_tokens=40,
            n=4,
            temperature=0.8,
            seed=i,
            logprobs=True,
        )
        for i in range(64)
    ]
    answers, seconds = await _together(list(calls))
    details = [answer.usage.prompt_tokens_details for answer in answers]
    return {
        "seconds": seconds,
        "tokens_per_s": sum(answer.usage.completion_tokens for answer in answers) / seconds,
        "prompt_tokens": sum(answer.usage.prompt_tokens for answer in answers),
        "cached_tokens": sum(detail.cached_tokens or 0 for detail in details if detail),
    }


async def scoring(server: Server, round_: int) -> dict[str, Any]:
    """Seconds for 64 continuations of 3 to 8 tokens after one context of about 300, in the three ways there are."""
    context = filler(round_, 280) + "\nNext:"
    titles = [f" {SEGMENTS[i % len(SEGMENTS)].split('; ')[0]}" for i in range(64)]

    def ask(prompt: str, max_tokens: int, **options: Any) -> Awaitable[Any]:
        return server.client.completions.create(
            model=server.model, prompt=prompt, max_tokens=max_tokens, temperature=0, logprobs=0, extra_body=options
        )

    await ask(context, 1)  # the context is cached from here on, for those that can use it
    _, single = await _together([ask(context + title, 1, logprob_token_ids=list(range(330, 350))) for title in titles])
    _, forced = await _together([ask(context, 32, vllm_xargs={"force": title}) for title in titles])
    _, prompt = await _together([ask(context + title, 1, prompt_logprobs=0) for title in titles])
    _, short = await _together([ask(filler(99 * i, 65) + titles[i], 1, prompt_logprobs=0) for i in range(64)])
    return {"single_token_s": single, "forced_s": forced, "prompt_logprobs_s": prompt, "prompt_logprobs_80_s": short}


async def texts(server: Server, round_: int) -> dict[str, Any]:
    calls = [
        server.client.chat.completions.create(
            model=server.model, messages=messages(i), max_tokens=40, temperature=0, seed=round_
        )
        for i in range(len(SEGMENTS))
    ]
    answers, _ = await _together(list(calls))
    return {SEGMENTS[i]: answer.choices[0].message.content for i, answer in enumerate(answers)}


PARTS: dict[str, Part] = {
    "decode": decode,
    "prefill": prefill,
    "fewshot": fewshot,
    "scoring": scoring,
    "texts": texts,
}


async def measure(base_url: str, model: str, parts: list[str], rounds: int) -> dict[str, Any]:
    """Medians over the rounds; one unmeasured request first, because the first one builds kernels."""
    result: dict[str, Any] = {}
    async with AsyncOpenAI(base_url=base_url, api_key="none", timeout=600, max_retries=0) as client:
        server = Server(client, model)
        await client.chat.completions.create(model=model, messages=messages(0), max_tokens=8)
        for name in parts:
            runs = [await PARTS[name](server, round_ + 1) for round_ in range(1 if name == "texts" else rounds)]
            result[name] = {key: _median([run[key] for run in runs]) for key in runs[0]}
    return result


def _median(values: list[Any]) -> Any:
    return values[0] if isinstance(values[0], str) else round(statistics.median(values), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default=f"http://127.0.0.1:{EMBEDDED_PORT}/v1")
    parser.add_argument("--model", default=EMBEDDED_MODEL)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    result = asyncio.run(measure(given.base_url, given.model, given.only, given.rounds))
    report = {"base_url": given.base_url, "model": given.model, **result}
    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
