"""`hmd-removal animate`: a clip of a person drives a picture of them, by a few kilobytes a second."""

import argparse
from fractions import Fraction
from pathlib import Path

from ..driving.eye_tracking import TrackingData
from ..driving.readers import read_tracking
from ..errors import InputError
from ..video import QUALITIES, probe
from .animate import EYES, PointsListener, draw_clip, draw_frames, packets_of, picture_of, send, udp_address
from .animate_points import described, is_points, read_points, write_points

RECEIVED = Fraction(25)  # frames a second of a stream, for the length of the last one: else the packets' times count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal animate`."""
    parser.set_defaults(run=_animate)
    parser.add_argument(
        "source",
        help="clip of the driver, with a headset or without; or a file of points; or udp://:PORT to receive them",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        help="photo of the driver without a headset, head and shoulders; or a folder of photos or a clip, of which the "
        "best picture is driven and the others lend the inside of an open mouth",
    )
    parser.add_argument("--out", type=Path, metavar="OUT.mp4", help="the driven picture; with a clip's sound")
    parser.add_argument(
        "--points", metavar="OUT.hmdp", help="where to write the points: a file, or udp://HOST:PORT to send them"
    )
    parser.add_argument(
        "--tracking",
        type=Path,
        metavar="FILE",
        help="eye and face tracking data that move the eyes, see docs/tracking.md",
    )
    parser.add_argument(
        "--tracking-offset",
        type=float,
        metavar="S",
        help="second of the clip at which these data begin (default: found by clocks, or by the mouth)",
    )
    parser.add_argument("--tracking-mirror", action="store_true", help="change left and right in these data")
    parser.add_argument(
        "--eyes",
        default=EYES[0],
        help=f"without tracking data: {EYES[0]}, as seen, still behind a headset (default), or {EYES[1]}, with blinks "
        "and small shifts of the gaze that are made up",
    )
    parser.add_argument(
        "--quality", default=QUALITIES[0], help=f"of the file: {', '.join(QUALITIES)} (default: %(default)s)"
    )


def _animate(args: argparse.Namespace) -> int:
    if args.out is None and args.points is None:
        raise InputError("Nothing is asked for: give --out for the driven picture, --points for its points, or both.")
    if (args.out is None) != (args.picture is None):
        raise InputError("--picture and --out belong together: what is driven, and the video of it.")
    address = udp_address(args.source)
    if address is None and not is_points(Path(args.source)):
        return _from_clip(args)
    if args.points is not None or args.tracking is not None or args.eyes != EYES[0]:
        raise InputError("--points, --tracking and --eyes are for a clip of the driver, but the source is points.")
    return _from_points(args, address)


def _from_clip(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    source = Path(args.source)
    reference = None if args.picture is None else picture_of(args.picture)
    tracking = None
    if args.tracking is not None:
        recording = read_tracking(args.tracking)
        tracking = TrackingData(recording.mirrored() if args.tracking_mirror else recording, args.tracking_offset)
    address = None if args.points is None else udp_address(args.points)
    with tqdm(unit="frame") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        packets = packets_of(source, reference=reference, tracking=tracking, eyes=args.eyes, progress=progress)
        if address is not None and args.out is None:
            print(f"{send(packets, *address)} packets sent to {args.points}.")
            return 0
        packets = list(packets)
    if args.points is not None:
        if address is not None:
            send(packets, *address)
        else:
            rate = probe(source).fps
            size = write_points(Path(args.points), [packet.data for packet in packets], rate)
            print(f"{args.points}: {described(len(packets), size, rate)}.")
    if args.out is not None:
        count = draw_clip(packets, source, reference, args.out, args.quality)
        print(f"{args.out}: {count} frames.")
    return 0


def _from_points(args: argparse.Namespace, address: tuple[str, int] | None) -> int:
    if args.out is None:
        raise InputError("Points are drawn with --picture and --out.")
    reference = picture_of(args.picture)
    if address is None:
        points = read_points(Path(args.source))
        count = draw_frames(points.frames, points.rate, reference, args.out, args.quality)
    else:
        with PointsListener(address[1], address[0]) as listener:
            print(f"Listening at UDP port {address[1]}; it ends when nothing comes any more.", flush=True)
            count = draw_frames(listener.frames(), RECEIVED, reference, args.out, args.quality)
    print(f"{args.out}: {count} frames.")
    return 0
