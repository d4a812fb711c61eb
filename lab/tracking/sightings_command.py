"""`hmd-removal lab fit-sightings`: by what a sighting is told to be a head."""

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("fit-sightings", help="fit what tells a head from what is taken for one")
    parser.set_defaults(run=_fit)
    parser.add_argument("data", type=Path, help="folder of photos and clips")
    parser.add_argument("--work", type=Path, required=True, help="folder of the prepared faces, as in train landmarks")
    parser.add_argument("--pictures", type=int, default=450, help="of each split (default: %(default)s)")


def _fit(args: argparse.Namespace) -> int:
    import numpy as np

    from ...models import covered_landmarks, head_finder
    from ...tracking.head_search import BIAS, SURE_ENOUGH, WEIGHTS
    from ..data.face_store import open_store
    from ..training.covered_samples import SampleMaker
    from .sightings import fitted, sightings

    nets = covered_landmarks.shared(), head_finder.shared()
    for seed, split in enumerate(("train", "val")):
        maker = SampleMaker(open_store(args.work / "faces", args.data, split))
        rows, right, missed = sightings(maker, *nets, args.pictures, np.random.default_rng(seed))
        if split == "train":
            weights, bias = fitted(rows, right)
            print(f"fitted on {split}: {np.round(weights, 2).tolist()}, {bias:.2f}")
        for name, w, b in (("fitted", weights, bias), ("shipped", WEIGHTS, BIAS)):
            counts = rows @ w + b > SURE_ENOUGH
            heads, others = right.sum() + missed, (~right).sum()
            print(
                f"{name}, {args.pictures} pictures of {split}: {counts[right].sum()} of {heads} heads are found, "
                f"{missed} are not sighted at all; {counts[~right].sum()} of {others} others are taken for one."
            )
    return 0
