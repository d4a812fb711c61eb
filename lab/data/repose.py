"""Turning the head in a photograph: its mesh, and what surrounds it, drawn at another pose (after Zhu et al. 2016,
"Face alignment across large poses", whose meshing of the background this follows in spirit)."""

from dataclasses import dataclass

import cv2
import numpy as np

from ...tracking.geometry import (
    FACE_OVAL,
    MESH_POINT_COUNT,
    head_pose,
    pose_angles,
    pose_scale,
    transform,
)
from ...tracking.mesh import extend_points, warp_mesh
from .face_store import FaceStore

PIVOT = np.array([0.0, 4.0, 5.0])  # face coordinates, centimetres: about where the neck carries the head
PINNED = len(FACE_OVAL)  # points of the outermost ring, which stay where they are and hold the background


@dataclass(frozen=True)
class Posed:
    """A face in a picture. image: (S, S, 3) uint8; points: (478, 3) pixels; pose: (4, 4) cm to pixels."""

    image: np.ndarray
    points: np.ndarray
    pose: np.ndarray


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(3, 3) whose pose_angles are these, in degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    away = -np.array([np.sin(y) * np.cos(p), np.sin(p), -np.cos(y) * np.cos(p)])
    right = np.array([np.cos(r), np.sin(r), -(np.cos(r) * away[0] + np.sin(r) * away[1]) / away[2]])
    right /= np.linalg.norm(right)
    return np.column_stack([right, np.cross(away, right), away])


def repose(
    image: np.ndarray,
    points: np.ndarray,
    turn: np.ndarray,
    deformation: np.ndarray | None,
    crop: np.ndarray,
    side: int,
) -> Posed:
    """Draw the head of a picture with the rotation `turn`, (3, 3), straight into a square crop.

    image: (S, S, 3) uint8; points: (478, 3) its pixels. deformation: (478, 3) centimetres added to the face's shape.
    crop: (2, 3) from the image's pixels to the crop's, whose side is `side` pixels. Around the head the background
    stretches; nothing is torn.
    """
    pose = head_pose(points)
    source = extend_points(points.astype(np.float64), pose)
    pivot, scale = transform(pose, PIVOT), pose_scale(pose)
    turned = np.eye(4)
    turned[:3, :3] = scale * turn
    turned[:3, 3] = pivot - turned[:3, :3] @ PIVOT
    face = transform(np.linalg.inv(pose), np.concatenate([source, points[MESH_POINT_COUNT:]]))
    irises = np.arange(len(source), len(face))
    if deformation is not None:
        face[:MESH_POINT_COUNT] += deformation[:MESH_POINT_COUNT]
        face[irises] += deformation[MESH_POINT_COUNT:]
    target = transform(turned, face)
    target[len(source) - PINNED : len(source)] = source[-PINNED:]

    grow = float(np.sqrt(abs(np.linalg.det(crop[:, :2]))))
    moved = np.column_stack([target[:, :2] @ crop[:, :2].T + crop[:, 2], target[:, 2] * grow])
    drawn, kind = warp_mesh(image, source, moved[: len(source)], np.ones((side, side), bool))
    beyond = cv2.warpAffine(image, crop, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    full = np.eye(4)
    full[:2, :2], full[2, 2], full[:2, 3] = crop[:, :2], grow, crop[:, 2]
    labels = np.concatenate([moved[:MESH_POINT_COUNT], moved[irises]]).astype(np.float32)
    return Posed(np.where(kind[..., None] > 0, drawn, beyond), labels, full @ turned)


def angles_of(store: FaceStore, index: int) -> np.ndarray:
    """(yaw, pitch, roll) in degrees of a stored face."""
    return pose_angles(head_pose(store.points[index]))
