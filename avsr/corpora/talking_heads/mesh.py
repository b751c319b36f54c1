"""Surfaces of four-cornered faces: finer ones from coarse ones, as matrices, so that what is linear stays so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def subdivide(quads: np.ndarray, count: int) -> tuple[csr_matrix, np.ndarray]:
    """One step of Catmull and Clark (1978): quads (F, 4) over `count` points -> the matrix and the new quads (4F, 4).

    The matrix (points, count) float32 gives the new points from the old, and the new of anything that is interpolated
    over them: the old points first, then one for each edge, then one for each face. An edge with a face on one side only
    keeps to the boundary's own curve, so that parts cut from a larger surface do not shrink.
    """
    from scipy.sparse import coo_matrix, csr_matrix, vstack

    faces = len(quads)
    ends = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    edges, edge_of = np.unique(ends, axis=0, return_inverse=True)
    edge_of = edge_of.reshape(faces, 4)
    uses = np.bincount(edge_of.ravel(), minlength=len(edges))
    inner = uses == 2

    def matrix(rows: np.ndarray, columns: np.ndarray, values: np.ndarray | float, shape: tuple[int, int]) -> csr_matrix:
        data = np.broadcast_to(np.asarray(values, np.float64), rows.shape)
        return coo_matrix((data.ravel(), (rows.ravel(), columns.ravel())), shape).tocsr()

    face_points = matrix(np.repeat(np.arange(faces), 4), quads.ravel(), 0.25, (faces, count))
    middles = matrix(np.repeat(np.arange(len(edges)), 2), edges.ravel(), 0.5, (len(edges), count))
    edge_faces = matrix(edge_of.ravel(), np.repeat(np.arange(faces), 4), 1.0, (len(edges), faces))
    weight = np.where(inner, 0.25, 0.0)
    edge_points = _rows(1 - 2 * weight) @ middles + _rows(weight) @ edge_faces @ face_points

    valence = np.bincount(quads.ravel(), minlength=count).astype(np.float64)
    rim = np.bincount(edges[~inner].ravel(), minlength=count)
    smooth = (rim == 0) & (valence > 0)
    n = np.maximum(valence, 1)
    around_faces = matrix(quads.ravel(), np.repeat(np.arange(faces), 4), 1.0, (count, faces)) @ face_points
    around_edges = matrix(edges.ravel(), np.repeat(np.arange(len(edges)), 2), 1.0, (count, len(edges))) @ middles
    on_rim = matrix(edges[~inner].ravel(), edges[~inner][:, ::-1].ravel(), 1.0, (count, count))
    curve = rim == 2
    itself = np.where(smooth, (n - 3) / n, np.where(curve, 0.75, 1.0))
    old_points = (
        _rows(itself)
        + _rows(np.where(smooth, 1 / n**2, 0)) @ around_faces
        + _rows(np.where(smooth, 2 / n**2, 0)) @ around_edges
        + _rows(np.where(curve, 0.125, 0)) @ on_rim
    )
    middle = count + len(edges) + np.arange(faces)
    new = [
        np.stack([quads[:, k], count + edge_of[:, k], middle, count + edge_of[:, k - 1]], axis=1) for k in range(4)
    ]
    whole = vstack([old_points, edge_points, face_points]).tocsr().astype(np.float32)
    return whole, np.concatenate(new)


def triangles(quads: np.ndarray) -> np.ndarray:
    """(F, 4) -> (2F, 3) int32, the same way round; the two halves of a quad lie beside each other."""
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3).astype(np.int32)


def _rows(weights: np.ndarray) -> csr_matrix:
    from scipy.sparse import diags

    return diags(weights).tocsr()
