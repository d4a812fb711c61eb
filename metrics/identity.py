"""Whether the result still shows the same person."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.face_embedding import FaceEmbedding


def identity_cosine(network: FaceEmbedding, result: Tensor, truth: Tensor, points: Tensor) -> Tensor:
    """Cosine of the face embeddings of result and truth per frame (T,), in [-1, 1]; 1: the same face.

    Both faces are cut out at the truth's landmarks, so that a badly restored face is not aligned with its
    own errors. NaN on frames whose landmarks are not finite.

    result, truth: (T,H,W,3) in [0, 1]. points: (T,478,2 or more) in pixels.
    """
    cosine = result.new_full((len(result),), torch.nan)
    known = points.isfinite().all(dim=(1, 2))
    if known.any():
        device = next(network.parameters()).device
        faces = (frames[known].permute(0, 3, 1, 2).to(device) for frames in (result, truth))
        of_result, of_truth = (network.embed(face, points[known]) for face in faces)
        cosine[known] = torch.linalg.vecdot(of_result, of_truth).cpu()
    return cosine
