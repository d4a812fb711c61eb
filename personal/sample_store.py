"""Takes: what an inpainting network learns from. Each is a piece of footage with a headset drawn on it, as the engine
hands it to a network, together with what the headset hides."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..files import written_whole
from ..headset.draw import HeadsetArtist, draw_headset
from ..restore.baselines import reference_crop
from ..restore.engine import Deoccluder
from ..restore.paste import shown_on_grid
from ..restore.warp import WarpFiller, fitted_reference
from ..tracking.follow import track_clip
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack, FrameStatus

MODES = ("oracle", "visible")
FILM, PHOTOGRAPH = "film", "photograph"  # what a take is made from
SHORTEST = 8  # frames; a network in time learns nothing from less


@dataclass(frozen=True)
class Take:
    """T consecutive frames of one person in crops of S x S pixels.

    truth, covered, warped: (T, S, S, 3) uint8: without the headset, with it, and what the method "warp" makes of it.
    hole: (T, S, S) uint8.
    points: (T, 478, 2) float32 crop pixels of the true face; seen: the same as the landmarks say; known: (T, 478) bool,
    which of `seen` are in sight. reference: (S, S, 3) uint8, the person as in the reference picture.
    """

    truth: np.ndarray
    covered: np.ndarray
    warped: np.ndarray
    hole: np.ndarray
    points: np.ndarray
    seen: np.ndarray
    known: np.ndarray
    reference: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)


def make_take(
    frames: np.ndarray,
    track: FaceTrack,
    artist: HeadsetArtist,
    reference: Reference,
    *,
    mode: str,
    side: int,
) -> Take | None:
    """Cover a clip, and prepare it as the engine does in use. None where fewer than SHORTEST frames remain.

    frames: (T, H, W, 3) uint8 of an uncovered face, and its track. mode: "oracle", the landmarks are the true ones, or
    "visible", they are what the landmarker for covered faces sees, calibrated on the reference. The longest run of
    frames with a face and a hole is kept.
    """
    if mode not in MODES:
        raise InputError(f"Expected a landmark mode out of {', '.join(MODES)}, got {mode!r}.")
    covered, masks = draw_headset(frames, track, artist)
    size = frames.shape[1:3]
    faces = track
    if mode == "visible":
        try:
            faces = track_clip(covered, size, masks=masks, reference=reference)
        except InputError:  # the landmarker finds nobody: there is nothing to learn from this one
            return None
    filler = WarpFiller()
    engine = Deoccluder(filler, reference, torch.device("cpu"))
    runs: list[list[dict[str, np.ndarray]]] = [[]]
    evidence = None
    for t in range(len(frames)):
        face = faces[t].covered_by(masks[t]) if mode == "visible" else faces[t]
        window, _ = engine.scene(face.scene).window([(covered[t], masks[t], face)])
        if window is None or track.status[t] != FrameStatus.FOUND:
            runs.append([])
            continue
        fitted, evidence = fitted_reference(window, evidence)
        (source,) = window.sources
        frame = {
            "truth": codes(source.on_grid(frames[t], side)),
            "covered": codes(source.on_grid(covered[t], side)),
            "warped": codes(shown_on_grid(fitted.filling, window.sources, window.bank, side)[0]),
            "hole": (source.on_grid(source.hole, side)[0].numpy() > 0).astype(np.uint8),
            "points": source.crop.to_crop(track.points[t], side)[:, :2].astype(np.float32),
            "seen": source.crop.to_crop(face.points, side)[:, :2].astype(np.float32),
            "known": face.visibility > 0.5,
        }
        runs[-1].append(frame)
    longest = max(runs, key=len)
    if len(longest) < SHORTEST:
        return None
    stacked = {name: np.stack([frame[name] for frame in longest]) for name in longest[0]}
    return Take(**stacked, reference=reference_crop(reference, side))


def codes(picture: torch.Tensor) -> np.ndarray:
    """(3, S, S) in [0, 1] to (S, S, 3) uint8."""
    return (picture * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


class TakeStore:
    """A folder of takes; each is read from disk as far as it is needed.

    Every take has a folder of its own with an array a file and a `take.json` that says whose it is and how it was made;
    a take without that file is unfinished and does not count.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def filled(cls, folder: Path) -> "TakeStore":
        """A folder that has to hold takes. Raises InputError where it holds none."""
        store = cls(folder)
        if not store.names():
            raise InputError(
                f"Expected takes in {folder}, but there are none; make them with hmd-removal lab prepare-data."
            )
        return store

    def __contains__(self, name: str) -> bool:
        return (self.folder / name / "take.json").is_file()

    def names(self) -> list[str]:
        """Of the finished takes, in order."""
        return sorted(path.parent.name for path in self.folder.glob("*/take.json"))

    def add(self, name: str, take: Take, about: dict[str, str]) -> None:
        """Keep a take under a name; one of that name is replaced."""
        for field in fields(Take):
            with (
                written_whole(self.folder / name / f"{field.name}.npy") as unfinished,
                unfinished.open("wb") as file,
            ):
                np.save(file, getattr(take, field.name))
        with written_whole(self.folder / name / "take.json") as unfinished:
            unfinished.write_text(json.dumps({**about, "frames": len(take)}, indent=1))

    def about(self, name: str) -> dict[str, str]:
        """What `add` was told, and the number of frames."""
        return json.loads((self.folder / name / "take.json").read_text())

    def frames(self) -> list[tuple[str, int]]:
        """Every frame of every take: its take's name and its number in it."""
        return [(name, t) for name in self.names() for t in range(int(self.about(name)["frames"]))]

    def open(self, name: str) -> Take:
        """The take, its arrays mapped from disk. Raises InputError for one of an earlier version, which had fewer."""
        try:
            arrays = {
                field.name: np.load(self.folder / name / f"{field.name}.npy", mmap_mode="r") for field in fields(Take)
            }
        except FileNotFoundError as missing:
            raise InputError(
                f"The take {name} in {self.folder} lacks {Path(missing.filename).name}: it was made by an earlier "
                "version; remove the folder and have the takes made again."
            ) from missing
        return Take(**arrays)

    def __iter__(self) -> Iterator[Take]:
        return (self.open(name) for name in self.names())
