"""`hmd-removal lab evaluate-tracking`: a covered head followed through clips."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate-tracking", help="measure error, shake and lag of a tracked covered head")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="uncovered faces")
    parser.add_argument("--preset", action="append", help="headset to draw; may be repeated (default: quest)")
    parser.add_argument("--weights", type=Path, help="a safetensors file (default: the one that is shipped)")
    parser.add_argument("--limit", type=int, default=0, help="most frames of a clip (default: all)")
    parser.add_argument("--out", type=Path, help="JSON to write")


def _evaluate(args: argparse.Namespace) -> int:
    from ...files import write_json
    from ...models import covered_landmarks
    from .tracking import SCORES, evaluate_tracking

    net = covered_landmarks.load(args.weights)
    rows = []
    print("| clip | preset | way | " + " | ".join(SCORES) + " |")
    print("|---" * (3 + len(SCORES)) + "|")
    for name in args.preset or ["quest"]:
        for clip in args.clips:
            for row in evaluate_tracking(clip, name, net, limit=args.limit):
                rows.append({"preset": name} | row)
                cells = ["-" if row.get(key) is None else f"{row[key]:.3g}" for key in SCORES]
                print(f"| {row['clip']} | {name} | {row['way']} | " + " | ".join(cells) + " |", flush=True)
    if args.out is not None:
        write_json(args.out, {"rows": rows})
    return 0
