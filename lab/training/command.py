"""`hmd-removal lab train` and `lab curves`: the trainers of the shared networks, and what they reached."""

import argparse
from dataclasses import replace
from pathlib import Path

from ...personal.command import add_device, device_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("train", help="train a network that is for everybody")
    networks = parser.add_subparsers(dest="network", required=True, metavar="NETWORK")
    _add_landmarks(networks)
    _add_head_finder(networks)
    _add_generator(networks)
    _add_evi_hrnet(networks)
    _add_compared(networks)
    _add_linear_face(networks)
    _add_face_shapes(networks)
    _add_curves(commands)


def _add_landmarks(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("landmarks", help="the covered-face landmarker, on uncovered faces")
    parser.set_defaults(run=_landmarks)
    parser.add_argument("data", type=Path, help="folder of photos and clips; INDEX.tsv in it may name splits")
    _add_work(parser)
    parser.add_argument("--minutes", type=float, default=0.0, help="how long to train, in place of --steps")
    parser.add_argument("--steps", type=int, default=6000, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=64, help="samples a step (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument("--start", type=Path, help="weights to go on from, for other data or longer training")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples (default: %(default)s)")


def _landmarks(args: argparse.Namespace) -> int:
    from .landmarks import Recipe, train

    recipe = Recipe(
        steps=args.steps,
        batch=args.batch,
        rate=args.rate,
        workers=args.workers,
        device=device_of(args),
        minutes=args.minutes,
    )
    written = train(args.data, args.work, recipe, args.start)
    print(f"{written}: averaged weights; {args.work / 'log.csv'}: what was reached on the split val.")
    return 0


def _add_head_finder(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("head-finder", help="the head finder, on what the landmarker learns from")
    parser.set_defaults(run=_head_finder)
    parser.add_argument("data", type=Path, help="folder of photos and clips; INDEX.tsv in it may name splits")
    _add_work(parser)
    parser.add_argument("--steps", type=int, default=3000, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=32, help="samples a step (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples (default: %(default)s)")


def _head_finder(args: argparse.Namespace) -> int:
    from .head_finder import Recipe, train

    recipe = Recipe(steps=args.steps, batch=args.batch, workers=args.workers, device=device_of(args))
    written = train(args.data, args.work, recipe)
    folder = written.parent
    print(f"{written}: averaged weights; {folder / 'log.csv'}: what was reached on the split val.")
    return 0


def _add_generator(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("generator", help="the aligned generator, on photos of one person on unlike days")
    parser.set_defaults(run=_generator)
    parser.add_argument("data", type=Path, help="folder of photos and clips whose INDEX.tsv names persons and sessions")
    _add_work(parser)
    parser.add_argument("--minutes", type=float, help="how long to train, in place of --steps")
    parser.add_argument("--steps", type=int, default=20000, help="default: %(default)s")
    parser.add_argument(
        "--batch", type=int, default=24, help="samples a step, three frames each (default: %(default)s)"
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples (default: %(default)s)")
    parser.add_argument("--check-every", type=int, default=1000, metavar="STEPS", help="default: %(default)s")
    parser.add_argument(
        "--landmarker", type=Path, help="weights of the covered-face landmarker, if not the shipped ones"
    )
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="PARTS",
        help="train another network beside it "
        "on the same samples, without attention, shift, displacement, tint or drawing; may be repeated",
    )


def _generator(args: argparse.Namespace) -> int:
    from ..generator.train import train
    from ..generator.trainer import GeneratorRecipe

    whole = GeneratorRecipe(steps=args.steps, batch=args.batch, rate=args.rate, check_every=args.check_every)
    recipes = [whole, *(replace(whole, without=parts) for parts in args.without)]
    options = {name: getattr(args, name) for name in ("landmarker", "start", "minutes", "workers")}
    for written in train(args.data, args.work, recipes, device_of(args), **options):
        _say_what_was_written(written, written.parent)
    return 0


def _add_evi_hrnet(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("evi-hrnet", help="EVI-HRnet, on what prepare-data made")
    parser.set_defaults(run=_evi_hrnet)
    _add_samples(parser, "lab/recipes/evi_paper.json")
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")


def _evi_hrnet(args: argparse.Namespace) -> int:
    from .evi_hrnet import read_recipe, train

    recipe = read_recipe(args.config)
    written = train(args.takes, args.held_out, args.work, recipe, device_of(args), args.start)
    _say_what_was_written(written, args.work)
    return 0


def _add_compared(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("compared", help="what EVI-HRnet is compared with: LGTSM, CombCN or LaFIn")
    parser.set_defaults(run=_compared)
    _add_samples(parser, "lab/recipes/lgtsm.json, combcn.json or lafin.json")


def _compared(args: argparse.Namespace) -> int:
    from .compared import read_recipe, train

    written = train(args.takes, args.held_out, args.work, read_recipe(args.config), device_of(args))
    _say_what_was_written(written, args.work)
    return 0


def _add_linear_face(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("linear-face", help="how the upper face moves with eyes and brows, from filmed people")
    parser.set_defaults(run=_linear_face)
    parser.add_argument("data", type=Path, help="folder of clips; INDEX.tsv in it may name persons and splits")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--frames", type=int, default=150, help="of each person, about (default: %(default)s)")


def _linear_face(args: argparse.Namespace) -> int:
    from ..driving.linear_face import train

    face = train(args.data, args.out, args.frames)
    print(
        f"{args.out}: of all that the lids move the upper one does {face.upper_share:.2f}; both follow the eye by "
        f"{face.lids_follow:.2f} cm a radian."
    )
    return 0


def _add_face_shapes(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("face-shapes", help="what faces do, as a sum of shapes, from filmed people")
    parser.set_defaults(run=_face_shapes)
    parser.add_argument("data", type=Path, help="folder of clips; INDEX.tsv in it may name persons and splits")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--frames", type=int, default=240, help="of each person, about (default: %(default)s)")
    parser.add_argument("--count", type=int, default=32, help="how many shapes (default: %(default)s)")


def _face_shapes(args: argparse.Namespace) -> int:
    from ..driving.face_shapes import train

    learnt = train(args.data, args.out, args.frames, args.count)
    print(f"{args.out}: points of people of split val move by {learnt.whole:.3f} cm; {learnt.rest:.3f} of it is left.")
    return 0


def _add_samples(parser: argparse.ArgumentParser, example: str) -> None:
    """What the trainings on samples of prepare-data have in common."""
    parser.add_argument("takes", type=Path, metavar="SAMPLES", help="folder of samples of the split train")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of samples of the split val")
    parser.add_argument("--config", type=Path, required=True, help=f"recipe, as {example}")
    _add_work(parser)


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    add_device(parser)


def _say_what_was_written(weights: Path, work: Path) -> None:
    print(f"{weights}: averaged weights; {work / 'log.csv'} and sheet.png: what was reached on the split val.")


def _add_curves(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("curves", help="what trainings have reached so far, as a picture")
    parser.set_defaults(run=_curves)
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="log.csv of a run")
    parser.add_argument("--name", action="append", help="of a run, as often as there are (default: its folder's)")
    parser.add_argument("--over", choices=("step", "minutes"), default="step", help="default: %(default)s")
    parser.add_argument("--only", action="append", default=[], metavar="COLUMN", help="may be repeated (default: all)")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")


def _curves(args: argparse.Namespace) -> int:
    from ...errors import InputError
    from ...files import write_png
    from .curves import plot_logs, read_log

    names = args.name or [log.resolve().parent.name for log in args.logs]
    if len(set(names)) != len(args.logs):
        raise InputError(f"Expected another name for each of {len(args.logs)} runs, got {', '.join(names)}.")
    logs = {name: read_log(log) for name, log in zip(names, args.logs, strict=True)}
    write_png(args.out, plot_logs(logs, over=args.over, only=args.only))
    return 0
