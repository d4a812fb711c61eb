"""`hmd-removal train`: the networks' trainers on the command line."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("train", help="train a network on your own data")
    networks = parser.add_subparsers(dest="network", required=True, metavar="NETWORK")
    _add_landmarks(networks)
    _add_evi_hrnet(networks)
    _add_compared(networks)
    _add_personal(networks)
    _add_personal_generic(networks)
    _add_curves(networks)


def _add_landmarks(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("landmarks", help="the covered-face landmarker, on uncovered faces")
    parser.set_defaults(run=_landmarks)
    parser.add_argument("data", type=Path, help="folder of photos and clips; INDEX.tsv in it may name splits")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    parser.add_argument("--steps", type=int, default=6000, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=64, help="samples a step (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument("--start", type=Path, help="weights to go on from, for other data or longer training")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples (default: %(default)s)")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _landmarks(args: argparse.Namespace) -> int:
    import torch

    from .landmarks import Recipe, train

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    recipe = Recipe(steps=args.steps, batch=args.batch, rate=args.rate, workers=args.workers, device=device)
    written = train(args.data, args.work, recipe, args.start)
    print(f"{written}: averaged weights; {args.work / 'log.csv'}: what was reached on the split val.")
    return 0


def _add_evi_hrnet(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("evi-hrnet", help="EVI-HRnet, on what prepare-data made")
    parser.set_defaults(run=_evi_hrnet)
    parser.add_argument("takes", type=Path, help="folder of takes of the split train")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of takes of the split val")
    parser.add_argument("--config", type=Path, required=True, help="recipe, as lab/recipes/evi_aligned.json")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")
    parser.add_argument(
        "--expression", type=Path, help="TorchScript file of the classifier for the FER loss (default: face-api's)"
    )
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _evi_hrnet(args: argparse.Namespace) -> int:
    import torch

    from ..networks.face_expression import SuppliedExpression
    from .evi_hrnet import read_recipe, train

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    expression = None if args.expression is None else SuppliedExpression(args.expression)
    recipe = read_recipe(args.config)
    written = train(args.takes, args.held_out, args.work, recipe, device, args.start, expression)
    print(f"{written}: averaged weights; {args.work / 'log.csv'} and sheet.png: what was reached on the split val.")
    return 0


def _add_compared(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("compared", help="what EVI-HRnet is compared with: LGTSM, CombCN or LaFIn")
    parser.set_defaults(run=_compared)
    parser.add_argument("takes", type=Path, help="folder of takes of the split train")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of takes of the split val")
    parser.add_argument(
        "--config", type=Path, required=True, help="recipe, as lab/recipes/lgtsm.json, combcn.json or lafin.json"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _compared(args: argparse.Namespace) -> int:
    import torch

    from .compared import read_recipe, train

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    written = train(args.takes, args.held_out, args.work, read_recipe(args.config), device)
    print(f"{written}: averaged weights; {args.work / 'log.csv'} and sheet.png: what was reached on the split val.")
    return 0


def _add_personal(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("personal", help="a model of one person, on a minute or two of their own video")
    parser.set_defaults(run=_personal)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="video of the person without a headset")
    parser.add_argument("--out", type=Path, required=True, help="file of the model; usable as soon as it is there")
    parser.add_argument("--minutes", type=float, help="how long to train (default: as the recipe says)")
    parser.add_argument("--recipe", default="fast", help="fast, paper, or a JSON file (default: %(default)s)")
    parser.add_argument(
        "--work", type=Path, help="folder for what a stopped run goes on from (default: beside the model's file)"
    )
    parser.add_argument("--start", type=Path, help="weights to begin with (default: the pack's own)")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _personal(args: argparse.Namespace) -> int:
    import torch
    from tqdm import tqdm

    from ...errors import InputError
    from ...personal.enrolment import Enrolment
    from ...personal.person import described, train_person
    from ...personal.recipe import RECIPES, read_recipe

    if args.minutes is not None and args.minutes <= 0:
        raise InputError(f"Expected a time in minutes over 0, got {args.minutes}.")
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    work = args.work or args.out.with_name(f"{args.out.stem}_training")
    bars: dict[str, tqdm] = {}

    def progress(what: str, done: int, most: int) -> None:
        bar = bars.setdefault(what, tqdm(total=most, desc=what, unit="piece"))
        bar.update(done - bar.n)

    recipe = read_recipe(RECIPES.get(args.recipe, Path(args.recipe)))
    run = train_person(
        args.clips, args.out, work, recipe, device, start=args.start, minutes=args.minutes, progress=progress
    )
    for news in run:
        if isinstance(news, Enrolment):
            enrolment = news
            print("\n".join((f"{work / 'enrolment.png'} shows what the footage holds.", *news.advice)))
        else:
            last = news
    print(described(enrolment, last, args.out))
    return 0


def _add_personal_generic(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser(
        "personal-generic", help="what all personal models begin with, on takes of many people"
    )
    parser.set_defaults(run=_personal_generic)
    parser.add_argument("takes", type=Path, help="folder of takes of the split train, made by prepare-data")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of takes of the split val")
    parser.add_argument("--config", type=Path, required=True, help="recipe, as lab/recipes/personal_generic.json")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _personal_generic(args: argparse.Namespace) -> int:
    import torch

    from ...personal.person import start_from
    from ...personal.recipe import read_recipe
    from ...personal.trainer import train

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    start = None if args.start is None else start_from(args.start)
    for _ in train(args.takes, args.held_out, args.work, read_recipe(args.config), device, start=start):
        pass
    print(f"{args.work / 'personal.safetensors'}: the best weights; log.csv and sheet.png: what was reached.")
    return 0


def _add_curves(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("curves", help="what runs have reached so far, as a picture")
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
