"""`hmd-removal face-mesh`: a 3-D face of a photo or a clip, still or moving, as a GLB file."""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..errors import InputError
from ..headset.sources import DetectedHeadset
from ..restore.registry import METHODS
from ..restore.video import deocclude_video
from ..tracking.enrol import load_reference, own_reference, photo_of, track_photos
from ..tracking.follow import Wearer, track_clip
from ..tracking.reference import Reference
from ..video import LOSSLESS, VideoReader
from .face_glb import write_animated, write_still
from .face_texture import looked_at

NONE, AUTO = "none", "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal face-mesh`."""
    parser.set_defaults(run=_face_mesh)
    parser.add_argument("source", type=Path, help="a clip or a photo of the face, uncovered or restored")
    parser.add_argument("--out", type=Path, required=True, metavar="FACE.glb", help="GLB to write")
    parser.add_argument(
        "--reference",
        type=Path,
        help="photo, folder of photos or clip of the same person, for what the source does not show of the face",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--at", type=float, metavar="S", help="second of the clip to show (default: the best of it)")
    which.add_argument("--animated", action="store_true", help="the whole clip, as an animation")
    parser.add_argument(
        "--mask",
        choices=(NONE, AUTO),
        default=NONE,
        help=f"{NONE}: the face is uncovered (default); {AUTO}: find the headset that is worn and remove it first",
    )


def _face_mesh(args: argparse.Namespace) -> int:
    if args.out.suffix.lower() != ".glb":
        raise InputError(f"Expected a file that ends in .glb as --out, got {args.out}.")
    reference = None if args.reference is None else load_reference(args.reference)
    with TemporaryDirectory() as folder:
        source = args.source
        if args.mask == AUTO:
            source = _restored(source, Path(folder) / "restored.mp4", reference)
        said = _written(source, reference, args)
    print(f"{args.out}: {said} {args.out.stat().st_size / 1e3:.0f} kB.")
    return 0


def _restored(source: Path, target: Path, reference: Reference | None) -> Path:
    person = own_reference(source)[0] if reference is None else reference
    return deocclude_video(
        source, target, mask=DetectedHeadset(), reference=person, method=METHODS[0], quality=LOSSLESS
    ).path


def _written(source: Path, reference: Reference | None, args: argparse.Namespace) -> str:
    """Write the face of a photo or an uncovered clip; what there is to say of it."""
    from tqdm import tqdm

    photo = photo_of(source) if source.exists() else None
    if photo is not None:
        if args.animated or args.at is not None:
            raise InputError(f"--at and --animated are for clips, but {source} is a photo.")
        return write_still(args.out, [photo], [0], track_photos([photo], "auto"), reference)
    with VideoReader(source) as reader:
        info, end = reader.info, reader.times[-1]
        if args.at is not None and not 0 <= args.at <= end:
            raise InputError(f"Expected --at from 0 to {end:.2f} seconds, the length of the clip, got {args.at:g}.")
        shown: list[float] = []  # when each frame is; of a damaged file fewer than its index has

        def frames() -> Iterator[np.ndarray]:
            for frame in tqdm(reader, total=info.frame_count, unit="frame"):
                shown.append(float(frame.time))
                yield frame.pixels

        track = track_clip(frames(), (info.height, info.width), Wearer(on_missing="untouched", fps=float(info.fps)))
        times = np.array(shown)
        first = None if args.at is None else max(int(np.searchsorted(times, args.at, side="right")) - 1, 0)
        numbers = looked_at(track, first)
        # Gone through again from the start: places in the index are no numbers of frames where some are damaged.
        pictures = [frame.pixels for number, frame in enumerate(islice(reader, numbers[-1] + 1)) if number in numbers]
    if args.animated:
        return write_animated(args.out, pictures, numbers, track, times, reference)
    return write_still(args.out, pictures, numbers, track, reference, first)
