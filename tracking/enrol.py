"""From a photo, a folder of photos or a clip to a Reference."""

import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from io import BytesIO
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from ..video import VideoReader
from ..video.source import Source, readable
from ..video.views import FLAT, views_of
from .follow import Wearer, track_clip
from .heads import HeadDetector
from .reference import FrameScore, Reference, pick_reference
from .track import FaceTrack, FrameStatus, TrackedFace

log = logging.getLogger(__name__)

PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
OWN_FRAMES = 40  # of footage that is looked through for its uncovered stretches: they are long, or of no use
HEIC = {".heic", ".heif", ".hif"}  # read where the package pillow-heif is there
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}  # ISO/IEC 23008-12
MOST_FRAMES = 600  # of an enrolment clip; spread over its whole length when it is longer


def reference_from_frames(
    frames: Sequence[np.ndarray],
    *,
    still: bool = False,
    count: int = 5,
    frame: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Reference, list[FrameScore], list[int]]:
    """Detect the face in enrolment frames and choose the reference among them; see tracking.reference.pick_reference.

    frames: T arrays (H, W, 3) uint8 RGB; photos (`still`) may differ in size. frame: the one to take, or None.
    """
    if not frames:
        raise InputError("The reference needs at least one picture of the uncovered face, but none was given.")
    seen = _reported(frames, progress)
    if still:
        track = track_photos(seen)
    else:
        track = track_clip(seen, frames[0].shape[:2], Wearer(detector="uncovered", on_missing="untouched"))
    return pick_reference(frames, track, count=count, frame=frame)


def load_reference(path: str | Path, *, count: int = 5) -> Reference:
    """The reference from a photo, a folder of photos, or a clip. Raises InputError, saying what is wrong with it."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"The reference {path} does not exist; give a photo, a folder of photos or a clip.")
    if path.is_dir():
        photos = photos_in(path)
        if not photos:
            known = ", ".join(sorted(PHOTOS))
            raise InputError(f"The reference folder {path} holds no photo ({known}; HEIC with pillow-heif).")
        return reference_from_frames([read_photo(p) for p in photos], still=True, count=count)[0]
    photo = photo_of(path)
    if photo is not None:
        return reference_from_frames([photo], still=True, count=count)[0]
    with VideoReader(path) as reader:
        every = max(-(-reader.info.frame_count // MOST_FRAMES), 1)
        view = views_of(FLAT, (reader.info.height, reader.info.width), reader.info.sample_aspect_ratio)[0]
        frames = [view.take(f.pixels) for f in islice(reader.frames(every_nth=every), MOST_FRAMES)]
    return reference_from_frames(frames, count=count)[0]


def own_reference(
    source: Source, *, stereo: str = FLAT, progress: Callable[[int, int], None] | None = None
) -> tuple[Reference, list[int]]:
    """The reference from covered footage itself, whose wearer is uncovered for a while, and the numbers of its frames.

    stereo: out of video.views.STEREO; the first view is looked at. Raises InputError where the face is nowhere
    uncovered, or several people are in sight, of whom it may be another one's.
    """
    with VideoReader(source) as reader:
        info = reader.info
        view = views_of(stereo, (info.height, info.width), info.sample_aspect_ratio)[0]
        numbers = np.unique(np.linspace(0, info.frame_count - 1, OWN_FRAMES).astype(int)).tolist()
        frames, faces = [], []
        with closing(HeadDetector()) as detector:
            for done, number in enumerate(numbers, 1):
                frames += (view.take(frame.pixels) for frame in reader.frames(number, 1))
                detector.restart()
                seen = detector.detect(frames[-1])
                if len(seen) > 1:
                    raise InputError(
                        f"A reference of the uncovered face is needed, a photo or a clip: frame {number} of this video "
                        "shows several people, so it cannot serve for its own reference."
                    )
                faces.append(TrackedFace.of(seen[0], FrameStatus.FOUND) if seen else TrackedFace.missing())
                if progress is not None:
                    progress(done, len(numbers))
    try:
        reference, _, chosen = pick_reference(frames, FaceTrack.stack(faces, frames[0].shape[:2]))
    except InputError as error:
        raise InputError(
            "A reference of the uncovered face is needed, a photo or a clip; this video itself does not show one: "
            f"{str(error)[0].lower()}{str(error)[1:]}"
        ) from error
    return reference, [numbers[index] for index in chosen]


def own_reference_remark(frames: Sequence[int]) -> str:
    """What to say of a reference that the video itself gave. frames: their numbers."""
    return f"The reference is from the video itself: frames {', '.join(map(str, sorted(frames)))}."


def _reported(frames: Sequence[np.ndarray], progress: Callable[[int, int], None] | None) -> Iterator[np.ndarray]:
    for done, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(done, len(frames))


def track_photos(photos: Iterable[np.ndarray], detector: str = "uncovered") -> FaceTrack:
    """The largest face of each photo, independent of one another. detector: one of tracking.heads.MODES."""
    faces = []
    with closing(HeadDetector(detector)) as heads:
        for photo in photos:
            heads.restart()
            found = max(heads.detect(photo), key=lambda face: face.size, default=None)
            faces.append(TrackedFace.missing() if found is None else TrackedFace.of(found, FrameStatus.FOUND))
    return FaceTrack.stack(faces, (0, 0))  # photos have no common size


def photo_of(path: Path) -> np.ndarray | None:
    """The picture of a file that is a photo, see read_photo; None where it is something else, as an animation is."""
    is_photo = path.suffix.lower() in PHOTOS | HEIC and not isinstance(readable(path), BytesIO)
    return read_photo(path) if is_photo else None


def read_photo(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned upright by its EXIF tag."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The photo {path} cannot be read ({error.strerror}).") from error
    if _is_heic(content[:12]):  # phones call it .jpg now and then
        return _read_heic(path)
    # imdecode of the bytes: imread cannot open paths with non-ASCII letters on Windows
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"The photo {path} cannot be read; save it as JPEG or PNG.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def photos_in(folder: Path) -> list[Path]:
    """The photos of a folder, in order. Hidden files are none, as those that macOS keeps beside photos on other disks;
    HEIC that cannot be read is left out, which the log says."""
    files = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.suffix.lower() in PHOTOS | HEIC)
    heic = [p for p in files if p.suffix.lower() in HEIC or _is_heic(p.open("rb").read(12))]
    if heic and not _reads_heic():
        log.warning(
            "%d HEIC photos in '%s' are left out: save them as JPEG, or install pillow-heif.", len(heic), folder
        )
        files = [p for p in files if p not in heic]
    return files


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS


def _read_heic(path: Path) -> np.ndarray:
    if not _reads_heic():
        raise InputError(f"The photo {path} is HEIC, which is not read: save it as JPEG, or install pillow-heif.")
    import pillow_heif
    from PIL import ImageOps

    try:  # whole, also where it is stored in tiles, and turned upright
        return np.array(ImageOps.exif_transpose(pillow_heif.open_heif(path).to_pillow()).convert("RGB"))
    except (ValueError, OSError, SyntaxError) as error:  # what Pillow raises for damaged files
        raise InputError(f"The photo {path} cannot be read ({error}); save it as JPEG or PNG.") from error


def _reads_heic() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None
