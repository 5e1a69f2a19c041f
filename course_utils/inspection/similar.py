"""Pictures that are the same, byte for byte, and pictures that look the same after scaling, recompression or light.

Two fingerprints (64×64, grey) look the same if three correlations are high: that of the pictures at 32×32; that of what
is left when the mean picture of the whole folder is subtracted, so that a folder of faces or cells, which all look
alike, gives no alarm; and that of the fine detail. The candidates are each picture's nearest in a k-d tree over the
coarsest cosine coefficients; groups are joined by one picture of each, until nothing changes, so that no picture is
compared with all others. Crops and mirrored copies are not found; pictures below 32 pixels only if no pixel differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from course_utils.inspection.pictures import Picture

ALIKE, UNUSUAL, DETAIL = 0.99, 0.98, 0.90  # the three correlations
SMALLEST = 32  # pixels of the shorter side: smaller pictures have too little to tell them apart
COARSE = 5  # cosine coefficients along each axis
NEIGHBOURS = 6


def exact(pictures: Sequence[Picture]) -> list[list[str]]:
    """Groups of two files or more with the same bytes, in the order of their first file."""
    groups = defaultdict(list)
    for picture in pictures:
        if picture.look is not None:
            groups[picture.digest].append(picture.file)
    return [group for group in groups.values() if len(group) > 1]


def near(pictures: Sequence[Picture]) -> list[list[str]]:
    """Groups of files that look the same though their bytes differ; of equal files only the first is looked at."""
    first = {p.digest: p for p in reversed(pictures) if p.look is not None and p.look.std() > 2}
    groups = defaultdict(list)
    for picture in first.values():
        if min(picture.size) < SMALLEST:
            groups[picture.size, picture.look.tobytes()].append(picture.file)
    seen = [p for p in first.values() if min(p.size) >= SMALLEST][::-1]
    if len(seen) > 1:
        for picture, number in zip(seen, _components(seen), strict=True):
            groups[number].append(picture.file)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _components(seen: Sequence[Picture]) -> np.ndarray:
    """The number (N,) of the group that each picture belongs to."""
    looks, n = np.stack([picture.look for picture in seen]), len(seen)
    coarse = _coarse(looks)
    middle = coarse.mean(0) if n >= 20 else np.zeros(coarse.shape[1], np.float32)
    pairs, component, new = np.empty((0, 2), int), np.arange(n), True
    while new:  # many copies of one picture fill each other's neighbours
        some = np.unique(component, return_index=True)[1]
        more = some[_pairs(looks[some], coarse[some], middle)]
        pairs, new = np.concatenate([pairs, more]), len(more)
        graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(n, n))
        _, component = connected_components(graph, directed=False)
    return component


def _coarse(looks: np.ndarray) -> np.ndarray:
    return _unit(looks.reshape(-1, 32, 2, 32, 2).mean((2, 4), dtype=np.float32).reshape(len(looks), -1))


def _pairs(looks: np.ndarray, coarse: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(K, 2) indices of the pairs of (N, 64, 64) looks that pass all three tests."""
    waves = dctn(coarse.reshape(-1, 32, 32), axes=(1, 2), norm="ortho")[:, :COARSE, :COARSE]
    points = waves.reshape(len(looks), -1)
    reach = np.sqrt(2 * (1 - ALIKE))
    k = min(NEIGHBOURS + 1, len(looks))
    _, found = cKDTree(points).query(points, k=k, distance_upper_bound=reach)
    i = np.repeat(np.arange(len(looks)), k)
    j = found.ravel()
    keep = (j < len(looks)) & (i != j)
    pairs = np.unique(np.sort(np.stack([i[keep], j[keep]], 1), axis=1), axis=0)
    return np.array([pair for pair in pairs if _same(looks, coarse, middle, *pair)], int).reshape(-1, 2)


def _same(looks, coarse, middle, i: int, j: int) -> bool:
    if coarse[i] @ coarse[j] < ALIKE:
        return False
    a, b = coarse[i] - middle, coarse[j] - middle
    if a @ b < UNUSUAL * np.sqrt((a @ a) * (b @ b)):
        return False
    fine = _unit(np.stack([_detail(looks[i]), _detail(looks[j])]).reshape(2, -1))
    return bool(fine[0] @ fine[1] >= DETAIL)


def _detail(look: np.ndarray) -> np.ndarray:
    values = look.astype(np.float32)
    return values - uniform_filter(values, 9, mode="nearest")


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
