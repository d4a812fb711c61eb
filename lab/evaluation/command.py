"""`hmd-removal lab evaluate`: headsets drawn on clips, removed again, and the results scored."""

import argparse
from pathlib import Path

from ...errors import InputError
from ...headset.draw import HEADSETS
from ...personal.command import add_device
from ...restore.registry import BASELINES
from ..compare.registry import COMPARED, METHODS, weights_by_method

DEFAULT_METHODS = (*BASELINES, "warp", "evi-hrnet")


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="simulate a headset on clips, remove it, and score the result")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    parser.add_argument(
        "--other-day",
        type=Path,
        metavar="DATA",
        help="in place of clips: pairs of photographs of one person from unlike sessions, by DATA/INDEX.tsv",
    )
    parser.add_argument("--split", default="val", help="of --other-day (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=2, help="of each person, at most (default: %(default)s)")
    parser.add_argument(
        "--method",
        action="append",
        help=f"{', '.join(METHODS)}; may be repeated (default: {', '.join(DEFAULT_METHODS)})",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[METHOD=]FILE",
        help="safetensors file of a method's network, of evi-hrnet's (default: the one that is shipped) if no method "
        f"is named; {', '.join(COMPARED)} need one, see lab train compared; may be repeated",
    )
    parser.add_argument("--personal", type=Path, help="file of a personal model, which brings pictures of the person")
    parser.add_argument("--anyone", action="store_true", help="use a personal model on somebody else")
    parser.add_argument("--live", action="store_true", help="look at no later frame, as hmd-removal live does")
    parser.add_argument(
        "--landmarks",
        action="append",
        help="oracle, visible, driven (by a headset that tracks the eyes), driven-by-data (what MediaPipe says of the "
        "truth moves the eyes), driven-by-data:WHAT (spoilt: 0.2 s late, mirrored and more), detected (the mask is "
        "found too), or paper "
        "(oracle by MTCNN and dlib's 68 points, whose training data excludes commercial use; needs dlib-bin); may be "
        "repeated (default: oracle and visible)",
    )
    parser.add_argument("--preset", action="append", help="headset to draw, or all; may be repeated (default: band)")
    parser.add_argument(
        "--reference", type=Path, help="photo or clip of the person (default: each clip's first second)"
    )
    parser.add_argument(
        "--reference-frame",
        type=int,
        metavar="N",
        help="which frame of a clip's first second is the reference (default: chosen), to compare versions of the code",
    )
    parser.add_argument("--size", type=int, default=256, help="side of the face crops in pixels (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="score at most so many frames of a clip (default: all)")
    parser.add_argument("--json", type=Path, help="write all numbers to this file, after each clip")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet (PNG) of the results, after each clip")
    parser.add_argument(
        "--no-networks", action="store_true", help="leave out LPIPS, identity, expression and eyes, which are slow"
    )
    parser.add_argument(
        "--frechet", action="store_true", help="also Frechet distances between the results and truths of all clips"
    )
    add_device(parser)


def _evaluate(args: argparse.Namespace) -> int:
    from .evaluate import Evaluation, Protocol, evaluate
    from .other_day import pairs_of
    from .table import as_text, write_json

    presets = args.preset or ["band"]
    protocol = Protocol(
        methods=tuple(args.method or DEFAULT_METHODS),
        landmarks=tuple(args.landmarks or ("oracle", "visible")),
        presets=tuple(HEADSETS if "all" in presets else presets),
        size=args.size,
        limit=args.limit,
        reference=args.reference,
        reference_frame=args.reference_frame,
        networks=not args.no_networks,
        frechet=args.frechet,
        weights=weights_by_method(args.weights),
        personal=args.personal,
        anyone=args.anyone,
        live=args.live,
    )

    def keep(evaluation: Evaluation) -> None:
        if args.json is not None:
            write_json(args.json, evaluation)

    if bool(args.clips) == (args.other_day is not None):
        raise InputError("Expected clips to evaluate, or --other-day with a data folder: one of the two.")
    if args.other_day is not None and args.reference is not None:
        raise InputError("With --other-day each pair has its own reference; leave out --reference.")
    clips = args.clips or pairs_of(args.other_day, args.split, args.pairs)
    print(as_text(evaluate(clips, protocol, sheet=args.sheet, keep=keep, device=args.device)))
    return 0
