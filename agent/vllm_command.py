"""How vLLM is run here: its options and environment. Measurements behind each: docs/decisions/0002-embedded-engine.md."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from agent import host, launcher
from agent.config import BASE_MODEL, EMBEDDED_MODEL, Settings
from agent.errors import EngineError, WeightsError
from agent.weights import model_dir, prepare, verify

HOST = "127.0.0.1"
_BLOCK_SIZE = 32  # tokens; the CPU default of 128 leaves a shared prompt below that length uncached
_WORK_GIB = 2.0  # the process beside its key-value cache: weights, kernels, the logits of a step

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Launch:
    """What to execute, and its whole environment."""

    command: list[str]
    env: dict[str, str]


def plan_vllm(settings: Settings, progress: Progress) -> list[Launch]:
    """Check the machine, see to the weights, and build the vLLM commands: the quick one, then the plain one.

    Raises EngineError for an unfit machine and WeightsError for the weights.
    """
    _check_cpu()
    _check_memory(settings.engine.kv_cache_gib)
    arguments = _arguments(settings, _model(settings, progress))
    # -P keeps agent/ itself off sys.path, where config.py and errors.py could pass for other people's modules.
    program = [sys.executable, "-P", str(Path(launcher.__file__))]
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    env = _environment(settings, cores)
    return [
        Launch([*program, *arguments], {**env, **_openmp(cores)}),
        Launch([*program, "--plain", *arguments], env),
    ]


def _arguments(settings: Settings, model: Path) -> list[str]:
    engine = settings.engine
    options = {
        "model": str(model),
        "served-model-name": settings.llm.model,
        "host": HOST,
        "port": str(engine.port),
        "dtype": _dtype(engine.weights, host.cpu_flags()),
        "max-model-len": str(engine.max_model_len),
        "max-num-seqs": str(engine.max_num_seqs),
        # On the CPU a seeded request whose prompt is processed in parts kills the engine ("CPU Generator does not use
        # offset"). So prompts are never cut (see the flags), and a step has room for the longest.
        "max-num-batched-tokens": str(max(engine.max_model_len, engine.max_num_seqs)),
        "block-size": str(_BLOCK_SIZE),
        "kv-cache-memory-bytes": str(int(engine.kv_cache_gib * 2**30)),
        "generation-config": "vllm",  # sampling is decided by our requests alone
        "allowed-origins": "[]",  # vLLM would let every web page that is open on this machine use it
        "structured-outputs-config": json.dumps({"backend": "xgrammar", "disable_any_whitespace": True}),
    }
    processors = "--logits-processors agent.processors:Forcing agent.processors:Once"
    flags = "--no-enable-chunked-prefill --enforce-eager --enable-prompt-tokens-details --disable-uvicorn-access-log"
    valued = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [*valued, *processors.split(), *flags.split()]


def _dtype(weights: str, cpu_flags: Collection[str]) -> str:
    """Of activations and of what is not int8. bfloat16 is slow where the CPU lacks it; where it has matrix tiles (AMX), vLLM
    multiplies int8 with a kernel that takes nothing wider, and dies of the first request."""
    return "bfloat16" if weights == "w8a8" and "amx_int8" in cpu_flags else "float32"


def _environment(settings: Settings, cores: list[str]) -> dict[str, str]:
    return {
        "VLLM_CACHE_ROOT": str(settings.home.resolve() / "cache" / "vllm"),
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(cores),  # "auto" keeps a core back: half of a small machine
    }


def _openmp(cores: list[str]) -> dict[str, str]:
    """What vLLM sets for the worker process that the quick way does not have: torch's OpenMP, one thread pinned to each core.

    Unpinned, decoding falls to a third as soon as anything else runs on the machine: threads that wait for each other in a
    spin meet on one core.
    """
    preloaded = os.environ.get("LD_PRELOAD", "")
    spec = importlib.util.find_spec("torch")
    if "omp" in preloaded or spec is None or spec.origin is None:
        return {}
    found = sorted((Path(spec.origin).parent / "lib").glob("libgomp*.so*"))
    if not found:
        return {}
    return {
        "LD_PRELOAD": ":".join(part for part in (preloaded, str(found[0])) if part),
        "OMP_NUM_THREADS": str(len(cores)),
        "GOMP_CPU_AFFINITY": " ".join(cores),
    }


def _model(settings: Settings, progress: Progress) -> Path:
    if settings.llm.model in (EMBEDDED_MODEL, BASE_MODEL):
        return prepare(settings.home, settings.engine.weights, settings.llm.model, progress=progress)
    tuned = model_dir(settings.home, settings.engine.weights, settings.llm.model)
    if not tuned.is_dir():
        raise WeightsError(
            f"no weights named {tuned.name!r} in {tuned.parent}", hint="train them with `leitmotif tune`"
        )
    problems = verify(tuned)
    if problems:
        raise WeightsError(f"the weights {tuned.name!r} are damaged: {problems[0]}", hint="run `leitmotif tune` again")
    return tuned


def _check_cpu() -> None:
    """vLLM's x86 kernels need AVX2 (AVX-512 makes them fast); without it the server dies with an illegal instruction."""
    if platform.system() != "Linux":
        raise EngineError("the embedded engine runs on Linux only", hint="set llm.base_url to a server of yours")
    if platform.machine() == "x86_64" and " avx2 " not in Path("/proc/cpuinfo").read_text("utf-8"):
        raise EngineError("this CPU lacks AVX2, which vLLM needs", hint="set llm.base_url to a server of yours")


def _check_memory(kv_cache_gib: float) -> None:
    free, needed = _available_gib(), kv_cache_gib + _WORK_GIB
    if free < needed:
        raise EngineError(
            f"not enough memory for the engine: {free:.1f} GiB free, {needed:.1f} GiB needed",
            hint="lower engine.kv_cache_gib (0.5 still works), or end other programs",
        )


def _available_gib() -> float:
    """What the kernel says could be had without swapping. A container with a lower limit finds out later, from the log."""
    line = next(
        line for line in Path("/proc/meminfo").read_text("utf-8").splitlines() if line.startswith("MemAvailable")
    )
    return int(line.split()[1]) / 2**20
