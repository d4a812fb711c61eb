"""Whether the result shows the expression of the truth, as a classifier sees it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..networks.face_expression import LABELS, FaceExpression, face_squares

BATCH = 32


def expressions(network: FaceExpression, frames: Tensor, points: Tensor) -> Tensor:
    """Class probabilities per frame (T,7); NaN on frames whose landmarks are not finite.

    frames: (T,H,W,3) in [0, 1]. points: (T,478,2 or more) in pixels: those of the truth for the result as well, so that
    a badly restored face is not cut out by its own errors.
    """
    device = next(network.parameters()).device
    chances = frames.new_full((len(frames), len(LABELS)), torch.nan)
    known = points.isfinite().all(dim=(1, 2)).nonzero()[:, 0]
    for part in known.split(BATCH) if len(known) else ():
        squares = face_squares(frames[part].permute(0, 3, 1, 2).to(device), points[part].to(device))
        chances[part] = network(squares).cpu()
    return chances


def expression_difference(result: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the class probabilities (T,7) per frame (T,), as in EVI-HRnet's equation 7; at most
    2 / 7."""
    return (result - truth).abs().mean(1)


def expression_agreement(result: Tensor, truth: Tensor) -> Tensor:
    """1 on frames whose likeliest class is the truth's, else 0 (T,); NaN where there are no probabilities (T,7)."""
    agree = (result.argmax(1) == truth.argmax(1)).to(truth)
    return torch.where((result + truth).isfinite().all(1), agree, torch.nan)
