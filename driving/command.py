"""`hmd-removal record-tracking`: face tracking of VR software while it runs, or another recording, as plain CSV."""

import argparse
import sys
from pathlib import Path

from ..errors import InputError

PORT = 9000  # where VRCFaceTracking sends to, for VRChat


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal record-tracking`."""
    parser.set_defaults(run=_record)
    parser.add_argument("out", type=Path, metavar="OUT.csv", help="file to write; its columns: docs/tracking.md")
    parser.add_argument("--port", type=int, default=PORT, help="UDP port to listen at (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="how long to record (default: until Ctrl-C)")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="a recording of any kind to write as plain CSV, to look into it or mend it; nothing is recorded",
    )


def _record(args: argparse.Namespace) -> int:
    if args.source is not None:
        if args.seconds is not None:
            raise InputError("--seconds is for what is recorded; with --from FILE nothing is.")
        return _convert(args.source, args.out)
    from .osc import record

    if args.seconds is not None and args.seconds <= 0:
        raise InputError(f"Expected a time in seconds over 0, got {args.seconds}.")
    print(f"Listening at UDP port {args.port}; Ctrl-C ends it.", file=sys.stderr)
    rows = record(args.out, args.port, args.seconds)
    if not rows:
        raise InputError(
            f"No face tracking arrived at port {args.port}, so {args.out} holds no rows: is OSC switched on in the VR "
            "software, and does it send to this port of this machine?"
        )
    print(f"{rows} rows in {args.out}.")
    return 0


def _convert(source: Path, out: Path) -> int:
    from .plain import write_plain
    from .readers import described, read_tracking

    if out.exists():
        raise InputError(f"There is a file '{out.name}' already; give another name, so that no recording is lost.")
    recording = read_tracking(source)
    write_plain(out, recording)
    print(f"{out}: {described(recording)}")
    return 0
