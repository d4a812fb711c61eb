"""The `hmd-removal` command."""

import argparse
import sys
from pathlib import Path

from . import __version__
from .errors import InputError
from .models import weights_command
from .terminal import without_chatter
from .training import train_command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 something is missing or wrong, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="hmd-removal", description="Takes the VR headset off a face in video.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_deocclude(commands)
    _add_evaluate(commands)
    train_command.add_parser(commands)
    weights_command.add_parser(commands)
    _add_demo(commands)
    args = parser.parse_args(arguments)
    try:
        with without_chatter():
            return args.run(args)
    except InputError as error:
        print(f"hmd-removal: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hmd-removal: stopped; nothing half-written was left behind.", file=sys.stderr)
        return 130


def _add_deocclude(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("deocclude", help="remove the headset from a video file")
    parser.set_defaults(run=_deocclude)
    parser.add_argument("video", type=Path, help="the footage")
    parser.add_argument("--reference", type=Path, help="photo, folder of photos or clip of the uncovered face")
    parser.add_argument("--out", type=Path, required=True, help="MP4 to write")
    parser.add_argument("--method", default="warp", help="warp, static or telea (default: %(default)s)")
    parser.add_argument(
        "--mask",
        default="simulate",
        help="a video or picture that is white on the headset; 'headset' to pose a headset model on the detected face; "
        "or 'simulate' to draw a headset on uncovered footage first (default)",
    )
    parser.add_argument("--preset", default="band", help="headset to simulate or to pose (default: %(default)s)")
    parser.add_argument("--grow", type=float, default=0.0, help="centimetres by which the posed headset is larger")
    parser.add_argument("--landmarks", default="visible", help="visible, or oracle with --mask simulate")
    parser.add_argument("--face", type=int, default=0, help="which face: 0 the largest, 1 the next largest")
    parser.add_argument(
        "--on-missing", default="interpolate", help="frames without a face: interpolate, hold, untouched or error"
    )
    parser.add_argument("--covered", type=Path, help="also write the footage as the method sees it")


def _deocclude(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .deocclusion.enrol import load_reference
    from .deocclusion.masks import GivenMask, PlacedHeadset, SimulatedHeadset
    from .deocclusion.video import deocclude_video
    from .faces.headset import HeadsetArtist, preset

    if args.mask in ("simulate", "headset"):
        artist = HeadsetArtist(preset(args.preset), grow=args.grow)
        mask = SimulatedHeadset(artist) if args.mask == "simulate" else PlacedHeadset(artist)
    else:
        mask = GivenMask(Path(args.mask))
    reference = None if args.reference is None else load_reference(args.reference)
    with tqdm(unit="frame") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = deocclude_video(
            args.video,
            args.out,
            mask=mask,
            reference=reference,
            method=args.method,
            landmarks=args.landmarks,
            face=args.face,
            on_missing=args.on_missing,
            covered_target=args.covered,
            progress=progress,
        )
    print(f"{args.out}: {report.frames} frames. {report.summary}")
    return 0


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="simulate a headset on clips, remove it, and score the result")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--method", action="append", help="telea, static or warp; may be repeated (default: all)")
    parser.add_argument("--landmarks", action="append", help="oracle or visible; may be repeated (default: both)")
    parser.add_argument("--preset", action="append", help="headset to draw; may be repeated (default: band)")
    parser.add_argument(
        "--reference", type=Path, help="photo or clip of the person (default: each clip's first second)"
    )
    parser.add_argument("--size", type=int, default=256, help="side of the face crops in pixels (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="score at most so many frames of a clip (default: all)")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet (PNG) of the results")
    parser.add_argument("--no-networks", action="store_true", help="leave out LPIPS and identity, which are slow")


def _evaluate(args: argparse.Namespace) -> int:
    from .evaluation.evaluate import Protocol, evaluate
    from .evaluation.table import table, write_json

    protocol = Protocol(
        methods=tuple(args.method or ("telea", "static", "warp")),
        landmarks=tuple(args.landmarks or ("oracle", "visible")),
        presets=tuple(args.preset or ("band",)),
        size=args.size,
        limit=args.limit,
        reference=args.reference,
        networks=not args.no_networks,
    )
    evaluation = evaluate(args.clips, protocol, sheet=args.sheet)
    print(table(evaluation))
    if args.json is not None:
        write_json(args.json, evaluation)
    return 0


def _add_demo(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("demo", help="run the example workflow in a real ComfyUI on a real clip")
    parser.set_defaults(run=_demo)
    parser.add_argument(
        "--comfyui", type=Path, default=Path(".comfyui"), help="folder of a ComfyUI (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder for the results (default: %(default)s)"
    )


def _demo(args: argparse.Namespace) -> int:
    from .comfyui.client import ComfyError
    from .comfyui.server import ServerError
    from .demo import demo

    try:
        demo(args.comfyui, args.out)
    except (ComfyError, ServerError) as error:
        print(f"hmd-removal: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
