"""How right and how steady a mask of a device is."""

import cv2
import numpy as np

from ...headset.evidence import chain, head_lattice


def mask_iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two (H, W) masks, over 0.5 = device; 1 where both are empty."""
    a, b = mask > 0.5, truth > 0.5
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def flicker(masks: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """(T - 1,) share of the mask that changes from frame to frame beyond the motion of the head.

    The mask of the frame before is moved by the similarity that the head moved by (place, size, roll), and compared:
    pixels in one mask only, by pixels in either. A turning head changes the outline itself, so compare with the value
    of the exact mask. masks: (T, H, W), over 0.5 = device. poses: (T, 4, 4) of the head, tracking.geometry.
    """
    changes = []
    for t in range(1, len(masks)):
        motion = head_motion(poses[t - 1], poses[t])
        before = cv2.warpAffine((masks[t - 1] > 0.5).astype(np.float32), motion, masks[t].shape[::-1]) > 0.5
        changes.append(1 - mask_iou(before, masks[t]))
    return np.array(changes)


def head_motion(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(2, 3) similarity of the picture plane that brings one (4, 4) head pose onto another, turning aside."""
    return chain(cv2.invertAffineTransform(head_lattice(after)), head_lattice(before))
