"""The `hmd-removal` command."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .errors import InputError
from .lab.compare import command as benchmark_command
from .lab.data import prepare_command
from .lab.tracking import landmarks_command, tracking_command
from .lab.training import command as train_command
from .terminal import without_chatter
from .weights import command as weights_command

if TYPE_CHECKING:
    from .headset.sources import MaskSource
    from .restore.personal import Use


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 something is missing or wrong, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="hmd-removal", description="Takes the VR headset off a face in video.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_deocclude(commands)
    _add_evaluate(commands)
    landmarks_command.add_parser(commands)
    tracking_command.add_parser(commands)
    benchmark_command.add_parser(commands)
    prepare_command.add_parser(commands)
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
    parser.add_argument(
        "--method",
        default="evi-hrnet",
        help="evi-hrnet, warp, personal, static, telea, lgtsm, combcn or lafin (default: %(default)s)",
    )
    _add_weights(parser)
    _add_personal(parser)
    parser.add_argument(
        "--mask",
        default="simulate",
        help="'auto' to find the headset that is worn; a video or picture that is white on it; 'headset' to pose a "
        "headset model on the detected face; or 'simulate' to draw a headset on uncovered footage first (default)",
    )
    parser.add_argument(
        "--preset", help="headset to simulate or to pose (default: band), or that is worn (default: measured by itself)"
    )
    parser.add_argument(
        "--grow", type=float, default=0.0, metavar="CM", help="make the headset larger by so many centimetres"
    )
    for axis, way in (("x", "to the right"), ("y", "down")):
        parser.add_argument(
            f"--shift-{axis}", type=float, default=0.0, metavar="CM", help=f"move it {way} by so many centimetres"
        )
    parser.add_argument("--landmarks", default="visible", help="visible, or oracle with --mask simulate")
    parser.add_argument(
        "--detector",
        default="auto",
        help="uncovered (MediaPipe), covered (for faces behind a headset), or auto, by the first frames (default)",
    )
    parser.add_argument(
        "--face-box",
        default="",
        metavar="X,Y,WIDTH,HEIGHT",
        help="where the head is in the first frame, in pixels, should it not be found by itself",
    )
    parser.add_argument("--face", type=int, default=0, help="which face: 0 the largest, 1 the next largest")
    parser.add_argument(
        "--on-missing", default="interpolate", help="frames without a face: interpolate, hold, untouched or error"
    )
    parser.add_argument("--covered", type=Path, help="also write the footage as the method sees it")


def _add_weights(parser: argparse.ArgumentParser) -> None:
    """Files of networks; restore.registry.weights_by_method reads them."""
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[METHOD=]FILE",
        help="safetensors file of a method's network, of evi-hrnet's (default: the pack's own) if no method is named; "
        "lgtsm, combcn and lafin need one, see train compared; may be repeated",
    )


def _add_personal(parser: argparse.ArgumentParser) -> None:
    """Arguments of the method personal; `_use` reads them, but for the file."""
    parser.add_argument("--personal", type=Path, help="file of a personal model, which brings pictures of the person")
    parser.add_argument("--anyone", action="store_true", help="use a personal model on somebody else")
    parser.add_argument(
        "--steadiness",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the frame before in what a personal model makes of a frame, 0 for nothing (default: %(default)s)",
    )
    parser.add_argument(
        "--whole", action="store_true", help="put in all that a personal model draws, not what is in the hole alone"
    )


def _use(args: argparse.Namespace) -> "Use":
    from .restore.personal import Use

    return Use(args.anyone, args.steadiness, args.whole)


def _deocclude(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .restore.personal import PersonalFiller
    from .restore.registry import make_filler, weights_by_method
    from .restore.video import deocclude_video
    from .tracking.follow import box_of
    from .tracking.reference import load_reference

    mask = _mask_source(args)
    face_box = box_of(args.face_box)
    reference = None if args.reference is None else load_reference(args.reference)
    filler = make_filler(
        args.method,
        reference,
        weights=weights_by_method(args.weights).get(args.method),
        personal=args.personal,
        use=_use(args),
    )
    if reference is None and isinstance(filler, PersonalFiller):
        reference = filler.model.reference
    with tqdm(unit="frame") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = deocclude_video(
            args.video,
            args.out,
            mask=mask,
            reference=reference,
            method=filler,
            landmarks=args.landmarks,
            face=args.face,
            on_missing=args.on_missing,
            detector=args.detector,
            face_box=face_box,
            covered_target=args.covered,
            progress=progress,
        )
    print(f"{args.out}: {report.frames} frames. {report.summary}")
    return 0


def _mask_source(args: argparse.Namespace) -> "MaskSource":
    from .headset.draw import HeadsetArtist, preset
    from .headset.sources import DetectedHeadset, GivenMask, PlacedHeadset, SimulatedHeadset

    shift = (args.shift_x, args.shift_y)
    if args.mask == "auto":
        return DetectedHeadset(args.preset, args.grow, shift)
    if args.mask not in ("simulate", "headset"):
        return GivenMask(Path(args.mask))
    artist = HeadsetArtist(replace(preset(args.preset or "band"), shift=shift), grow=args.grow)
    return SimulatedHeadset(artist) if args.mask == "simulate" else PlacedHeadset(artist)


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="simulate a headset on clips, remove it, and score the result")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument(
        "--method",
        action="append",
        help="telea, static, warp, evi-hrnet, personal, lgtsm, combcn or lafin; may be repeated (default: the first "
        "four)",
    )
    _add_weights(parser)
    _add_personal(parser)
    parser.add_argument(
        "--landmarks",
        action="append",
        help="oracle, visible, driven (by a headset that tracks the eyes), detected (the mask too), mediapipe, or "
        "paper (oracle by MTCNN and dlib's 68 points, whose training data excludes commercial use; needs dlib-bin); "
        "may be repeated (default: oracle and visible)",
    )
    parser.add_argument("--preset", action="append", help="headset to draw, or all; may be repeated (default: band)")
    parser.add_argument(
        "--reference", type=Path, help="photo or clip of the person (default: each clip's first second)"
    )
    parser.add_argument("--size", type=int, default=256, help="side of the face crops in pixels (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="score at most so many frames of a clip (default: all)")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet (PNG) of the results")
    parser.add_argument(
        "--no-networks", action="store_true", help="leave out LPIPS, identity, expression and eyes, which are slow"
    )
    parser.add_argument(
        "--frechet", action="store_true", help="also Frechet distances between the results and truths of all clips"
    )


def _evaluate(args: argparse.Namespace) -> int:
    from .headset.draw import HEADSETS
    from .lab.evaluation.evaluate import Protocol, evaluate
    from .lab.evaluation.table import differences, distance_table, table, task_table, write_json
    from .restore.registry import weights_by_method

    presets = args.preset or ["band"]
    protocol = Protocol(
        methods=tuple(args.method or ("telea", "static", "warp", "evi-hrnet")),
        landmarks=tuple(args.landmarks or ("oracle", "visible")),
        presets=tuple(HEADSETS if "all" in presets else presets),
        size=args.size,
        limit=args.limit,
        reference=args.reference,
        networks=not args.no_networks,
        frechet=args.frechet,
        weights=weights_by_method(args.weights),
        personal=args.personal,
        use=_use(args),
    )
    evaluation = evaluate(args.clips, protocol, sheet=args.sheet)
    tables = (table, task_table, distance_table, differences)
    print("\n\n".join(filter(None, (made(evaluation) for made in tables))))
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
