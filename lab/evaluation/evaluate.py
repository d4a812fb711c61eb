"""The evaluation protocol: draw a headset on clips, remove it again, compare with what was there.

Each clip is cut to one square crop around the face, at a fixed place and size (as the face video data sets of the
papers are), and everything below runs on that. The reference comes from the clip's first second, or from elsewhere;
only frames after the first second are scored, so that no answer is an input. Or else it is the first frame, and all
after that one are scored, as in the EVI-HRnet paper. Or both are photographs of unlike days (lab.evaluation.other_day).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ...errors import InputError
from ...files import write_png
from ...headset.draw import HeadsetArtist, draw_headset, preset
from ...headset.sources import DetectedHeadset
from ...models.device import best_device
from ...restore.engine import check_landmarks, deocclude_clip
from ...restore.filler import pictures_for
from ...restore.registry import Placement
from ...tracking.crop import Crop
from ...tracking.enrol import load_reference, read_photo, reference_from_frames
from ...tracking.follow import Wearer, track_clip
from ...tracking.reference import Reference
from ...tracking.track import FaceTrack, FrameStatus
from ...tracking.uncovered import require_mediapipe
from ...video import VideoReader
from ..compare.registry import LoadedOnce, check_method, make_filler
from ..driving.live_link import DISTURBANCES
from ..metrics.stats import bootstrap_interval
from . import paper_detector
from .driven import RecordedEyes, driven_points
from .judge import SCORES, Judge
from .other_day import Pair
from .paper_landmarks import PAPER, paper_reference, paper_track

ORACLE, VISIBLE, DETECTED, DRIVEN, BY_DATA = "oracle", "visible", "detected", "driven", "driven-by-data"
AS_IT_IS = "as it is"
DISTURBED = ":"  # between "driven-by-data" and what is wrong with the data
MARGIN = 1.7  # crop side by face box
UNCOVERED = Wearer(detector="uncovered")


@dataclass(frozen=True)
class Protocol:
    """What is compared on which terms. size: crop side in pixels; limit: most scored frames a clip, 0 for all.

    methods: see lab.compare.registry. reference: pictures of the person; None for frames of the clip, the first one
    with `first_frame`, else `reference_frame` of its first second, None for what is chosen there. networks: with LPIPS,
    identity, expression and eyes; frechet: with video distances. weights: files by method; personal: that of a personal
    model, which has its own pictures of the person and gets no reference, or such a file by clip; anyone: whether that
    may be used on somebody else. live: whether the wearer is followed without looking ahead, where they are covered.

    landmarks: "oracle"; "paper", which is "oracle" by the paper's own detectors (lab.evaluation.paper_detector);
    "visible"; "driven", in which the shape of the eyes is known as well (lab.evaluation.driven); "driven-by-data",
    which is "visible" with eyes that move by what MediaPipe says of the truth, as a file of Live Link Face, and
    "driven-by-data:WHAT", in which that is spoilt, see lab.driving.live_link.DISTURBANCES; or "detected", in which the
    mask is not known either, as in real footage.
    """

    methods: tuple[str, ...] = ("telea", "static", "warp")
    landmarks: tuple[str, ...] = (ORACLE, VISIBLE)
    presets: tuple[str, ...] = ("band",)
    size: int = 256
    limit: int = 0
    reference: Path | None = None
    first_frame: bool = False
    reference_frame: int | None = None
    networks: bool = True
    frechet: bool = False
    weights: Mapping[str, Path] = field(default_factory=dict)
    personal: Path | Mapping[Path, Path] | None = None
    anyone: bool = False
    live: bool = False

    def check(self) -> None:
        """Raise InputError for an unknown name, missing weights, or what "paper" lacks: else it would show only after
        the first clip."""
        for method in self.methods:
            check_method(method, self.weights.get(method))
        for mode in self.landmarks:
            if mode == PAPER:
                paper_detector.networks()
            elif mode.startswith(BY_DATA):
                _disturbance(mode)
            elif mode not in (DETECTED, DRIVEN):
                check_landmarks(mode)
        for name in self.presets:
            preset(name)

    def personal_of(self, clip: Path) -> Path | None:
        """The file of the personal model for a clip."""
        return self.personal.get(clip) if isinstance(self.personal, Mapping) else self.personal


@dataclass
class Evaluation:
    """Everything that was measured. clips: one dictionary a clip, results: one a method, landmark mode and preset; none
    for a clip that was refused, which has the sentence that says why instead; person: whose it is, where that is known.

    mean: those of the clips together, each person counting the same. not_computed: score -> which weights are missing.
    """

    protocol: Protocol
    clips: list[dict[str, Any]] = field(default_factory=list)
    mean: list[dict[str, Any]] = field(default_factory=list)
    not_computed: dict[str, str] = field(default_factory=dict)

    @property
    def used(self) -> list[dict[str, Any]]:
        """The clips that were not refused."""
        return [clip for clip in self.clips if clip["results"]]

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The other clips, each with the reason."""
        return [(clip["clip"], clip["refused"]) for clip in self.clips if "refused" in clip]


