"""MTCNN, with which the paper finds faces: three small networks, each of which looks closer at what the one before took
for a face (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multi-task Cascaded Convolutional Networks").
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ... import weights

CELL, STRIDE = 12, 2  # pixels that the first network sees at a time, and from one place to the next


def pyramid(size: tuple[int, int], smallest: float, factor: float) -> list[float]:
    """By how much a picture of `size` (height, width) is scaled so that faces of `smallest` pixels, and of all larger
    sizes in steps of 1 / `factor`, fill a cell."""
    scale, scales = CELL / smallest, []
    while min(size) * scale >= CELL:
        scales.append(scale)
        scale *= factor
    return scales


def cells(shape: tuple[int, int], scale: float) -> Tensor:
    """The boxes, in the picture, of all places of the first network's map of `shape`, made of the picture scaled by
    `scale`; row by row."""
    rows, columns = torch.meshgrid(*(STRIDE * torch.arange(side) for side in shape), indexing="ij")
    corners = torch.stack([columns.flatten(), rows.flatten()], 1)
    return torch.cat([corners, corners + CELL], 1) / scale


def moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Each edge moved by its offset, in widths and heights of the box."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + offsets * sides


def squared(boxes: Tensor) -> Tensor:
    """Squares on the same centres, as large as the box's longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def best_of_overlapping(boxes: Tensor, scores: Tensor, most: float, *, of_smaller: bool = False) -> Tensor:
    """Indices of the boxes that are left, best first, when of two that overlap too much only the better one is kept.

    most: overlap that is no reason yet, by what both cover together, or by the smaller of the two (`of_smaller`), which
    also sorts out boxes within boxes.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left, kept = scores.argsort(descending=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low, high = torch.maximum(boxes[best, :2], boxes[left, :2]), torch.minimum(boxes[best, 2:], boxes[left, 2:])
        common = (high - low).clamp(min=0).prod(1)
        whole = torch.minimum(areas[best], areas[left]) if of_smaller else areas[best] + areas[left] - common
        left = left[common <= most * whole]
    return torch.stack(kept) if kept else scores.new_zeros(0, dtype=torch.long)


# As in the authors' program: the side of the smallest faces in pixels, the step from one scale to the next, and the
# probability of a face from which each network hands a box on.
SMALLEST, FACTOR = 20.0, 0.709
SURE = (0.6, 0.7, 0.7)
BLACK = -127.5 / 128


class MTCNN(nn.Module):
    """Finds upright, uncovered faces.

    The networks' weights are those of facenet-pytorch, by way of David Sandberg's facenet from the authors' own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pnet = BoxNet([(10, 3, 2), (16, 3, 0), (32, 3, 0)])
        self.rnet = BoxNet([(28, 3, 3), (48, 3, 3), (64, 2, 0)], dense=128)
        self.onet = BoxNet([(32, 3, 3), (64, 3, 3), (64, 3, 2), (128, 2, 0)], dense=256)

    @classmethod
    def pretrained(cls) -> "MTCNN":
        """The published networks, frozen and in evaluation mode.

        Raises:
            WeightsMissing: `mtcnn` is not to be had.
        """
        network = cls()
        network.load_state_dict(weights.load_state("mtcnn"))
        return network.eval().requires_grad_(False)

    def detect(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of the faces in an (H, W, 3) uint8 RGB frame, (N, 4) float32: left, top, right, bottom in pixels; and
        how sure each is, (N,) float32 in [0, 1]; the surest first."""
        picture = torch.from_numpy(frame).permute(2, 0, 1).float() / 128 + BLACK
        with torch.inference_mode():
            boxes = squared(self._proposed(picture))
            face, offsets = _judged(self.rnet, picture, boxes, 24)
            keep = _sure_ones(boxes, face, SURE[1], 0.7)
            boxes = squared(moved(boxes[keep], offsets[keep]))
            face, offsets = _judged(self.onet, picture, boxes, 48)
            boxes = moved(boxes, offsets)
            keep = _sure_ones(boxes, face, SURE[2], 0.7, of_smaller=True)
        return boxes[keep].numpy(), face[keep].numpy()

    def _proposed(self, picture: Tensor) -> Tensor:
        """What the first network takes for a face anywhere in the (3, H, W) picture, at any scale: (N, 4)."""
        boxes, scores, offsets = [picture.new_zeros(0, 4)], [picture.new_zeros(0)], [picture.new_zeros(0, 4)]
        for scale in pyramid(picture.shape[1:], SMALLEST, FACTOR):
            size = [int(np.ceil(side * scale)) for side in picture.shape[1:]]
            face, box = self.pnet(F.interpolate(picture[None], size, mode="area"))
            at_scale = cells(face.shape[1:], scale)
            keep = _sure_ones(at_scale, face.flatten(), SURE[0], 0.5)
            boxes.append(at_scale[keep])
            scores.append(face.flatten()[keep])
            offsets.append(box[0].flatten(1).T[keep])
        boxes, scores, offsets = torch.cat(boxes), torch.cat(scores), torch.cat(offsets)
        keep = best_of_overlapping(boxes, scores, 0.7)
        return moved(boxes[keep], offsets[keep])


class BoxNet(nn.Module):
    """One of the three: (N, 3, H, W) pictures in [-1, 1] to the probability of a face and the offsets of its box.

    convolutions: (channels, side of the kernel, side of the maximum taken over every second place, 0 for none) each.
    dense: width of a dense layer on a map of 3 x 3; the network then judges whole pictures, (N,) and (N, 4). Without
    one it judges every place, (N, h, w) and (N, 4, h, w).
    """

    def __init__(self, convolutions: list[tuple[int, int, int]], dense: int = 0):
        super().__init__()
        self.layers = nn.Sequential()
        width = 3
        for channels, kernel, pool in convolutions:
            layer = nn.Sequential(nn.Conv2d(width, channels, kernel), nn.PReLU(channels))
            if pool:
                layer.append(nn.MaxPool2d(pool, 2, ceil_mode=True))
            self.layers.append(layer)
            width = channels
        if dense:
            self.layers[-1].append(nn.Flatten())
            self.layers.append(nn.Sequential(nn.Linear(9 * width, dense), nn.PReLU(dense)))
            self.face, self.box = nn.Linear(dense, 2), nn.Linear(dense, 4)
        else:
            self.face, self.box = nn.Conv2d(width, 2, 1), nn.Conv2d(width, 4, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers(pictures)
        return self.face(features).softmax(1)[:, 1], self.box(features)


def _judged(network: BoxNet, picture: Tensor, boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """What the network says of each box, shown to it at `side` x `side` pixels."""
    patches = [_patch(picture, box, side) for box in boxes.round().int().tolist()]
    return network(torch.cat([picture.new_zeros(0, 3, side, side), *patches]))


def _sure_ones(boxes: Tensor, face: Tensor, sure: float, most: float, *, of_smaller: bool = False) -> Tensor:
    """Indices of the boxes with a face for sure, the surest first, each face once; see best_of_overlapping."""
    likely = (face >= sure).nonzero()[:, 0]
    return likely[best_of_overlapping(boxes[likely], face[likely], most, of_smaller=of_smaller)]


def _patch(picture: Tensor, box: list[int], side: int) -> Tensor:
    """(1, 3, side, side): what is in the box, black outside the (3, H, W) picture."""
    left, top, right, bottom = box
    height, width = picture.shape[1:]
    inside = picture[None, :, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    rim = (max(-left, 0), max(right - width, 0), max(-top, 0), max(bottom - height, 0))
    return F.interpolate(F.pad(inside, rim, value=BLACK), (side, side), mode="area")
