"""`hmd-removal lab evaluate-landmarks`: the covered-face landmarker on people that it was not trained on."""

import argparse
from contextlib import closing
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate-landmarks", help="measure how well covered faces are found")
    parser.set_defaults(run=_evaluate)
    parser.add_argument("data", type=Path, help="folder of photos and clips; those of the split val are used")
    parser.add_argument("--work", type=Path, required=True, help="folder for the prepared faces, as in train landmarks")
    parser.add_argument("--preset", action="append", help="headset to draw, or all; may be repeated (default: all)")
    parser.add_argument("--weights", type=Path, help="a safetensors file (default: the one that is shipped)")
    parser.add_argument(
        "--limit", type=int, default=0, help="most faces for each headset and bin of yaw (default: all)"
    )
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--sheet", type=Path, help="PNG to write, some of the pictures with what was found in them")


def _evaluate(args: argparse.Namespace) -> int:
    from ...errors import InputError
    from ...files import write_json, write_png
    from ...headset.draw import HEADSETS, preset
    from ...models import covered_landmarks
    from ...tracking.uncovered import UncoveredLandmarker
    from ..data.face_store import open_store
    from .landmarks import evaluate_landmarks, over_all_yaws, table
    from .landmarks_sheet import LandmarkSheet

    if args.limit < 0:
        raise InputError(f"Expected a limit of 0 (all) or more faces, got {args.limit}.")
    names = list(HEADSETS) if args.preset in (None, ["all"]) else args.preset
    for name in names:
        preset(name)
    sheet = LandmarkSheet()
    with closing(UncoveredLandmarker()) as mediapipe:
        rows = evaluate_landmarks(
            open_store(args.work / "faces", args.data, "val"),
            covered_landmarks.load(args.weights),
            mediapipe,
            names,
            limit=args.limit,
            looked_at=sheet.add,
        )
    print(table(over_all_yaws(rows)), table(rows), sep="\n\n")
    if args.out is not None:
        write_json(args.out, {"rows": rows})
    if args.sheet is not None:
        write_png(args.sheet, sheet.picture())
    return 0