@dataclass(frozen=True)
class TruthClip:
    """A clip without headset, cut to the face. frames: (T, S, S, 3) uint8. first: the first scored frame. times: (T,)
    seconds."""

    frames: np.ndarray
    track: FaceTrack
    first: int
    times: np.ndarray


def evaluate(
    clips: Sequence[Path | Pair],
    protocol: Protocol,
    *,
    sheet: Path | None = None,
    keep: Callable[[Evaluation], None] = lambda _: None,
    device: str | torch.device | None = None,
) -> Evaluation:
    """Score every method, landmark mode and headset of the protocol on every clip; clips that cannot be used are noted.

    sheet: where to write a PNG with one frame of each clip: truth, covered, then the results. keep: called with what
    there is after each clip, when the sheet is up to date as well. device: of the networks, None for the best there is.
    Raises InputError where no clip can be used; and for clips without a personal model, where one is wanted, before
    anything is done.
    """
    protocol.check()
    require_mediapipe()
    if "personal" in protocol.methods and (without := [str(c) for c in clips if protocol.personal_of(c) is None]):
        raise InputError(
            "The method 'personal' needs the model of a person: train one with hmd-removal train personal, and give "
            f"its file with --personal; there is none for {', '.join(without)}."
        )
    shared = load_reference(protocol.reference) if protocol.reference else None
    device = torch.device(device or best_device())
    place = LoadedOnce(device)
    with closing(Judge(networks=protocol.networks, frechet=protocol.frechet, device=device)) as judge:
        evaluation = Evaluation(protocol, not_computed=judge.not_computed)
        rows: list[np.ndarray] = []
        for clip in tqdm(clips, desc="evaluate", unit="clip"):
            about = {"clip": str(clip)}
            if isinstance(clip, Pair):
                about = {"clip": str(clip.shown), "reference": str(clip.reference), "person": clip.person}
            try:
                results, pictures = _evaluated(clip, protocol, shared, judge, place)
            except InputError as error:
                evaluation.clips.append({**about, "results": [], "refused": str(error)})
            else:
                judge.finish()
                evaluation.clips.append({**about, "results": results})
                evaluation.mean = _means(evaluation.clips, judge)
                rows += pictures
                if sheet is not None:
                    write_png(sheet, np.vstack(rows))
            keep(evaluation)
    if evaluation.refused and not evaluation.used:
        raise InputError(f"None of {len(clips)} clips could be used. {evaluation.refused[0][1]}")
    return evaluation


def _evaluated(
    clip: Path | Pair, protocol: Protocol, reference: Reference | None, judge: Judge, place: Placement
) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """The scores of one clip, and a row of pictures for each headset. reference: if not the clip's own."""
    if isinstance(clip, Pair):
        reference, clip = load_reference(clip.reference), clip.shown
        truth = _to_the_face([read_photo(clip)], 0, protocol.size, np.zeros(1))
    else:
        truth = read_truth(clip, protocol)
    scored = slice(truth.first, None)
    judge.open(torch.from_numpy(truth.frames[scored]).float() / 255, truth.track.points[scored])
    if reference is None:
        chosen = 0 if protocol.first_frame else protocol.reference_frame
        reference = reference_from_frames(list(truth.frames[: truth.first]), frame=chosen)[0]
    results, rows = [], []
    for name in protocol.presets:
        pictures = [truth.frames[_middle(truth)]]
        for row, picture in _run(truth, reference, name, protocol, judge, protocol.personal_of(clip), place):
            pictures.append(picture)
            if row is not None:
                results.append(row)
        rows.append(np.hstack(pictures))
    return results, rows


