"""How far what is remembered of a place is to be believed: as far as it fits around the hole, better than the warp.

Memory of what a device hides is as old as the last time it was in sight, and so is what is remembered next to it
(restore.memory). Where that does not meet the frame, head or camera have moved since, by about as much in the hole;
where the warped reference does not meet the frame, landmarks or light are off, in the hole a little more so. How far
the face has moved is known besides, from its landmarks.
"""

import torch

from .box import box_mean
from .device import full_precision

RING = 0.08  # of the side: width of what is compared, around the hole
REACH, PASSES = 0.12, 4  # side of the box, of the picture's, by which differences are averaged; how often
GUESSED = 0.5  # value of a line in the contour whose points are guesses; of others it is 1
SURE_LINES = 0.3  # share of a line's pixels that are bright, edges not being so, where most of it is known
FLOOR = 1 / 255  # differences below this are noise
STEEPNESS = 3.0  # of the share
# How much worse than the warp memory may fit around the hole for an even chance: in the hole the warp is off by more
# than there, above all where the landmarks in it are guesses.
FAVOUR, FAVOUR_GUESSED = 1.7, 2.0
# Where memory is further off than this it shows something else, however far off the warp is; what each step of 1 / 255
# beyond takes off the logit.
FITTING, DISTRUST = 8 / 255, 0.5
# How far the face may have moved, in sides, before what is remembered of it is believed less: skin fits around the hole
# where eyes in it do not any more. What each side beyond takes off the logit.
STILL, RESTLESS = 0.004, 600.0


def prior_share(
    frames: torch.Tensor, mask: torch.Tensor, contour: torch.Tensor, reference: torch.Tensor, memory: torch.Tensor
) -> torch.Tensor:
    """The logit of the share of memory, (B, T, 1, S, S) float32, by the differences around the hole and how far the
    face has moved.

    frames, reference: (B, T, 3, S, S) in [0, 1]; mask: (B, T, 1, S, S), 1 = hole; contour: (B, T, 1, S, S), and
    memory: (B, T, 5, S, S), see restore.network_inputs. Where nothing near the hole is remembered it is far
    below 0.
    """
    length = frames.shape[1]
    favour = torch.where(guessed(contour, mask), FAVOUR_GUESSED, FAVOUR).flatten(0, 1)
    frames, mask, reference, memory = (x.float().flatten(0, 1) for x in (frames, mask, reference, memory))
    with full_precision(frames.device), torch.no_grad():
        width = max(round(RING * frames.shape[-1]), 1)
        seam = (box_mean(mask, 3) > 0).float()  # the device's edge is blurred
        ring = (box_mean(mask, 2 * width + 1) > 0).float() - seam
        of_reference, _ = _difference(frames, reference, ring)
        of_memory, compared = _difference(frames, memory[:, :3], ring * memory[:, 3:4])
        logit = STEEPNESS * torch.log(favour * of_reference / of_memory)
        logit = logit - DISTRUST * 255 * (of_memory - FITTING).clamp(min=0)
        logit = logit - RESTLESS * (memory[:, 4:] - STILL).clamp(min=0)
        return logit.where(compared > 1e-4, -10.0).unflatten(0, (-1, length))


def guessed(contour: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Whether most of the lines in the hole are guesses, or there are none; (B, T, 1, 1, 1) bool."""
    lines, sure = ((contour > value) * mask for value in (GUESSED / 2, 1.1 * GUESSED))
    lines, sure = (x.sum((2, 3, 4), keepdim=True) for x in (lines, sure))
    return sure <= SURE_LINES * lines


def _difference(frames: torch.Tensor, pictures: torch.Tensor, where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Root mean square of the difference around each place, (N, 1, S, S), of what counts; and how much counts there."""
    squares = (pictures - frames).square().mean(1, keepdim=True) * where
    side = round(REACH * frames.shape[-1]) // 2 * 2 + 1
    squares, where = box_mean(squares, side, PASSES), box_mean(where, side, PASSES)
    return (squares / (where + 1e-8) + FLOOR**2).sqrt(), where
