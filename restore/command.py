"""`hmd-removal deocclude`: a video file, or a folder of them, without the headset."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ..driving.eye_tracking import TrackingData
from ..driving.readers import read_tracking
from ..errors import InputError
from ..headset.draw import HEADSETS, HeadsetArtist, preset
from ..headset.sources import DetectedHeadset, GivenMask, MaskSource, SimulatedHeadset
from ..tracking.enrol import load_reference, own_reference, own_reference_remark
from ..tracking.follow import ON_MISSING, Wearer, box_of
from ..tracking.heads import MODES
from ..tracking.reference import Reference
from ..video import QUALITIES
from ..video.views import STEREO
from .engine import EYES, LANDMARKS, check_eyes, check_landmarks
from .filler import Filler
from .paste import check_opacity
from .registry import BASELINES, METHODS, check_method, make_filler, needs_reference
from .video import VideoReport, deocclude_video

AUTO, SIMULATE = "auto", "simulate"
ALL = "all"
SIMULATED = "quest"  # the headset that is drawn where none is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal deocclude`."""
    parser.set_defaults(run=_deocclude)
    parser.add_argument("video", type=Path, help="the footage, or a folder of clips, with the folders below it")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="MP4 to write; of a folder, the folder for the results, in which nothing is overwritten",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        action="append",
        help="photo, folder of photos or clip of the uncovered face (default: the video itself, where it shows that "
        f"for a while); personal models bring pictures of their own; with --face {ALL} once for each person",
    )
    parser.add_argument(
        "--method",
        default=METHODS[0],
        help=f"{', '.join(METHODS)}; to compare with: {', '.join(BASELINES)} (default: %(default)s)",
    )
    add_network_arguments(parser)
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
        "--keep-straps",
        action="store_true",
        help=f"with --mask {AUTO}: leave straps and head bands in the picture, which are removed otherwise",
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
        type=_face,
        default=0,
        metavar=f"N|{ALL}",
        help=f"which face: 0 whoever wears the headset, or the largest; 1 the next largest; {ALL}: everyone who wears "
        "a headset, from left to right by one --reference each",
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
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="do the clips of a folder on a Ray cluster, whose machines all see the same files (default: the one that "
        "runs here, else this machine)",
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
    parser.add_argument(
        "--opacity",
        type=float,
        default=0.0,
        metavar="0..1",
        help="of the headset over the restored face: 0 gone (default), 1 as filmed",
    )
    parser.add_argument("--covered", type=Path, metavar="FILE", help="also write the footage as the method sees it")


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """The files that a method may want; see `check_network_arguments`."""
    parser.add_argument(
        "--weights", type=Path, help=f"safetensors file of {METHODS[0]}'s network (default: the one that is shipped)"
    )
    parser.add_argument("--personal", type=Path, help="file of a personal model, for --method personal")
    parser.add_argument("--anyone", action="store_true", help="use a personal model on somebody else")


def check_network_arguments(args: argparse.Namespace) -> None:
    """Raise InputError for a file that is for another method than the one that is chosen."""
    for option, method in (("weights", METHODS[0]), ("personal", "personal")):
        if getattr(args, option) is not None and args.method != method:
            raise InputError(f"--{option} is for the method {method!r}, but the method is {args.method!r}.")


