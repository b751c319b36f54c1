"""Where the camera stands, and what a camera does to pictures afterwards: blur, noise, few pixels, few frames, compression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PIVOT = np.array([0.0, 6.75, 0.25], np.float32)  # decimetres: about where the head turns on the neck


@dataclass(frozen=True)
class Camera:
    """Angles (degrees) at which the head is seen before it moves; distance in decimetres (near: a wide lens); `size`, the
    height of the head from chin to crown as a share of the picture's; `across` and `down`, where the face's middle
    lies, as shares of the picture's height from its centre."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 12.0
    size: float = 0.5
    across: float = 0.0
    down: float = 0.0

    @staticmethod
    def random(rng: np.random.Generator) -> Camera:
        """Somebody filmed as people film each other: mostly from the front, seldom from quite so."""
        return Camera(
            yaw=float(np.clip(rng.normal(0, 9), -28, 28)),
            pitch=float(np.clip(rng.normal(0, 6), -15, 15)),
            roll=float(np.clip(rng.normal(0, 2.5), -8, 8)),
            distance=float(rng.uniform(6, 20)),
            size=float(rng.uniform(0.38, 0.62)),
            across=float(np.clip(rng.normal(0, 0.08), -0.2, 0.2)),
            down=float(np.clip(rng.normal(0, 0.03), -0.06, 0.06)),
        )

    def turns(self, pose: np.ndarray) -> np.ndarray:
        """(T, 3, 3) float32: the head's rotations for poses (T, 3) of yaw (to the person's left), pitch (up) and roll
        (to the person's left shoulder), degrees, beside the camera's own."""
        yaw, pitch, roll = np.radians(np.asarray(pose, np.float64) + (self.yaw, self.pitch, self.roll)).T
        zero, one = np.zeros_like(yaw), np.ones_like(yaw)

        def rows(*values: np.ndarray) -> np.ndarray:
            return np.stack(values, axis=-1).reshape(-1, 3, 3)

        about_y = rows(np.cos(yaw), zero, np.sin(yaw), zero, one, zero, -np.sin(yaw), zero, np.cos(yaw))
        about_x = rows(one, zero, zero, zero, np.cos(pitch), np.sin(pitch), zero, -np.sin(pitch), np.cos(pitch))
        about_z = rows(np.cos(roll), np.sin(roll), zero, -np.sin(roll), np.cos(roll), zero, zero, zero, one)
        return (about_z @ about_x @ about_y).astype(np.float32)

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Turned points (..., 3), decimetres -> x and y in pixels of a (height, width) picture, and z, nearer is larger."""
        from_pivot = points - PIVOT
        scale = self.size * height / HEAD_HEIGHT
        lens = scale * self.distance / (self.distance - from_pivot[..., 2])
        x = width / 2 - 0.5 + self.across * height + lens * from_pivot[..., 0]
        y = height / 2 - 0.5 + self.down * height - lens * (from_pivot[..., 1] - FACE_MIDDLE)
        return np.stack([x, y, from_pivot[..., 2]], axis=-1).astype(np.float32)


HEAD_HEIGHT = 2.45  # decimetres from chin to crown
FACE_MIDDLE = 0.45  # decimetres that the middle of the face lies above the pivot
