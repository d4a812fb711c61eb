"""`hmd-removal lab evaluate-enlarged`: uncovered faces of several sizes in pictures of 1920 x 1080."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate-enlarged", help="faces of several sizes in pictures of 1920 x 1080")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="uncovered faces")
    parser.add_argument("--limit", type=int, default=12, help="frames of a clip (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON to write")


def _evaluate(args: argparse.Namespace) -> int:
    from ...files import write_json
    from .enlarged import SHARES, evaluate_enlarged

    rows = []
    print("| clip | face, share of the width | found | error, % | worst frame, % | reference |")
    print("|---" * 6 + "|")
    for clip in args.clips:
        for row in evaluate_enlarged(clip, SHARES, limit=args.limit):
            rows.append(row)
            error, worst = ("-" if row[key] is None else f"{row[key]:.2f}" for key in ("error", "worst"))
            cells = (f"{row['share']:.2f}", f"{row['found']:.3f}", error, worst, "yes" if row["reference"] else "no")
            print(f"| {row['clip']} | " + " | ".join(cells) + " |", flush=True)
    if args.out is not None:
        write_json(args.out, {"rows": rows})
    return 0