def _deocclude(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    restoring = Restoring(args)
    if args.video.is_dir():
        return _deocclude_folder(args, restoring)
    if args.ray is not None:
        raise InputError(f"--ray is for a folder of clips, but {args.video} is none.")
    with tqdm(unit="frame") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report, remark = restoring.restored(args.video, args.out, args.covered, progress)
    print(f"{report.path}: {report.frames} frames. {report.summary}")
    if remark:
        print(remark)
    return 0


def _deocclude_folder(args: argparse.Namespace, restoring: "Restoring") -> int:
    """Every clip of a folder that has no result yet."""
    from tqdm import tqdm

    from ..batch.clips import clips_in
    from ..batch.cluster import on_ray
    from ..batch.local import one_by_one
    from ..batch.outcome import table

    if args.covered is not None:
        raise InputError("--covered is for one clip: give a file, not a folder.")
    if args.tracking is not None:
        raise InputError("--tracking is of one clip: give a file, not a folder.")
    if args.out.is_file():
        raise InputError(f"Expected a folder as --out for a folder of clips, got the file {args.out}.")
    restoring.check()  # what is wrong with the arguments is wrong with every clip
    clips = clips_in(args.video, args.out)
    if args.ray is None:
        outcomes = one_by_one(restoring, clips, args.out)
    else:
        folder, out = args.video.resolve(), args.out.resolve()
        clips = [replace(clip, source=folder / clip.source.relative_to(args.video)) for clip in clips]
        outcomes = on_ray(Restoring(_with_absolute_paths(args)), clips, out, args.ray or None)
    known = {}
    for outcome in tqdm(outcomes, total=len(clips), unit="clip"):
        known[outcome.clip] = outcome
        tqdm.write(outcome.line)
    print(table([known[clip.name] for clip in clips]))
    return int(any(outcome.result is None for outcome in known.values()))


def _with_absolute_paths(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments as another process understands them, which is in another folder."""
    paths = {name: value.resolve() for name, value in vars(args).items() if isinstance(value, Path)}
    paths["reference"] = None if args.reference is None else [path.resolve() for path in args.reference]
    mask = args.mask if args.mask in (AUTO, SIMULATE) else str(Path(args.mask).resolve())
    return argparse.Namespace(**vars(args) | paths | {"mask": mask})


class Restoring:
    """What the arguments of the command say is to be done to a clip. Raises InputError where they contradict each
    other. It can be pickled until it is first used."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._everyone = args.face == ALL
        face = 0 if self._everyone else args.face
        self._wearer = Wearer(face, args.on_missing, args.detector, box_of(args.face_box))
        _mask_source(args)
        _tracking(args)
        check_opacity(args.opacity)
        self._check_references()
        check_network_arguments(args)

    def _check_references(self) -> None:
        """Raise InputError where there are too many or too few, by whom they are for."""
        count = len(self._args.reference or ())
        if self._everyone and not count:
            raise InputError(
                f"--face {ALL} needs a --reference for each person who wears a headset, from left to right."
            )
        if self._everyone and self._args.face_box:
            raise InputError(f"--face-box is around one head, but --face {ALL} means everyone; leave one of them out.")
        if count > 1 and not self._everyone:
            raise InputError(
                f"{count} references are for --face {ALL}, one for each person; put several photos of one person into "
                "a folder."
            )

    @cached_property
    def _references(self) -> list[Reference]:
        return [load_reference(path) for path in self._args.reference or ()]

    @property
    def _reference(self) -> Reference | None:
        return self._references[0] if self._references else None

    @cached_property
    def _own(self) -> bool:
        """Whether each clip is its own reference."""
        return self._reference is None and needs_reference(self._args.method) and self._args.mask == AUTO

    @cached_property
    def _filler(self) -> Filler:
        return self._filler_with(self._reference)

    def _filler_with(self, reference: Reference | None) -> Filler:
        args = self._args
        return make_filler(args.method, reference, weights=args.weights, personal=args.personal, anyone=args.anyone)

    def check(self) -> None:
        """Read the files that serve for every clip. Raises InputError where something is wrong with them."""
        if self._own:
            check_method(self._args.method)
        else:
            _ = self._filler

    def __call__(self, source: Path, target: Path) -> str:
        """Restore one clip of many; what there is to say of it."""
        report, remark = self.restored(source, target)
        return " ".join(filter(None, (report.summary, remark)))

    def restored(
        self,
        source: Path,
        target: Path,
        covered: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[VideoReport, str]:
        """Restore one clip; the report, and what to say of the pictures that it had itself."""
        reference, filler, remark = self._reference, None, ""
        if self._own:
            check_method(self._args.method)
            reference, taken = own_reference(source, stereo=self._args.stereo)
            filler, remark = self._filler_with(reference), own_reference_remark(taken)
        report = deocclude_video(
            source,
            target,
            mask=_mask_source(self._args),
            reference=self._references if self._everyone else reference,
            method=filler or self._filler,
            wearer=self._wearer,
            quality=self._args.quality,
            stereo=self._args.stereo,
            covered_target=covered,
            tracking=_tracking(self._args),
            eyes=self._args.eyes,
            opacity=self._args.opacity,
            progress=progress,
        )
        return report, remark


def _face(text: str) -> int | str:
    return ALL if text == ALL else int(text)


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
        return DetectedHeadset(args.preset, args.grow, shift, not args.keep_straps)
    return GivenMask(Path(args.mask))
