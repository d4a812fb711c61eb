"""Where in a picture heads may be, however large they are: the head finder over a pyramid of the picture."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .crop import Crop

if TYPE_CHECKING:
    import torch

    from ..models.head_finder import HeadFinder

# The landmarker's crop sides by the picture's height, one for each level of the pyramid: HEAD_SIDE pixels there. Heads
# (24 of a crop's 34 cm) are found from 0.09 to 1.1 of the height.
LEVELS = (1.15, 0.62, 0.34, 0.185)
LIKELY = 0.1  # from which a cell is worth a look by the landmarker
MOST_PLACES = 12  # of them


def likely_heads(net: "HeadFinder", frame: np.ndarray) -> list[Crop]:
    """The crops in which the landmarker may see a head, the likeliest first. frame: (H, W, 3) uint8."""
    import torch

    from ..models.head_finder import CELL, HEAD_SIDE

    device = next(net.parameters()).device
    height, width = frame.shape[:2]
    found: list[tuple[float, Crop]] = []
    for level in sorted(LEVELS):
        side = level * height
        scale = HEAD_SIDE / side
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)  # the level before is enough for a smaller one
        padding = ((0, -size[1] % CELL), (0, -size[0] % CELL), (0, 0))
        picture = torch.from_numpy(np.pad(frame, padding, mode="edge")).to(device)
        with torch.inference_mode():
            share = net(picture.permute(2, 0, 1)[None].float() / 255).sigmoid()
        for row, column in torch.nonzero((peaks(share) & (share > LIKELY))[0]).tolist():
            x, y = (column + 0.5) * CELL * width / size[0], (row + 0.5) * CELL * height / size[1]
            found.append((float(share[0, row, column]), Crop(x, y, side)))
    return [crop for _, crop in sorted(found, key=lambda place: -place[0])[:MOST_PLACES]]


def peaks(share: "torch.Tensor") -> "torch.Tensor":
    """(B, h, w) bool: cells that none of their neighbours exceeds."""
    from torch.nn import functional as F

    return share == F.max_pool2d(share[:, None], 3, 1, 1)[:, 0]
