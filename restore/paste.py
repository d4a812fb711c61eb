"""A filling shown in the frame, as fine as the frame is: one gather from the person's picture, one blend in the hole's
box. Nothing else of the frame is touched."""

import cv2
import numpy as np
import torch

from ..driving.moved_eyes import area, layers, own
from ..errors import InputError
from ..tracking.crop import FILLED, Crop
from .align import ReferenceBank, ShownEye
from .filler import FEATHER, Filling, Source
from .grid import cells, sampled

DECIDED = 10.0  # how much steeper the share of memory is for what is fine


def feather_width(crop: Crop) -> int:
    """Feather of a crop in frame pixels, at least 1."""
    return max(round(FEATHER * crop.side), 1)


def blend_weights(hole: np.ndarray, feather: int) -> np.ndarray:
    """(H, W) float32: 1 in the hole, falling to 0 over `feather` pixels outside it. hole: (H, W) uint8, over 0."""
    outside = (hole == 0).view(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.clip(1 - distance / (feather + 1), 0, 1)


def pasted(source: Source, filling: Filling, t: int, bank: ReferenceBank | None) -> np.ndarray:
    """The source's frame, of the same type, with frame t of a filling in its hole.

    Next to the crop its edge goes on, for a strap that ends just above it; further away the frame stays as it is.
    """
    crop, frame = source.crop, source.frame
    out = frame.copy()
    feather, device = feather_width(crop), _device_of(filling)
    reach = source.place
    x, y, width, height = cv2.boundingRect(source.hole[reach])
    if not width:
        return out
    rows, columns = (
        slice(max(whole.start + start - feather, whole.start), min(whole.start + start + length + feather, whole.stop))
        for whole, start, length in zip(reach, (y, x), (height, width), strict=True)
    )
    alpha = torch.from_numpy(blend_weights(source.hole[rows, columns], feather)).to(device)
    where, alpha = _places(crop, rows, columns, alpha)
    recalled = None
    if filling.recall is not None:
        part = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip((rows, columns), reach, strict=True))
        known = torch.from_numpy(source.recalled[1][part]).to(device).float()[None, None]
        recalled = _on_device(source.recalled[0][part], device), known
    pixels = shown(filling, t, where, bank, FILLED / crop.side, recalled)
    window = out[rows, columns]
    # Where alpha is 0 this gives back what was there, bit for bit.
    mixed = torch.lerp(_on_device(window, device), pixels, alpha)[0]
    if frame.dtype == np.uint8:
        mixed = mixed.mul_(255).round_().to(torch.uint8)
    window[:] = mixed.permute(1, 2, 0).cpu().numpy()
    return out


