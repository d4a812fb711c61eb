"""`hmd-removal queue`: every clip of a folder or table through a workflow on one or many ComfyUI servers."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath

from ..batch.clips import Clip, clips_in
from ..batch.outcome import as_json, table
from ..errors import InputError
from ..files import write_json

LOCAL = "http://127.0.0.1:8188"  # where ComfyUI listens unless told otherwise
FOOTAGE, NAMES = "footage", "name"  # columns of a table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal queue`."""
    parser.set_defaults(run=_queue)
    parser.add_argument("workflow", type=Path, help="in API format: in ComfyUI, Workflow > Export (API)")
    parser.add_argument(
        "source",
        type=Path,
        metavar="FOLDER|CSV",
        help=f"a folder of clips, with the folders below it; or a table with a column {FOOTAGE} and others as you like",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the results, in which nothing is overwritten (default: FOLDER_restored); beside it lie a "
        "journal (.jsonl), with which the same command goes on after it was stopped, and the table of results (.json)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NODE.INPUT=VALUE",
        help="set an input of the workflow. {clip} stands for the clip, {name} for its name, {reference} for what the "
        "table's column reference says, and so on. Local files are uploaded, but to text fields. Without a {clip} the "
        "clip goes to the one node that loads a video",
    )
    parser.add_argument(
        "--server", action="append", metavar="URL", help=f"of a ComfyUI; may be given many times (default: {LOCAL})"
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME: VALUE",
        help="sent to every server, such as 'Authorization: Bearer ...'; never shown",
    )


def _queue(args: argparse.Namespace) -> int:
    import asyncio

    try:
        from .client import public_url
        from .journal import Journal
        from .queue import ComfyQueue
        from .terminal import Bars
    except ModuleNotFoundError as error:
        if error.name not in ("aiohttp", "filelock"):
            raise
        raise InputError("To talk to ComfyUI two packages are missing: pip install 'hmd-removal[queue]'.") from error
    from .workflow import CLIP, NAME, Setting, check_settings, read_workflow

    workflow = read_workflow(args.workflow)
    settings = [Setting.parse(text) for text in args.set]
    source = args.source.resolve()
    out = (args.out or source.with_name(f"{source.name if source.is_dir() else source.stem}_restored")).resolve()
    clips = clips_of(source, out)
    check_settings(workflow, settings, [CLIP, NAME, *clips[0][1]])
    servers = list(dict.fromkeys(map(_checked_url, args.server or [LOCAL])))
    headers = dict(map(_header, args.header))
    run = {
        "workflow": hashlib.sha256(json.dumps(workflow, sort_keys=True).encode()).hexdigest(),
        "settings (--set)": " ".join(args.set),
        "folder or table": str(source),
    }
    with (
        Journal(out.with_name(f"{out.name}.jsonl"), run) as journal,
        Bars([public_url(server) for server in servers], len(clips)) as bars,
    ):
        queue = ComfyQueue(workflow, settings, servers, out, journal, headers, bars)
        try:
            outcomes = asyncio.run(queue.run(clips))
        except KeyboardInterrupt:
            print("What ran on the servers was cancelled. The same command goes on from here.", file=sys.stderr)
            raise
        except OSError as error:
            raise InputError(
                f"Files cannot be read or written: {error}. The same command goes on from here."
            ) from error
    write_json(out.with_name(f"{out.name}.json"), as_json(outcomes))
    print(table(outcomes))
    return int(any(outcome.result is None for outcome in outcomes))


def clips_of(source: Path, out: Path) -> list[tuple[Clip, dict[str, str]]]:
    """The clips of a folder or a table, each with the values of the table's columns, in which files are absolute paths.

    out: folder for the results, whose content is no clip. Raises InputError.
    """
    if source.is_dir():
        return [(clip, {}) for clip in clips_in(source, out)]
    if not source.is_file():
        raise InputError(f"Expected a folder of clips or a CSV table, but {source} does not exist.")
    with source.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        # Spreadsheets separate by semicolons where the comma is the decimal point.
        rows = list(csv.DictReader(file, delimiter=max(",;\t", key=first.count)))
    if not rows or not rows[0].get(FOOTAGE):
        raise InputError(f"Expected a table with a column {FOOTAGE!r} and at least one row, got {source}.")
    clips = [_row(row, source) for row in rows]
    names = [clip.name for clip, _ in clips]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"Two rows of {source} have the name {twice!r}: give each result a name of its own in a column {NAMES!r}."
        )
    folders = {parent.as_posix() for name in names for parent in PurePath(name).parents}
    if inside := next((name for name in names if name in folders), None):
        raise InputError(
            f"In {source} {inside!r} is the name of a result and of a folder of results: change one of them."
        )
    return clips


def _row(row: Mapping[str, str | None], table: Path) -> tuple[Clip, dict[str, str]]:
    values = {column: _absolute(value or "", table.parent) for column, value in row.items() if column is not None}
    footage = Path(values.pop(FOOTAGE))
    if not footage.is_file():
        raise InputError(f"The footage {footage} of {table} does not exist.")
    name = PurePath(values.pop(NAMES, "") or footage.stem)
    if name.is_absolute() or ".." in name.parts:
        raise InputError(f"The name {str(name)!r} in {table} leads out of the folder of results.")
    return Clip(footage, name.as_posix()), values


def _absolute(value: str, folder: Path) -> str:
    path = os.path.join(folder, value)
    return os.path.abspath(path) if value and os.path.isfile(path) else value


def _checked_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise InputError(f"Expected the URL of a ComfyUI, such as {LOCAL}, got {url!r}.")
    return url.rstrip("/")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise InputError("Expected --header 'NAME: VALUE', got one without a colon.")
    return name.strip(), value.strip()
