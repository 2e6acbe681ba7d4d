"""The program that the embedded engine runs: vLLM's OpenAI server. Arguments are those of `vllm serve`.

    python -P agent/launcher.py [--plain] --model DIR --port 8765

vLLM by itself imports itself three to four times in turn: server, model inspection, engine core, worker. Here it is
imported once and the engine core is forked from that, with the worker inside. `--plain` leaves vLLM as it is;
agent/engine.py falls back on it. Measurements: docs/decisions/0002-embedded-engine.md. A script for a process of its own:
of ours, only the logits processors (agent/processors.py) come into it, when vLLM loads them by name.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What the engine core imports on its own otherwise, after the fork and so beyond what is shared.
_PRELOAD = (
    "vllm.v1.engine.core",
    "vllm.v1.executor.uniproc_executor",
    "vllm.v1.worker.cpu_worker",
    "vllm.model_executor.models.llama",
)
_PR_SET_PDEATHSIG = 1


def share_one_import() -> None:
    """Fork the engine core instead of spawning it, run the worker in it, and inspect the model class in this process.

    Sound because no OpenMP region has run before the fork (its threads would be missing in the child); vLLM forks like this
    by default where there is no accelerator it knows. Raises ImportError or AttributeError where vLLM is not built as we
    know it; nothing has been changed then.
    """
    platform: Any = importlib.import_module("vllm.platforms.cpu").CpuPlatform
    registry: Any = importlib.import_module("vllm.model_executor.models.registry")
    check = platform.check_and_update_config.__func__
    _ = registry._run_in_subprocess
    for name in _PRELOAD:
        importlib.import_module(name)

    libc = ctypes.CDLL(None)  # an engine core whose server was killed would keep the port and gigabytes
    os.register_at_fork(after_in_child=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))

    def check_then_fork(cls: Any, vllm_config: Any) -> None:
        check(cls, vllm_config)  # sets "spawn" and the multi-process executor
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
        vllm_config.parallel_config.distributed_executor_backend = "uni"

    def inspect_here(inspect: Callable[[], Any]) -> Any:
        return inspect()

    platform.check_and_update_config = classmethod(check_then_fork)
    registry._run_in_subprocess = inspect_here


def main() -> None:
    # For our logits processors; last, so that it hides nothing.
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    plain = "--plain" in sys.argv
    if plain:
        sys.argv.remove("--plain")
    gc.disable()  # a quarter of the import is spent looking for garbage that there is not
    if not plain:
        share_one_import()
    serve: Callable[[], None] = importlib.import_module("vllm.entrypoints.launchers.api_server.entry").main
    gc.freeze()  # nor need it be looked at ever again, which also leaves the memory shared with the forked process
    gc.enable()
    serve()


if __name__ == "__main__":
    main()