def read_truth(clip: Path, protocol: Protocol) -> TruthClip:
    """Read a clip and cut it to the face. Raises InputError when fewer than two frames would be scored, or no face is
    in it."""
    with VideoReader(clip) as reader:
        first = 1 if protocol.first_frame else max(round(reader.info.fps), 1)
        length = first + protocol.limit if protocol.limit else None
        frames = [frame.pixels for frame in reader.frames(length=length)]
        times = np.arange(len(frames)) / float(reader.info.fps)
    if len(frames) < first + 2:
        kept = "frame" if protocol.first_frame else "second"
        raise InputError(
            f"The clip {clip} has {len(frames)} frames; more than {first + 1}, its first {kept}, are needed."
        )
    return _to_the_face(frames, first, protocol.size, times)


def _to_the_face(frames: list[np.ndarray], first: int, size: int, times: np.ndarray) -> TruthClip:
    square = Crop.of_clip(track_clip(frames, frames[0].shape[:2], UNCOVERED), MARGIN)
    crops = np.stack([square.take(frame, size) for frame in frames])
    return TruthClip(crops, track_clip(crops, crops.shape[1:3], UNCOVERED), first, times)


def _run(
    truth: TruthClip,
    reference: Reference,
    name: str,
    protocol: Protocol,
    judge: Judge,
    personal: Path | None,
    place: Placement,
) -> Iterator[tuple[dict[str, Any] | None, np.ndarray]]:
    """Yield (None, covered picture), then (scores, result picture) of each method and landmark mode."""
    covered, masks = draw_headset(truth.frames, truth.track, HeadsetArtist(preset(name), seed=0))
    middle = _middle(truth)
    yield None, covered[middle]
    frames, holes = torch.from_numpy(covered).float() / 255, torch.from_numpy(masks).float()
    scored = slice(truth.first, None)
    eyes: RecordedEyes | None = None
    for mode in protocol.landmarks:
        if eyes is None and mode.startswith(BY_DATA):
            eyes = RecordedEyes(truth.frames, truth.times)
        seen: dict[bool, tuple[FaceTrack, torch.Tensor, float]] = {}  # with the person's own pictures, and without
        # With "oracle" the engine takes the track for what it says it is.
        known = ORACLE if mode in (ORACLE, PAPER, DRIVEN) else VISIBLE
        shared = paper_reference(reference) if mode == PAPER else reference
        for method in protocol.methods:
            filler = make_filler(
                method,
                shared,
                weights=protocol.weights.get(method),
                personal=personal,
                anyone=protocol.anyone,
                place=place,
            )
            own = filler.own_reference is not None
            if own and mode == PAPER:
                filler.own_reference = paper_reference(filler.own_reference)
            given = None if own else shared
            if own not in seen:
                start = time.perf_counter()
                wearer = Wearer(causal=protocol.live)
                found = _seen(covered, masks, truth, pictures_for(filler, given), mode, wearer)
                seen[own] = *found, time.perf_counter() - start
            track, where, detection = seen[own]
            tracking, said = None, {}
            if mode.startswith(BY_DATA):
                tracking, said["data"] = eyes.tracking(_disturbance(mode), covered, track)
            start = time.perf_counter()
            result = frames  # in which no headset was found
            if where.any():
                result = deocclude_clip(frames, where, track, given, method=filler, landmarks=known, tracking=tracking)
            seconds = time.perf_counter() - start + detection
            row = {"method": method, "landmarks": mode, "preset": name} | said
            row |= judge.score((name, mode, method), result[scored], holes[scored])
            row |= {"found": float((track.status == FrameStatus.FOUND).mean()), "fps": len(frames) / seconds}
            yield row, np.round(result[middle].numpy() * 255).astype(np.uint8)


def _disturbance(mode: str) -> str:
    """What is wrong with the data of a mode "driven-by-data". Raises InputError where that is unknown."""
    known, _, what = mode.partition(DISTURBED)
    if known != BY_DATA or (what or AS_IT_IS) not in DISTURBANCES:
        raise InputError(f"Expected {BY_DATA} or {BY_DATA}:WHAT with one of {', '.join(DISTURBANCES)}, got {mode!r}.")
    return what or AS_IT_IS


