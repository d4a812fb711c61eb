"""`hmd-removal weights list | fetch | verify | publish`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import weights
from ..errors import InputError
from .manifest import Weight, find_weight, manifest
from .publish import publication, publish

NAMES_HELP = (
    "names from `weights list` (default: all but i3d, which is large, and mtcnn and dlib_68, which are not for "
    "commercial use)"
)


@dataclass(frozen=True)
class WeightState:
    """One row and its file here: `path` is None when the right bytes are not on this machine, and `problems`
    then says why, with one clause for each wrong file."""

    weight: Weight
    path: Path | None
    problems: tuple[str, ...]


def list_weights() -> list[WeightState]:
    """Every row of the manifest, with its verified file if it is on this machine."""
    return [_state(weight, remembered=True) for weight in manifest().values()]


def verify_weights(names: Sequence[str] = ()) -> list[WeightState]:
    """Read the named files (by default all but those on request) from end to end and compare their sha256."""
    return [_state(weight, remembered=False) for weight in _rows(names)]


def fetch_weights(names: Sequence[str] = ()) -> list[WeightState]:
    """Get the named files (by default all but those on request) from wherever they can be had."""
    return [_fetch(weight) for weight in _rows(names)]


def render(states: Sequence[WeightState]) -> str:
    """A text table of the states, with what is wrong below it."""
    lines = [("name", "MB", "licence", "file")]
    for state in states:
        weight = state.weight
        lines.append((weight.name, f"{weight.bytes / 1e6:.1f}", weight.licence, str(state.path or "missing")))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = [f"{state.weight.name}: {problem}" for state in states for problem in state.problems]
    return "\n".join(table + notes)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal weights`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every weight file: size, licence and where it is on this machine")
    for action, text in (("fetch", "get weight files"), ("verify", "read weight files and compare sha256")):
        names = actions.add_parser(action, help=text)
        names.add_argument("names", nargs="*", metavar="NAME", help=NAMES_HELP)
    upload = actions.add_parser("publish", help="put weight files and their model cards on the Hugging Face Hub")
    upload.add_argument("names", nargs="*", metavar="NAME", help=NAMES_HELP)
    upload.add_argument("--repo", help="repository, OWNER/NAME (default: the manifest's)")
    upload.add_argument("--dry-run", action="store_true", help="only say what would be uploaded")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the parsed action, print the table and return the exit code: 1 if fetch or verify lacks a file."""
    if args.action == "publish":
        what = publication(args.names, repo_id=args.repo)
        print(what)
        if not args.dry_run:
            print(f"Published as revision {publish(what)}, which weights_manifest.json now names.")
        return 0
    if args.action == "list":
        states = list_weights()
    elif args.action == "fetch":
        states = fetch_weights(args.names)
    else:
        states = verify_weights(args.names)
    print(render(states))
    return int(args.action != "list" and any(state.path is None for state in states))


def _rows(names: Sequence[str]) -> list[Weight]:
    return [find_weight(name) for name in names] or [row for row in manifest().values() if not row.on_request]


def _state(weight: Weight, *, remembered: bool) -> WeightState:
    problems: list[str] = []
    path = weights.find_offline(weight, problems, remembered=remembered)
    return WeightState(weight, path, tuple(problems))


def _fetch(weight: Weight) -> WeightState:
    try:
        return WeightState(weight, weights.fetch(weight), ())
    except InputError as error:
        return WeightState(weight, None, (str(error),))
