"""`hmd-removal train`: the networks' trainers on the command line."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("train", help="train a network on your own data")
    networks = parser.add_subparsers(dest="network", required=True, metavar="NETWORK")
    _add_landmarks(networks)


def _add_landmarks(networks: argparse._SubParsersAction) -> None:
    parser = networks.add_parser("landmarks", help="the covered-face landmarker, on uncovered faces")
    parser.set_defaults(run=_landmarks)
    parser.add_argument("data", type=Path, help="folder of photos and clips; INDEX.tsv in it may name splits")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; a stopped run goes on from it")
    parser.add_argument("--steps", type=int, default=6000, help="of 64 samples (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples (default: %(default)s)")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu (default: the best there is)")


def _landmarks(args: argparse.Namespace) -> int:
    import torch

    from .landmarks import Recipe, train

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    written = train(args.data, args.work, Recipe(steps=args.steps, workers=args.workers, device=device))
    print(f"{written}: averaged weights; {args.work / 'log.csv'}: what was reached on the split val.")
    return 0
