"""`hmd-removal lab prepare-data`: footage made into what inpainting networks are trained on."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("prepare-data", help="cover clips and portraits with headsets, to train on")
    parser.set_defaults(run=_prepare)
    parser.add_argument("data", type=Path, help="folder of photos and clips; INDEX.tsv in it may name splits")
    parser.add_argument("out", type=Path, help="folder for the samples; a stopped run goes on from it")
    parser.add_argument("--split", default="train", help="train or val (default: %(default)s)")
    parser.add_argument("--size", type=int, default=256, help="side of the face crops in pixels (default: %(default)s)")
    parser.add_argument(
        "--variants", type=int, default=2, help="headsets for each piece of footage (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that work at once (default: %(default)s)")


def _prepare(args: argparse.Namespace) -> int:
    from ...errors import InputError
    from .prepare import Preparation, prepare

    if args.size < 64 or args.size % 4:
        raise InputError(f"Expected a size of at least 64 that 4 divides, got {args.size}.")
    if args.variants < 1:
        raise InputError(f"Expected at least one variant, got {args.variants}.")
    if args.workers < 1:
        raise InputError(f"Expected at least one worker, got {args.workers}.")
    store = prepare(args.data, args.out, args.split, Preparation(args.size, args.variants, workers=args.workers))
    frames = sum(int(store.about(name)["frames"]) for name in store.names())
    print(f"{args.out}: {len(store.names())} samples, {frames} frames. Left out: {args.out / 'left_out.txt'}")
    return 0
