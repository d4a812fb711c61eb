"""`hmd-removal live`: the headset removed while it is filmed."""

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..driving.osc import port_of
from ..errors import InputError
from ..headset.draw import HEADSETS, HeadsetArtist, preset
from ..headset.sources import DetectedHeadset, SimulatedHeadset
from ..restore.command import add_network_arguments, check_network_arguments
from ..restore.engine import EYES, WantedEyes, check_eyes
from ..restore.registry import METHODS, check_method, make_filler
from ..tracking.enrol import load_reference

AUTO, SIMULATE = MASKS = ("auto", "simulate")
SIMULATED = "quest"  # the headset that is drawn where none is named
METHOD = "warp"  # the one that keeps up on two cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal live`."""
    parser.set_defaults(run=_live)
    parser.add_argument(
        "source", help="camera:0, a URL (udp, rtmp, rtsp, http, ...), or a file, which is played at its own pace"
    )
    parser.add_argument(
        "--out",
        required=True,
        help="window; virtual-camera; a URL to send to (udp, tcp, rtmp); or a file (.mp4, .mkv, .ts)",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="photo, folder of photos or clip of the uncovered face; personal models bring pictures of their own",
    )
    parser.add_argument("--method", default=METHOD, help=f"{', '.join(METHODS)} (default: %(default)s, the fastest)")
    add_network_arguments(parser)
    parser.add_argument(
        "--mask",
        default=AUTO,
        help=f"{AUTO}: find the headset that is worn (default); {SIMULATE}: draw one on uncovered footage, to try it",
    )
    parser.add_argument(
        "--preset",
        help=f"headset that is worn (default: measured) or drawn (default: {SIMULATED}): {', '.join(HEADSETS)}",
    )
    parser.add_argument(
        "--tracking",
        metavar="osc:PORT",
        help="UDP port at which VRCFaceTracking's data arrive, which move the eyes; VRChat's own is 9000",
    )
    parser.add_argument(
        "--eyes",
        default=EYES[0],
        help=f"without tracking data: {EYES[0]}, as they are there (default); {EYES[1]}: with blinks and small shifts "
        "of the gaze",
    )
    parser.add_argument("--size", metavar="WIDTHxHEIGHT", help="size that a camera is asked for, such as 1280x720")
    parser.add_argument("--seconds", type=float, help="how long to go on (default: until Ctrl-C)")


def _live(args: argparse.Namespace) -> int:
    from .live import go_live
    from .live_source import Address, LiveSource

    check_eyes(args.eyes)
    check_method(args.method, METHODS)
    check_network_arguments(args)
    if args.seconds is not None and not args.seconds > 0:
        raise InputError(f"Expected a time in seconds over 0, got {args.seconds}.")
    mask = _mask(args)
    address = Address.of(args.source, args.size)
    port = None if args.tracking is None else port_of(args.tracking)
    reference = None if args.reference is None else load_reference(args.reference)
    filler = make_filler(args.method, reference, weights=args.weights, personal=args.personal, anyone=args.anyone)
    with _eyes(port, args.eyes) as tracking, LiveSource(address, _say) as source:
        _say(f"{args.source}: {source.width} x {source.height} at {float(source.fps):.4g} a second; Ctrl-C ends it.")
        report = go_live(
            source,
            args.out,
            mask=mask,
            reference=reference,
            filler=filler,
            tracking=tracking,
            seconds=args.seconds,
            say=_say,
        )
    print(report.summary)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _mask(args: argparse.Namespace) -> DetectedHeadset | SimulatedHeadset:
    if args.mask not in MASKS:
        raise InputError(f"Expected --mask {' or '.join(MASKS)}, as no mask can be given live, got {args.mask!r}.")
    if args.mask == SIMULATE:
        return SimulatedHeadset(HeadsetArtist(preset(args.preset or SIMULATED)))
    return DetectedHeadset(args.preset)


def _eyes(port: int | None, eyes: str) -> AbstractContextManager[WantedEyes | None]:
    """What moves the eyes; None where they stay as they are in the reference."""
    from .live_eyes import LiveNatural, LiveTracking

    if port is not None:
        return LiveTracking(port)
    return nullcontext(LiveNatural() if eyes == EYES[1] else None)
