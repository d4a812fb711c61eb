"""`hmd-removal lab eyes-sheet`: eyes as they are moved, to be looked at."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("eyes-sheet", help="a contact sheet of lids, brows and gaze, moved in photos")
    parser.set_defaults(run=_sheet)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="of uncovered faces")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")


def _sheet(args: argparse.Namespace) -> int:
    from ...files import write_png
    from ...tracking.enrol import load_reference
    from .eyes_sheet import eyes_sheet

    write_png(args.out, eyes_sheet([load_reference(photo) for photo in args.photos]))
    return 0