def shown(
    filling: Filling,
    t: int,
    where: torch.Tensor,
    bank: ReferenceBank | None,
    centimetres: float,
    recalled: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """(1, 3, h, w) in [0, 1]: frame t of a filling at places of its crop.

    where: (1, h, w, 2) crop sides. centimetres: what a pixel of the result spans. recalled: what the memory shows
    there, (1, 3, h, w), and 1 where it shows anything, (1, 1, h, w); for a filling with `recall`.
    """
    one = filling.frame(t)
    picture = None if one.places is None else bank.sharp(filling.shown[t], 1 / centimetres)
    return composed(one, where, picture, recalled)


def composed(
    filling: Filling,
    where: torch.Tensor,
    picture: torch.Tensor | None,
    recalled: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """(N, 3, h, w) in [0, 1]: all frames of a filling at places of their crops.

    where: (N or 1, h, w, 2) crop sides. picture: (N, 3, R, R), what `places` lie in, None for a filling without.
    recalled: see `shown`.
    """
    where = where.expand(len(filling.drawn), -1, -1, -1)
    if filling.places is None:
        return sampled(filling.drawn, where)
    fields = [filling.places * filling.known, filling.known]
    if filling.recall is not None:
        fields += [filling.recall, filling.coarse]
    same = filling.tint.shape[-2:] == filling.places.shape[-2:]
    fields += [filling.tint] if same else []
    found = sampled(torch.cat(fields, 1), where)
    known = found[:, 2:3]
    places = (found[:, :2] / known.clamp(min=1e-3)).permute(0, 2, 3, 1)
    tint = found[:, -3:] if same else sampled(filling.tint, where)
    result = sampled(picture, places)
    # Drawing and memory do not know how eyes are wanted: the more that is otherwise, the less they count there.
    still = 1.0 if filling.eyes is None else torch.ones_like(known)
    for t, eyes in enumerate(filling.eyes or ()):
        for eye in eyes:
            draw_eye(eye, picture[t : t + 1], places[t : t + 1], result[t : t + 1], still[t : t + 1])
    result = result + tint
    seen = known if filling.share is None else known * (1 - still * sampled(filling.share, where))
    if float(seen.min()) < 1 - 1e-3:
        result = torch.lerp(sampled(filling.drawn, where), result, seen)
    if filling.recall is not None:
        remembered, whether = recalled
        share, coarse = found[:, 3:4], found[:, 4:7]
        fine = torch.sigmoid(DECIDED * share)
        recalled_share = still * fine * whether
        result = result + recalled_share * (remembered - result) + (torch.sigmoid(share) - fine) * coarse
    return result.clamp(0, 1)


EVERY = 4  # pixels from one that is looked at to the next, where an eye is searched
SAME = 0.02  # of what an eye can change, under which nobody sees that it is moved


def draw_eye(
    eye: ShownEye, picture: torch.Tensor, places: torch.Tensor, colours: torch.Tensor, still: torch.Tensor
) -> None:
    """Draw an eye as it is wanted over the colours, (1, 3, h, w), of `places`, (1, h, w, 2), of a picture; and lower
    `still`, (1, 1, h, w), around it.

    Where what is to be seen comes from is many small steps, which numpy does ten times as fast as torch.
    """
    moved = eye.moved
    if moved.changed < SAME:
        return
    rows, columns = _box_of(area(moved.eye, places[0, ::EVERY, ::EVERY].cpu().numpy()) > 0)
    where = places[:, rows, columns].cpu().numpy()
    if min(where.shape[1:3]) < 2:
        return
    steps = np.diff(own(moved.eye, where[:, ::EVERY]), axis=2)
    pixel = max(float(np.median(np.hypot(steps[..., 0], steps[..., 1]))), 1e-4)
    found = layers(moved, where, pixel)

    def on_device(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32, copy=False)).to(picture.device)

    upper, lower, ball = sampled(picture, on_device(np.concatenate([found.upper, found.lower, found.ball], 1))).chunk(
        3, 2
    )
    shares = np.stack([found.under, found.seen, found.light, found.open, area(moved.eye, where)], 1)
    under, seen, light, open_, around = on_device(shares).split(1, 1)
    skin = torch.lerp(upper, lower, under)
    ball = torch.lerp(sampled(eye.white, on_device(found.white)), ball, seen) * light
    drawn = torch.lerp(skin, ball, open_)
    colours[:, :, rows, columns] = torch.lerp(colours[:, :, rows, columns], drawn, around)
    still[:, :, rows, columns] *= 1 - moved.changed * around


def _box_of(chosen: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the picture, of which every fourth was looked at, that hold what is chosen and a bit more."""

    def span(any_chosen: np.ndarray) -> slice:
        numbers = np.flatnonzero(any_chosen)
        return slice(max(numbers[0] - 1, 0) * EVERY, (numbers[-1] + 2) * EVERY) if len(numbers) else slice(0, 0)

    return span(chosen.any(1)), span(chosen.any(0))


def shown_on_grid(filling: Filling, sources: tuple[Source, ...], bank: ReferenceBank | None, side: int) -> torch.Tensor:
    """(T, 3, side, side) in [0, 1]: a filling without memory in its crops."""
    where = cells(side, _device_of(filling))
    return torch.cat([shown(filling, t, where, bank, FILLED / side) for t in range(len(sources))])


def _places(crop: Crop, rows: slice, columns: slice, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, h, w, 2): where a part of the frame lies, in crop sides; and alpha, (h, w), 0 where the crop is too far."""
    (a, b, c), (d, e, f) = crop.matrix(1).tolist()
    y = torch.arange(rows.start, rows.stop, device=alpha.device, dtype=torch.float32)[:, None]
    x = torch.arange(columns.start, columns.stop, device=alpha.device, dtype=torch.float32)
    across, down = (a * x + c) + b * y, (d * x + f) + e * y
    corners = torch.stack([across[[0, 0, -1, -1], [0, -1, 0, -1]], down[[0, 0, -1, -1], [0, -1, 0, -1]]])
    low, high = -FEATHER, 1 + FEATHER
    if bool((corners < low).any() | (corners >= high).any()):
        alpha = alpha * ((across >= low) & (across < high) & (down >= low) & (down < high))
    return torch.stack([across, down], -1)[None], alpha


def _device_of(filling: Filling) -> torch.device:
    return (filling.drawn if filling.places is None else filling.places).device


def _on_device(picture: np.ndarray, device: torch.device) -> torch.Tensor:
    """(h, w, 3) uint8 or float32 in [0, 1] to (1, 3, h, w) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(device).permute(2, 0, 1)[None].contiguous()
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels


def half_there(restored: np.ndarray, filmed: np.ndarray, opacity: float) -> np.ndarray:
    """The restored frame with the device over it as if it were of glass. restored, filmed: (H, W, 3) uint8. opacity: 0
    shows the restored frame, 1 the one as filmed. Where both are equal nothing changes, bit for bit."""
    return cv2.addWeighted(filmed, opacity, restored, 1 - opacity, 0)


def check_opacity(opacity: float) -> None:
    """Raise InputError for an opacity that is none."""
    if not 0 <= opacity <= 1:
        raise InputError(f"Expected an opacity of the headset from 0, gone, to 1, as filmed, got {opacity:g}.")


HAND_EDGE = 0.7  # pixels: standard deviation of the edge of what lies before the hole


def left_in_front(filled: np.ndarray, frame: np.ndarray, front: np.ndarray) -> np.ndarray:
    """The filled frame with what lies before the hole as it was. filled, frame: (H, W, 3) uint8; front: (H, W) uint8,
    1 there."""
    x, y, width, height = cv2.boundingRect(front)
    place = np.s_[max(y - 3, 0) : y + height + 3, max(x - 3, 0) : x + width + 3]
    share = cv2.GaussianBlur(front[place].astype(np.float32), (0, 0), HAND_EDGE)[..., None]
    out = filled.copy()
    out[place] = np.round(share * frame[place] + (1 - share) * filled[place])
    return out
