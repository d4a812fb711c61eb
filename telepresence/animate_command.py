"""`hmd-removal animate`: a person drives a picture of them, by a few kilobytes a second: from a clip, or live."""

import argparse
import sys
import threading
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from ..driving.eye_tracking import TrackingData
from ..driving.osc import port_of
from ..driving.readers import read_tracking
from ..errors import InputError
from ..restore.engine import WantedEyes
from ..video import QUALITIES, probe
from .animate import (
    EYE_SOURCES,
    PointsListener,
    PointsSender,
    draw_clip,
    draw_frames,
    draw_live,
    live_packets,
    paced,
    packets_of,
    picture_of,
    udp_address,
)
from .animate_points import described, is_points, read_points, write_points
from .live_eyes import LiveNatural, LiveTracking
from .live_source import Address, LiveSource

Options = tuple[str, ...]
EYES: Options = ("tracking", "tracking_offset", "tracking_mirror", "eyes")  # those that say how the eyes move


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal animate`."""
    parser.set_defaults(run=_animate)
    parser.add_argument(
        "source",
        help="the driver, with a headset or without: a clip, or live camera:0 or a URL (rtsp, rtmp, http, ...); or "
        "points: a file of them, or udp://:PORT to receive them",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        help="photo of the driver without a headset, head and shoulders; or a folder of photos or a clip, of which the "
        "best picture is driven and the others lend the inside of an open mouth",
    )
    parser.add_argument(
        "--out",
        help="the driven picture: a file, with a clip's sound; of points that are received also window, "
        "virtual-camera, or a URL to send to (udp, tcp, rtmp)",
    )
    parser.add_argument(
        "--points", metavar="OUT.hmdp", help="where to write the points: a file, or udp://HOST:PORT to send them"
    )
    parser.add_argument(
        "--tracking",
        help="file of eye and face tracking data that move the eyes, see docs/tracking.md; live: osc:PORT, the UDP "
        "port at which VRCFaceTracking's data arrive",
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
        default=EYE_SOURCES[0],
        help=f"without tracking data: {EYE_SOURCES[0]}, as seen, still behind a headset (default), or "
        f"{EYE_SOURCES[1]}, with blinks and small shifts of the gaze that are made up",
    )
    parser.add_argument(
        "--quality", default=QUALITIES[0], help=f"of the file: {', '.join(QUALITIES)} (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, help="live: how long to go on (default: until Ctrl-C)")


def _animate(args: argparse.Namespace) -> int:
    if args.out is None and args.points is None:
        raise InputError("Nothing is asked for: give --out for the driven picture, --points for its points, or both.")
    if (args.out is None) != (args.picture is None):
        raise InputError("--picture and --out belong together: what is driven, and the video of it.")
    if args.seconds is not None and not args.seconds > 0:
        raise InputError(f"Expected a time in seconds over 0, got {args.seconds}.")
    address = udp_address(args.source)
    if address is not None:
        _refuse(args, (*EYES, "points"), "a driver, but the source is points")
        _refuse(args, ("quality",), "files of clips, but points that are received are drawn live")
        return _from_network(args, *address)
    if args.source.startswith("camera:") or "://" in args.source:
        _refuse(args, ("out", "picture", "quality"), "a clip or points; a live driver's points are sent with --points")
        _refuse(args, ("tracking_offset", "tracking_mirror"), "recorded data, but the source is live")
        return _from_live(args)
    _refuse(args, ("seconds",), "what is live, but the source is a file")
    if is_points(Path(args.source)):
        _refuse(args, (*EYES, "points"), "a driver, but the source is points")
        return _from_file(args)
    if args.tracking is None:
        _refuse(args, ("tracking_offset", "tracking_mirror"), "--tracking, which is not given")
    return _from_clip(args)


def _refuse(args: argparse.Namespace, options: Options, meant_for: str) -> None:
    """Raise InputError for the first of these options that is given."""
    usual = {"eyes": EYE_SOURCES[0], "quality": QUALITIES[0], "tracking_mirror": False}
    for option in options:
        if getattr(args, option) != usual.get(option):
            raise InputError(f"--{option.replace('_', '-')} is for {meant_for}.")


def _from_clip(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    source = Path(args.source)
    reference = None if args.picture is None else picture_of(args.picture)
    tracking = None
    if args.tracking is not None:
        recording = read_tracking(Path(args.tracking))
        tracking = TrackingData(recording.mirrored() if args.tracking_mirror else recording, args.tracking_offset)
    address = None if args.points is None else udp_address(args.points)
    with tqdm(unit="frame") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        packets = packets_of(
            source, reference=reference, tracking=tracking, eyes=args.eyes, progress=progress, say=_say
        )
        if address is not None and args.out is None:
            with PointsSender(*address) as sender:
                sender.send(paced(packets))
            print(f"{sender.count} packets sent to {args.points}.")
            return 0
        packets = list(packets)
    if args.points is not None:
        if address is not None:
            with PointsSender(*address) as sender:
                sender.send(paced(packets))
        else:
            rate = probe(source).fps
            size = write_points(Path(args.points), [packet.data for packet in packets], rate)
            print(f"{args.points}: {described(len(packets), size, rate)}.")
    if args.out is not None:
        count = draw_clip(packets, source, reference, Path(args.out), args.quality)
        print(f"{args.out}: {count} frames.")
    return 0


def _from_file(args: argparse.Namespace) -> int:
    points = read_points(Path(args.source))
    count = draw_frames(points.frames, points.rate, picture_of(args.picture), Path(args.out), args.quality)
    print(f"{args.out}: {count} frames.")
    return 0


def _from_network(args: argparse.Namespace, host: str, port: int) -> int:
    reference = picture_of(args.picture)
    with PointsListener(port, host, _say) as listener:
        _say(f"Listening at UDP port {port}; Ctrl-C ends it.")
        count = draw_live(listener, reference, args.out, args.seconds)
    print(f"{args.out}: {count} frames.")
    return 0


def _from_live(args: argparse.Namespace) -> int:
    to = udp_address(args.points)
    if to is None:
        raise InputError(f"A live driver's points are sent: expected --points udp://HOST:PORT, got {args.points!r}.")
    address = Address.of(args.source)
    with _eyes(args) as tracking, PointsSender(*to) as sender, LiveSource(address, _say) as source:
        _say(f"{args.source}: {source.width} x {source.height} at {float(source.fps):.4g} a second; Ctrl-C ends it.")
        timer = threading.Timer(args.seconds or 0, source.stop)
        if args.seconds is not None:
            timer.start()
        try:
            with closing(live_packets(source, tracking)) as packets:
                sender.send(packets)
        except KeyboardInterrupt:  # the usual way to end it
            pass
        finally:
            timer.cancel()
    print(f"{sender.count} packets sent to {args.points}; {source.dropped} pictures dropped.")
    return 0


def _eyes(args: argparse.Namespace) -> AbstractContextManager[WantedEyes | None]:
    """What moves a live driver's eyes; None where they are the driver's own."""
    if args.eyes not in EYE_SOURCES:
        raise InputError(f"Expected --eyes {' or '.join(EYE_SOURCES)}, got {args.eyes!r}.")
    if args.tracking is not None:
        return LiveTracking(port_of(args.tracking))
    return nullcontext() if args.eyes == EYE_SOURCES[0] else LiveNatural()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
