"""How good the aligned generator is on samples that it does not learn from."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from ...models.aligned_generator import AlignedGenerator
from .losses import WEIGHTS, GeneratorLosses
from .sample_path import Given

SHEET = 8  # rows of the sheet of results


class HeldOut:
    """Samples that stay the same. given: batches of them; losses: on their device."""

    def __init__(self, given: Sequence[Given], losses: GeneratorLosses):
        self._given, self._losses = given, losses

    @torch.inference_mode()
    def check(self, net: AlignedGenerator) -> tuple[dict[str, float], np.ndarray]:
        """Means over the batches: the loss that is learnt by; and of network and warp PSNR in the hole, LPIPS, how
        steep slopes in the hole are by the truth's, and the likeness of the face. And a sheet, (H, W, 3) uint8:
        covered, warp, network, truth."""
        rows, sheet = [], []
        for k, given in enumerate(self._given):
            filling = given.filled(net)
            warped, filled = given.shown(given.fitted.filling), given.shown(filling)
            found = self._losses(given.picture_of(filling), given.truth, given.hole, given.points)
            row = {"loss": float(sum(WEIGHTS[name] * loss for name, loss in found.items()))}
            for name, result in (("warp", warped), ("net", filled)):
                row |= {f"{score}_{name}": value for score, value in self._scores(result, given).items()}
            rows.append(row)
            if k % max(len(self._given) // SHEET, 1) == 0:
                covered = F.interpolate(given.frames[-1:], size=given.truth.shape[-1], mode="bilinear")
                last = [x[-1].permute(1, 2, 0).cpu().numpy() for x in (covered, warped, filled, given.truth)]
                sheet.append(np.hstack(last))
        scores = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        return scores, np.round(255 * np.vstack(sheet).clip(0, 1)).astype(np.uint8)

    def _scores(self, result: torch.Tensor, given: Given) -> dict[str, float]:
        squares = ((result - given.truth).square() * given.hole).sum((1, 2, 3)) / (3 * given.hole.sum((1, 2, 3)))
        slopes = [(x.diff(dim=3).abs() * given.hole[..., 1:]).sum() for x in (result, given.truth)]
        of_result, of_truth = (self._losses.faces.embed(x, given.points) for x in (result, given.truth))
        return {
            "psnr": float((-10 * squares.log10()).mean()),
            "lpips": float(self._losses.lpips(result, given.truth).mean()),
            "slopes": float(slopes[0] / slopes[1]),
            "identity": float((of_result * of_truth).sum(1).mean()),
        }
