"""The methods by name, and those without learning: the warped reference and the baselines that it has to beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from einops import rearrange

from ..errors import InputError
from ..lab.networks.compared import NETWORKS
from ..tracking.crop import CropTrack
from ..tracking.geometry import head_pose
from ..tracking.reference import Reference
from ..tracking.track import FrameStatus, TrackedFace
from .blend import match_colours
from .filler import Filler, Window
from .registration import Evidence, registered

if TYPE_CHECKING:
    from .personal import Use

METHODS = ("evi-hrnet", "warp", "personal", "static", "telea")
COMPARED = tuple(NETWORKS)  # methods besides, which EVI-HRnet is compared with; they have no weights but the user's
EVI_WEIGHTS = "evi_hrnet"  # the manifest's name for those that come with the pack


def check_method(method: str) -> None:
    """Raise InputError for an unknown method."""
    if method not in (*METHODS, *COMPARED):
        raise InputError(f"Expected a method out of {', '.join((*METHODS, *COMPARED))}, got {method!r}.")


def check_weights(method: str, weights: Path | None) -> None:
    """Raise InputError for a method without the weights that it needs."""
    if method in COMPARED and weights is None:
        raise InputError(
            f"The method {method!r} comes without weights: train it with hmd-removal train compared, and give its "
            f"file with --weights {method}=FILE."
        )


def weights_by_method(options: Sequence[str]) -> dict[str, Path]:
    """What `--weights [METHOD=]FILE`, given any number of times, says; without a method it is EVI-HRnet's.

    Raises InputError for a method that takes no weights.
    """
    files = {}
    for option in options:
        method, equals, file = option.partition("=")
        if not equals or Path(option).is_file():  # whose name may have that sign
            method, file = "evi-hrnet", option
        if method not in ("evi-hrnet", *COMPARED):
            raise InputError(
                f"Expected weights as FILE or METHOD=FILE with a method out of evi-hrnet, {', '.join(COMPARED)}, "
                f"got {option!r}."
            )
        files[method] = Path(file)
    return files


def make_filler(
    method: str,
    reference: Reference | None,
    *,
    crop_side: int | None = None,
    weights: Path | None = None,
    personal: Path | None = None,
    use: "Use | None" = None,
) -> Filler:
    """The filler of a method's name. weights: the file of its network; evi-hrnet has one that comes with the pack.
    personal: the file of a personal model; use: how that is used, if not as usual.

    Raises InputError for an unknown method, or one that lacks its reference or its weights.
    """
    check_method(method)
    if method == "telea":
        return TeleaFiller(crop_side)
    if method in COMPARED:
        from ..lab.compare.filler import ComparedFiller
        from ..lab.networks.compared import load

        check_weights(method, weights)
        network = load(weights, method).to("cuda" if torch.cuda.is_available() else "cpu")
        return ComparedFiller(network, crop_side)
    if method == "personal":
        from .personal import AS_USUAL, PersonalFiller, on_best_device, read_personal

        if personal is None:
            raise InputError(
                "The method 'personal' needs the model of a person: train one with hmd-removal train personal, and "
                "give its file with --personal."
            )
        return PersonalFiller(on_best_device(read_personal(personal)), crop_side, use=use or AS_USUAL)
    if reference is None:
        raise InputError(f"The method {method!r} needs a reference of the uncovered face; give a photo or a clip.")
    if method == "evi-hrnet":
        from ..weights import resolve
        from .evi import EVIFiller, load_network

        return EVIFiller(load_network(weights or resolve(EVI_WEIGHTS)), reference, crop_side)
    return WarpFiller(crop_side) if method == "warp" else StaticFiller(reference, crop_side)


def filler_of(method: str | Filler, reference: Reference | None) -> Filler:
    """A method by its name, or the filler itself where it was made otherwise."""
    return make_filler(method, reference) if isinstance(method, str) else method


class WarpFiller:
    """The aligned reference, its colours matched to the frame, moved to meet what is around the hole."""

    name = "warp"
    needs_alignment = True
    needs_memory = False
    whole = False
    window = 1

    def __init__(self, crop_side: int | None = None):
        self.crop_side = crop_side

    def fill(self, window: Window, state: Evidence | None) -> tuple[torch.Tensor, Evidence]:
        return fitted_reference(window, state)


def fitted_reference(window: Window, state: Evidence | None) -> tuple[torch.Tensor, Evidence]:
    """The aligned reference with its colours matched to each frame and moved to meet it, (T, 3, S, S).

    Where it shows nothing the crop stays as it is, and the hole is closed from its surroundings, or bits of the device
    would remain. state: what the call for the frames before returned, None at a clip's start.
    """
    frames = zip(
        rearrange(window.crops, "t c h w -> t h w c").numpy(),
        (window.masks[:, 0] > 0.5).to(torch.uint8).numpy(),
        rearrange(window.aligned, "t c h w -> t h w c").numpy(),
        window.aligned_kind[:, 0].numpy(),
        strict=True,
    )
    fitted = []
    for crop, hole, aligned, kind in frames:
        shown = kind > 0
        matched = np.where(shown[..., None], match_colours(aligned, crop, hole, kind), crop)
        moved, state = registered(crop, _closed(matched, ~shown & (hole > 0)), hole, shown, state)
        fitted.append(moved)
    return rearrange(torch.from_numpy(np.stack(fitted)), "t h w c -> t c h w"), state


def _closed(picture: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """The (S, S, 3) float32 picture with the pixels of `gap`, (S, S) bool, made up from their neighbours."""
    if not gap.any():
        return picture
    codes = np.round(picture * 255).astype(np.uint8)
    closed = cv2.inpaint(codes, gap.astype(np.uint8), TeleaFiller.RADIUS, cv2.INPAINT_TELEA)
    return np.where(gap[..., None], closed.astype(np.float32) / 255, picture)


class StaticFiller:
    """Baseline: the reference pasted through the crop alignment, neither re-posed nor colour-matched."""

    name = "static"
    needs_alignment = False
    needs_memory = False
    whole = False
    window = 1

    def __init__(self, reference: Reference, crop_side: int | None = None):
        self.crop_side = crop_side
        self._reference = reference

    def fill(self, window: Window, state: np.ndarray | None) -> tuple[torch.Tensor, np.ndarray]:
        side = window.crops.shape[-1]
        if state is None:
            state = reference_crop(self._reference, side)
        picture = rearrange(torch.from_numpy(state).float() / 255, "h w c -> c h w")
        return picture.expand(len(window.crops), -1, -1, -1), state


def reference_crop(reference: Reference, side: int) -> np.ndarray:
    """The first reference picture in a crop of its own, (side, side, 3) uint8: neither re-posed nor colour-matched."""
    points = reference.points[0]
    face = TrackedFace(points, FrameStatus.FOUND, np.ones(len(points), np.float32), head_pose(points), np.zeros(0))
    return CropTrack(side).push(face).take(reference.images[0])


class TeleaFiller:
    """Baseline: OpenCV's inpainting by fast marching (Telea 2004), which knows nothing of faces."""

    name = "telea"
    needs_alignment = False
    needs_memory = False
    whole = False
    window = 1
    RADIUS = 3

    def __init__(self, crop_side: int | None = None):
        self.crop_side = crop_side

    def fill(self, window: Window, state: None) -> tuple[torch.Tensor, None]:
        filled = []
        for crop, mask in zip(window.crops, window.masks[:, 0], strict=True):
            picture = np.round(rearrange(crop, "c h w -> h w c").numpy() * 255).astype(np.uint8)
            hole = (mask.numpy() > 0.5).astype(np.uint8)
            filled.append(cv2.inpaint(picture, hole, self.RADIUS, cv2.INPAINT_TELEA))
        return rearrange(torch.from_numpy(np.stack(filled)).float() / 255, "t h w c -> t c h w"), None
