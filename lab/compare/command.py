"""`hmd-removal lab compare`: systems trained alike and measured alike, as a table."""

import argparse
from dataclasses import replace
from pathlib import Path

from ...errors import InputError
from ...personal.command import add_device, device_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "compare", help="train and evaluate systems on the same terms, as far as that is missing, and write the table"
    )
    parser.set_defaults(run=_compare)
    parser.add_argument(
        "clips", nargs="*", type=Path, metavar="CLIP", help="uncovered faces (default: the config's, or the people's)"
    )
    parser.add_argument("--config", type=Path, required=True, help="as lab/recipes/table1.json")
    parser.add_argument("--takes", type=Path, help="folder of samples of the split train (default: the config's)")
    parser.add_argument("--held-out", type=Path, help="folder of samples of the split val (default: the config's)")
    parser.add_argument(
        "--people", type=Path, help="JSON file of whose video is whose, for personal models (default: the config's)"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--steps", type=int, help="of each training (default: the config's budget)")
    budget.add_argument("--minutes", type=float, help="of each training, instead of steps")
    parser.add_argument(
        "--work", type=Path, help="keeps trainings and evaluations, to go on from (default: out/ and the config's name)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/evaluation"), help="folder for the table (default: %(default)s)"
    )
    parser.add_argument(
        "--no-networks", action="store_true", help="leave out what needs networks to measure, and Frechet distances"
    )
    add_device(parser)


def _compare(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..evaluation.people import read_people
    from .benchmark import Data, compare
    from .config import Budget, read_config
    from .report import check_plots, write_report

    check_plots()
    own = args.steps is not None or args.minutes is not None
    config = read_config(args.config, Budget(args.steps, args.minutes) if own else None)
    if args.no_networks:
        less = {name: replace(p, networks=False, frechet=False) for name, p in config.protocols.items()}
        config = replace(config, protocols=less)
    takes, held_out = args.takes or config.takes, args.held_out or config.held_out
    people = config.people if args.people is None else read_people(args.people)
    clips = args.clips or config.clips or [clip for person in people.values() for clip in person.clips]
    trains = any(system.recipe is not None and system.method != "personal" for system in config.systems)
    if not clips or (trains and (takes is None or held_out is None)):
        raise InputError(
            "Expected clips, and --takes and --held-out, folders of prepare-data, in the command or in the config; "
            "--people has clips too."
        )
    data = Data(takes, held_out, clips, args.work or Path("out") / config.name, people)
    comparison = compare(config, data, device_of(args), tqdm.write)
    print(f"{write_report(comparison, args.out)}: the table, beside it CSV, JSON, plots and sheets.")
    return 1 if comparison.failed else 0
