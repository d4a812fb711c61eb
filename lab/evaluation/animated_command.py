"""`hmd-removal lab evaluate-animated`: a picture driven by points, beside the picture held still, and H.264."""

import argparse
from pathlib import Path

COLUMNS = ("PSNR of the head, dB", "LPIPS of the head", "identity", "landmarks, %", "no face, %", "kB/s")


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate-animated", help="a picture driven by points, beside it held still and H.264")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="uncovered faces")
    parser.add_argument(
        "--limit",
        type=int,
        default=100,
        help="frames after a clip's first second to show, of which every third one is scored (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, help="write all numbers to this file, after each clip")
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet (PNG) of each clip")


def _evaluate(args: argparse.Namespace) -> int:
    import numpy as np

    from ...files import write_json, write_png
    from ...metrics.report import ScoringNetworks
    from .animated import as_json, evaluate_animated

    networks, rows = ScoringNetworks.load(), []
    print("| clip | way | " + " | ".join(COLUMNS) + " |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    for clip in args.clips:
        pictures = []
        for row, shown in evaluate_animated(clip, args.limit, networks):
            rows.append(row)
            cells = f"{row.psnr:.2f} | {row.lpips:.4f} | {row.identity:.3f} | {row.landmarks:.2f} | {row.nobody:.0%}"
            print(f"| {row.clip} | {row.way} | {cells} | {row.bytes / 1000:.2f} |", flush=True)
            pictures.append(np.hstack([shown[t] for t in np.linspace(0, len(shown) - 1, 6).astype(int)]))
        if args.sheets is not None:
            write_png(args.sheets / f"{clip.stem}.png", np.vstack(pictures))
        if args.json is not None:
            write_json(args.json, as_json(rows))
    return 0
