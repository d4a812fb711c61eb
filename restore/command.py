"""`hmd-removal deocclude`: a video file without the headset."""

import argparse
from dataclasses import replace
from pathlib import Path

from ..driving.eye_tracking import TrackingData
from ..driving.readers import read_tracking
from ..errors import InputError
from ..headset.draw import HEADSETS, HeadsetArtist, preset
from ..headset.sources import DetectedHeadset, GivenMask, MaskSource, SimulatedHeadset
from ..tracking.enrol import load_reference, own_reference, own_reference_remark
from ..tracking.follow import ON_MISSING, Wearer, box_of
from ..tracking.heads import MODES
from ..video import QUALITIES
from ..video.views import STEREO
from .engine import EYES, LANDMARKS, check_eyes, check_landmarks
from .registry import BASELINES, METHODS, check_method, make_filler, needs_reference
from .video import deocclude_video

AUTO, SIMULATE = "auto", "simulate"
SIMULATED = "quest"  # the headset that is drawn where none is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal deocclude`."""
    parser.set_defaults(run=_deocclude)
    parser.add_argument("video", type=Path, help="the footage")
    parser.add_argument("--out", type=Path, required=True, help="MP4 to write")
    parser.add_argument(
        "--reference",
        type=Path,
        help="photo, folder of photos or clip of the uncovered face (default: the video itself, where it shows that "
        "for a while); personal models bring pictures of their own",
    )
    parser.add_argument(
        "--method",
        default=METHODS[0],
        help=f"{', '.join(METHODS)}; to compare with: {', '.join(BASELINES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--weights", type=Path, help=f"safetensors file of {METHODS[0]}'s network (default: the one that is shipped)"
    )
    parser.add_argument("--personal", type=Path, help="file of a personal model, for --method personal")
    parser.add_argument("--anyone", action="store_true", help="use a personal model on somebody else")
    parser.add_argument(
        "--mask",
        default=AUTO,
        metavar=f"{AUTO}|{SIMULATE}|FILE",
        help=f"{AUTO}: find the headset that is worn (default); {SIMULATE}: draw a headset on uncovered footage first; "
        "or a video or picture that is white on the headset",
    )
    parser.add_argument(
        "--preset",
        help=f"headset that is worn (default: measured) or drawn (default: {SIMULATED}): {', '.join(HEADSETS)}",
    )
    parser.add_argument(
        "--grow", type=float, default=0.0, metavar="CM", help="make the headset larger by so many centimetres"
    )
    for axis, way in (("x", "to the right"), ("y", "down")):
        parser.add_argument(
            f"--shift-{axis}", type=float, default=0.0, metavar="CM", help=f"move it {way} by so many centimetres"
        )
    parser.add_argument(
        "--landmarks",
        default=LANDMARKS[0],
        help=f"{LANDMARKS[0]}: from what is in sight (default); {LANDMARKS[1]}, with --mask {SIMULATE} alone: of the "
        "face as it was before the headset was drawn",
    )
    parser.add_argument(
        "--detector",
        default=MODES[0],
        help=f"of faces: {', '.join(MODES)} (default: %(default)s, by what is seen in each frame)",
    )
    parser.add_argument(
        "--face-box",
        default="",
        metavar="X,Y,WIDTH,HEIGHT",
        help="where the head is in the first frame, in pixels, should it not be found by itself",
    )
    parser.add_argument(
        "--face",
        type=int,
        default=0,
        help="which face: 0 whoever wears the headset, or the largest; 1 the next largest",
    )
    parser.add_argument(
        "--on-missing",
        default=ON_MISSING[0],
        help=f"frames without a face: {', '.join(ON_MISSING)} (default: %(default)s)",
    )
    parser.add_argument(
        "--quality", default=QUALITIES[0], help=f"of the file: {', '.join(QUALITIES)} (default: %(default)s)"
    )
    parser.add_argument(
        "--stereo", default=STEREO[0], help=f"layout of the frame: {', '.join(STEREO)} (default: %(default)s, one view)"
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
        help="second of the footage at which these data begin (default: found by clocks, or by the mouth)",
    )
    parser.add_argument("--tracking-mirror", action="store_true", help="change left and right in these data")
    parser.add_argument(
        "--eyes",
        default=EYES[0],
        help=f"without tracking data: {EYES[0]}, as they are there (default), or {EYES[1]}, with blinks and small "
        "shifts of the gaze that are made up",
    )
    parser.add_argument("--covered", type=Path, metavar="FILE", help="also write the footage as the method sees it")


def _deocclude(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    mask = _mask_source(args)
    tracking = _tracking(args)
    wearer = Wearer(args.face, args.on_missing, args.detector, box_of(args.face_box))
    for option, method in (("weights", METHODS[0]), ("personal", "personal")):
        if getattr(args, option) is not None and args.method != method:
            raise InputError(f"--{option} is for the method {method!r}, but the method is {args.method!r}.")
    reference = None if args.reference is None else load_reference(args.reference)
    own = reference is None and needs_reference(args.method) and args.mask == AUTO
    if own:
        check_method(args.method)
        reference, taken = own_reference(args.video, stereo=args.stereo)
    filler = make_filler(args.method, reference, weights=args.weights, personal=args.personal, anyone=args.anyone)
    with tqdm(unit="frame") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = deocclude_video(
            args.video,
            args.out,
            mask=mask,
            reference=reference,
            method=filler,
            wearer=wearer,
            quality=args.quality,
            stereo=args.stereo,
            covered_target=args.covered,
            tracking=tracking,
            eyes=args.eyes,
            progress=progress,
        )
    print(f"{report.path}: {report.frames} frames. {report.summary}")
    if own:
        print(own_reference_remark(taken))
    return 0


def _tracking(args: argparse.Namespace) -> TrackingData | None:
    check_eyes(args.eyes)
    if args.tracking is None:
        if args.tracking_offset is not None or args.tracking_mirror:
            raise InputError("--tracking-offset and --tracking-mirror are for --tracking FILE, which is missing.")
        return None
    recording = read_tracking(args.tracking)
    return TrackingData(recording.mirrored() if args.tracking_mirror else recording, args.tracking_offset)


def _mask_source(args: argparse.Namespace) -> MaskSource:
    check_landmarks(args.landmarks)
    oracle, shift = args.landmarks == LANDMARKS[1], (args.shift_x, args.shift_y)
    if args.mask == SIMULATE:
        headset = replace(preset(args.preset or SIMULATED), shift=shift)
        return SimulatedHeadset(HeadsetArtist(headset, grow=args.grow), oracle=oracle)
    if oracle:
        raise InputError(f"The landmarks under a headset are known with --mask {SIMULATE} alone.")
    if args.mask == AUTO:
        return DetectedHeadset(args.preset, args.grow, shift)
    return GivenMask(Path(args.mask))
