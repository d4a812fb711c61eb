"""The losses of the covered-face landmarker."""

import torch
from torch.nn import functional as F

from ...models.covered_landmarks import ANCHORS, LandmarkPrediction

EYE_DISTANCE = 9.0  # centimetres between the outer eye corners: the unit of the errors below
SPOT = 1.0  # cells of a heat map: standard deviation of the spot that it should show
SMOOTH = 0.02  # eye distances within which the position loss is quadratic: finer is the labels' own noise
HIDDEN_WEIGHT = 0.3  # of a hidden point's position against a visible one's: nobody can know it
DEPTH_WEIGHT = 0.3  # the labels' depth is a guess of a network
# Lips speak, so they cannot be had from the rest of the face, and they are few.
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
LIP_WEIGHT = 2.0
WEIGHTS = {
    "position": 10.0,
    "drafts": 4.0,
    "likelihood": 0.15,
    "pose": 4.0,
    "anchors": 2.0,
    "heat": 0.15,
    "visible": 0.5,
    "present": 0.3,
    "mask": 1.0,
}


def landmark_losses(prediction: LandmarkPrediction, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each loss of WEIGHTS, unweighted, as a scalar.

    batch: points (B, 478, 3) and pose (B, 4, 4) in crop sides, visible (B, 478) bool, mask (B, 64, 64) in [0, 1],
    present (B,) bool. A crop without a head counts for `present` and `mask` alone.
    """
    there = batch["present"].float()
    scale = torch.linalg.vector_norm(batch["pose"][:, :3, 0], dim=1) * EYE_DISTANCE  # crop sides an eye distance
    error = _error(prediction.points, batch["points"], scale)
    visible = batch["visible"].float()
    weight = there[:, None] * (visible + HIDDEN_WEIGHT * (1 - visible))
    weight[:, LIPS] *= LIP_WEIGHT
    # Visible points are placed by the position loss; their likelihood teaches the spread alone.
    plain = error[..., :2]
    judged = torch.where(visible[..., None] > 0, plain.detach(), plain)
    spread = prediction.spread / scale[:, None, None]
    axes, target_axes = prediction.pose[:, :3, :3], batch["pose"][:, :3, :3]
    turn = (axes / _length(axes) - target_axes / _length(target_axes)).abs().mean((1, 2))
    chosen = batch["points"][:, ANCHORS, :2]
    inside = ((chosen - 0.5).abs() < 0.5).all(2)
    missed = (prediction.anchors - chosen) / scale[:, None, None]
    missed = F.smooth_l1_loss(missed, torch.zeros_like(missed), reduction="none", beta=SMOOTH).sum(2)
    anchor_weight = weight[:, ANCHORS] * inside  # a heat map ends where the crop ends
    return {
        "heat": _mean(heat_loss(prediction.heat, chosen), anchor_weight),
        "anchors": _mean(missed, anchor_weight),
        "position": _mean(_distance(error), weight),
        "drafts": sum(
            (_mean(_distance(_error(draft, batch["points"], scale)), weight) for draft in prediction.drafts),
            start=error.new_zeros(()),
        ),
        "likelihood": _mean(negative_log_likelihood(judged, spread).mean(1), there),
        "pose": _mean(turn, there),
        "visible": _mean(
            F.binary_cross_entropy_with_logits(prediction.visible, visible, reduction="none").mean(1), there
        ),
        "present": F.binary_cross_entropy_with_logits(prediction.present, there),
        "mask": mask_loss(prediction.mask, batch["mask"]),
    }


def _error(points: torch.Tensor, truth: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """(B, 478, 3) in eye distances; the depth without its mean: how far away the head is, no picture says."""
    error = (points - truth) / scale[:, None, None]
    return torch.cat([error[..., :2], error[..., 2:] - error[..., 2:].mean(1, keepdim=True)], dim=2)


def _distance(error: torch.Tensor) -> torch.Tensor:
    """(B, 478) smooth L1 of errors (B, 478, 3)."""
    absolute = F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=SMOOTH)
    return absolute[..., :2].sum(-1) + DEPTH_WEIGHT * absolute[..., 2]


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weighted sum."""
    return sum(WEIGHTS[name] * loss for name, loss in losses.items())


def negative_log_likelihood(error: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """-log of a plane Gaussian, without the constant log(2 pi).

    error: (..., 2); spread: (..., 3), the Cholesky factor (l11, l21, l22) of the covariance. Returns (...).
    """
    first = error[..., 0] / spread[..., 0]
    second = (error[..., 1] - spread[..., 1] * first) / spread[..., 2]
    return 0.5 * (first**2 + second**2) + torch.log(spread[..., 0]) + torch.log(spread[..., 2])


def heat_loss(heat: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(B, K) cross entropies of heat maps, logits (B, K, H, W), with spots at the true places, (B, K, 2) in map sides.

    A mean place alone can come from a map that is blurred over half the picture, and is drawn to its middle then (cf.
    Nibali et al. 2018, who add such a term to the loss on coordinates).
    """
    height, width = heat.shape[2:]
    x = torch.arange(width, device=heat.device) + 0.5 - places[..., :1] * width
    y = torch.arange(height, device=heat.device) + 0.5 - places[..., 1:] * height
    spot = torch.exp(-(x[:, :, None] ** 2 + y[..., None] ** 2) / (2 * SPOT**2)).flatten(2)
    spot = spot / spot.sum(2, keepdim=True).clamp_min(1e-6)
    return -(spot * heat.flatten(2).log_softmax(2)).sum(2)


def mask_loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy plus 1 - Dice, the latter over the whole batch. logits, mask: (B, H, W)."""
    chance = torch.sigmoid(logits)
    dice = 2 * (chance * mask).sum() / ((chance**2).sum() + (mask**2).sum()).clamp_min(1.0)
    return F.binary_cross_entropy_with_logits(logits, mask) + 1 - dice


def _length(axes: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(axes[:, :, :1], dim=1, keepdim=True)


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (values * weights).sum() / weights.sum().clamp_min(1)
