"""`hmd-removal lab evaluate-recordings`: tracking data brought in time, whatever is wrong with them."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "evaluate-recordings", help="measure whether tracking data are brought in time, fitted and found to be mirrored"
    )
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="uncovered faces")
    parser.add_argument("--preset", default="quest", help="headset to draw (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="most frames of a clip (default: all)")
    parser.add_argument("--out", type=Path, help="JSON to write")


def _evaluate(args: argparse.Namespace) -> int:
    from ...files import write_json
    from .recordings import SCORES, evaluate_recordings

    rows = []
    print("| clip | disturbance | " + " | ".join(SCORES) + " |")
    print("|---" * (2 + len(SCORES)) + "|")
    for clip in args.clips:
        for row in evaluate_recordings(clip, args.preset, args.limit):
            rows.append(row)
            print(
                f"| {row['clip']} | {row['disturbance']} | {' | '.join(_cell(row.get(name)) for name in SCORES)} |",
                flush=True,
            )
    if args.out is not None:
        write_json(args.out, {"rows": rows})
    return 0


def _cell(value: float | bool | str | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, bool | int | str) else f"{value:.3g}"
