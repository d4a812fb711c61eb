"""The local cache of weight files: where it is, what has been verified in it, and how files get in whole."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import written_whole
from .manifest import Weight

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """HMD_REMOVAL_CACHE if it is set, else ~/.cache/hmd-removal."""
    return Path(os.environ.get("HMD_REMOVAL_CACHE") or Path.home() / ".cache" / "hmd-removal").expanduser()


def cached_file(weight: Weight) -> Path:
    """Where the cache keeps `weight`: by content, so that versions of a file never overwrite each other."""
    return cache_folder() / weight.sha256[:16] / weight.file


def sha256_of(path: Path, *, remembered: bool = True) -> str:
    """The file's sha256 in hex. A file whose size and mtime are those of the last look is not read again
    unless `remembered` is False."""
    memory = _read_memory()
    status = path.stat()
    seen = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    entry = memory.get(str(path.absolute()), {})
    if remembered and all(entry.get(key) == value for key, value in seen.items()):
        return entry["sha256"]
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    memory[str(path.absolute())] = {**seen, "sha256": digest.hexdigest()}
    try:
        _write_atomically(_memory_file(), json.dumps(memory, indent=1).encode())
    except OSError as error:
        # A cache that can't be written costs a second look next time, nothing more.
        log.debug("verification not remembered: %s", error)
    return digest.hexdigest()


def store(weight: Weight, data: bytes) -> Path:
    """Write verified bytes into the cache and return the path; a wrong file already there is set aside.

    Raises:
        InputError: the cache folder can't be written.
    """
    path = cached_file(weight)
    with writing(path):
        if path.is_file():
            set_aside(path, "damaged")
        _write_atomically(path, data)
    return path


def set_aside(path: Path, why: str) -> Path:
    """Rename a file that is not what it should be, so that nothing of the user's is ever deleted."""
    aside = path.with_name(f"{path.name}.{why}-{sha256_of(path)[:12]}")
    os.replace(path, aside)
    return aside


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write `path` into a sentence for the user."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"The weights can't be written to {path} ({error.strerror or error}): "
            "free space there, or set HMD_REMOVAL_CACHE to a folder that can be written."
        ) from error


def _memory_file() -> Path:
    return cache_folder() / "verified.json"


def _read_memory() -> dict[str, Any]:
    try:
        return json.loads(_memory_file().read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        # Nothing verified yet, or not by us: every file is simply looked at again.
        return {}


def _write_atomically(path: Path, data: bytes) -> None:
    with written_whole(path) as partial:
        partial.write_bytes(data)
