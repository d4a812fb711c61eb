"""`hmd-removal lab plots`: the pictures of docs/evaluation, from its tables."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("plots", help="draw the plots of docs/evaluation anew, from the tables there")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of tables, docs/evaluation")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from .plots import PLOTS, draw

    for plot in PLOTS:
        print(draw(plot, args.folder))
    return 0
