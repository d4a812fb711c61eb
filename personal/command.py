"""`hmd-removal train personal`: a model of one person from their own video."""

import argparse
from pathlib import Path

from ..errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal train`."""
    kinds = parser.add_subparsers(dest="network", required=True, metavar="NETWORK")
    parser = kinds.add_parser(
        "personal",
        help="a model of one person, from a minute or two of their own video (networks for everybody: hmd-removal lab "
        "train)",
    )
    parser.set_defaults(run=_train)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="video of the person without a headset")
    parser.add_argument("--out", type=Path, required=True, help="file of the model; usable as soon as it is there")
    parser.add_argument(
        "--minutes", type=float, help="how long to train the paper's network (default: as the recipe says)"
    )
    parser.add_argument(
        "--recipe",
        default="fast",
        help="fast: where this person's features are, in a minute or two; paper: the paper's network, in hours; or a "
        "JSON file of other stages for that one (default: %(default)s)",
    )
    parser.add_argument(
        "--work", type=Path, help="folder for what a stopped run goes on from (default: beside the model's file)"
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="weights that the paper's network begins with (default: none)",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option --device, which `device_of` reads."""
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def device_of(args: argparse.Namespace) -> str:
    """The name of the device to calculate on."""
    from ..models.device import best_device

    return args.device or str(best_device())


def _train(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .enrolment import Enrolment
    from .person import described, recipe_named, train_person

    if args.minutes is not None and args.minutes <= 0:
        raise InputError(f"Expected a time in minutes over 0, got {args.minutes}.")
    recipe = recipe_named(args.recipe)
    if recipe is None and (args.minutes is not None or args.start is not None):
        raise InputError("--minutes and --start are for the paper's network: leave them out, or add --recipe paper.")
    work = args.work or args.out.with_name(f"{args.out.stem}_training")
    bars: dict[str, tqdm] = {}

    def progress(what: str, done: int, most: int) -> None:
        if what not in bars:
            bars[what] = tqdm(total=most, desc=what, unit="piece")
        bars[what].update(done - bars[what].n)

    run = train_person(
        args.clips,
        args.out,
        work,
        recipe,
        device_of(args),
        start=args.start,
        minutes=args.minutes,
        progress=progress,
        tick=lambda done: progress("training", round(1000 * done), 1000),
    )
    for news in run:
        if isinstance(news, Enrolment):
            enrolment = news
            print("\n".join((f"{work / 'enrolment.png'} shows what the footage holds.", *news.advice)))
        else:
            last = news
    print(described(enrolment, last, args.out))
    return 0