def _seen(
    covered: np.ndarray, masks: np.ndarray, truth: TruthClip, reference: Reference, mode: str, wearer: Wearer
) -> tuple[FaceTrack, torch.Tensor]:
    """The face and the masks, (T, H, W), as a landmark mode knows them."""
    if mode == DETECTED:
        return _as_footage(covered, reference, wearer)
    if mode == ORACLE:
        track = truth.track
    elif mode == PAPER:
        track = paper_track(truth.frames)
    else:
        track = _visible_track(covered, masks, reference, wearer)
        if mode == DRIVEN:
            track = _driven_track(track, truth.track, masks)
    return track, torch.from_numpy(masks).float()


def _visible_track(covered: np.ndarray, masks: np.ndarray, reference: Reference, wearer: Wearer) -> FaceTrack:
    """What can be known of the face without the truth: the covered frames, the mask, and the reference.

    A face that is found in no frame leaves every frame as it is.
    """
    try:
        return track_clip(covered, covered.shape[1:3], wearer, masks=masks, reference=reference)
    except InputError:
        return FaceTrack.absent(len(covered), covered.shape[1:3])


def _driven_track(visible: FaceTrack, truth: FaceTrack, masks: np.ndarray) -> FaceTrack:
    """What is seen beside the mask, and the shape of the eyes under it."""
    beside = visible.covered_by(masks)
    points, visibility = driven_points(truth.points, beside.points, beside.visibility)
    return replace(beside, points=points, visibility=visibility)


def _as_footage(covered: np.ndarray, reference: Reference, wearer: Wearer) -> tuple[FaceTrack, torch.Tensor]:
    """The face and the device's masks, (T, H, W), as they are found in footage of which nothing is known."""
    size = covered.shape[1:3]
    try:
        with closing(DetectedHeadset().cover(iter(covered), wearer, reference)) as covers:
            found = list(covers)
    except InputError:
        return FaceTrack.absent(len(covered), size), torch.zeros(len(covered), *size)
    masks = np.stack([cover.mask for cover in found])
    return FaceTrack.stack((cover.face for cover in found), size), torch.from_numpy(masks).float()


def _middle(truth: TruthClip) -> int:
    return (truth.first + len(truth.frames)) // 2


def _means(clips: list[dict[str, Any]], judge: Judge) -> list[dict[str, Any]]:
    """Mean over people of every score, with a 95 % bootstrap interval over them, and the distances of all clips."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for clip, person in zip(clips, people_of(clips), strict=True):
        for row in clip["results"]:
            row = {**row, "person": person}
            groups.setdefault((row["preset"], row["landmarks"], row["method"]), []).append(row)
    means = []
    for (name, mode, method), rows in groups.items():
        mean: dict[str, Any] = {"method": method, "landmarks": mode, "preset": name, "clips": len(rows)}
        mean["frames"] = sum(row["frames"] for row in rows)
        mean["interval"] = {}
        for key in (*SCORES, "hole_share", "found", "fps"):
            known = [row for row in rows if row[key] is not None]
            values = by_person([row[key] for row in known], [row["person"] for row in known])
            mean[key] = float(values.mean()) if len(values) else None
            if len(values) > 1 and key in SCORES:
                mean["interval"][key] = [float(v) for v in bootstrap_interval(values)]
        mean["distances"] = {
            key: asdict(distance) | {"biased": distance.biased}
            for key, distance in judge.distances((name, mode, method)).items()
        }
        means.append(mean)
    return means


def people_of(clips: Sequence[dict[str, Any]]) -> list[str]:
    """Whose each clip is; one of which that is not known is somebody of its own."""
    return [clip.get("person", f"clip {number}") for number, clip in enumerate(clips)]


def by_person(values: Sequence[float], people: Sequence[str]) -> np.ndarray:
    """(N,) the mean of each person's values, NaN left out, so that nobody counts for having more of them."""
    values, people = np.array(values, dtype=float), np.array(people)
    known = ~np.isnan(values)
    return np.array([values[known & (people == person)].mean() for person in dict.fromkeys(people[known].tolist())])
