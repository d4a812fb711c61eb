"""`hmd-removal train`: the networks' trainers on the command line."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("train", help="train a network on your own data")
    networks = parser.add_subparsers(dest="network", required=True, metavar="NETWORK")
    _add_landmarks(networks)
    _add_evi_hrnet(networks)


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
    parser.add_argument("--config", type=Path, required=True, help="recipe, as training/recipes/evi_aligned.json")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _evi_hrnet(args: argparse.Namespace) -> int:
    import torch

    from .evi_hrnet import read_recipe, train

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    written = train(args.takes, args.held_out, args.work, read_recipe(args.config), device, args.start)
    print(f"{written}: averaged weights; {args.work / 'log.csv'} and sheet.png: what was reached on the split val.")
    return 0
