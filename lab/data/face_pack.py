"""A store of faces as a few small files, for a machine that trains: pictures as WebP, landmarks as 16-bit numbers."""

from pathlib import Path

import cv2
import numpy as np

from ...files import written_whole
from .face_store import ELSEWHERE_SIDE, SIDE, FaceStore

STEP = 1 / 64  # pixels: of a landmark's place, counted from the middle
QUALITY = 88  # of WebP
WHOLE = ("inside", "person", "session", "clip", "frame")


def pack(store: FaceStore, path: Path, chosen: np.ndarray | None = None, quality: int = QUALITY) -> None:
    """Write some faces of a store, or all, and all that is elsewhere in its pictures. chosen: numbers of the faces. Of
    several packs of one store, all but one want a store without `elsewhere`."""
    chosen = np.arange(len(store)) if chosen is None else chosen
    pictures = [_coded(store.images[i], quality) for i in chosen]
    others = [_coded(picture, quality) for picture in store.elsewhere]
    arrays = {name: getattr(store, name)[chosen] for name in WHOLE}
    arrays["points"] = np.round((store.points[chosen] - SIDE / 2) / STEP).clip(-32768, 32767).astype(np.int16)
    for name, coded in (("images", pictures), ("elsewhere", others)):
        arrays[name] = np.concatenate([*coded, np.zeros(0, np.uint8)])
        arrays[f"{name}_length"] = np.array([len(c) for c in coded], np.int64)
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)


def unpack(paths: list[Path], folder: Path) -> None:
    """Write the store that some packs hold together, as lab.data.face_store.open_store reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    packs = [dict(np.load(path)) for path in paths]
    for name in ("images", "elsewhere"):
        pictures = [p for pack in packs for p in _decoded(pack.pop(name), pack.pop(f"{name}_length"))]
        shape = (0, ELSEWHERE_SIDE, ELSEWHERE_SIDE, 3)
        np.save(folder / f"{name}.npy", np.stack(pictures) if pictures else np.zeros(shape, np.uint8))
    for pack in packs:
        pack["points"] = (pack["points"] * STEP + SIDE / 2).astype(np.float32)
    np.savez(folder / "faces.npz", **{name: np.concatenate([pack[name] for pack in packs]) for name in packs[0]})


def _coded(picture: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1].ravel()


def _decoded(data: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum(lengths)
    parts = (data[end - length : end] for end, length in zip(ends, lengths, strict=True))
    return [cv2.imdecode(part, cv2.IMREAD_COLOR)[..., ::-1] for part in parts]
