"""Exercises of lesson 15: Dice on logits, IoU with ignored pixels, tiles, outlines, counting, panoptic quality, masks that shrink."""

import numpy as np
import torch
from scipy import ndimage

from course_utils.exercises.bank import Case, Exercise, Mistake


def soft_dice(logits, mask):
    p = torch.sigmoid(logits)
    return 2 * (p * mask).sum() / (p.sum() + mask.sum())


def class_iou(predicted, mask, k):
    known = mask != 255
    a, b = (predicted == k) & known, (mask == k) & known
    return (a & b).sum() / (a | b).sum()


def tile_starts(length, tile, overlap):
    starts = list(range(0, length - tile, tile - overlap))
    return [*starts, length - tile]


def outline_gap(predicted, true):
    from_predicted = ndimage.distance_transform_edt(~true)[predicted]
    from_true = ndimage.distance_transform_edt(~predicted)[true]
    return np.concatenate([from_predicted, from_true]).mean()


def count_cells(membrane, smallest):
    areas = ndimage.label(~membrane)[0]
    sizes = np.bincount(areas.ravel())[1:]
    return (sizes >= smallest).sum()


def panoptic_quality(ious, predicted, true):
    matched = ious[ious > 0.5]
    return matched.sum() / ((predicted + true) / 2)


def shrink_mask(mask, factor):
    h, w = mask.shape
    blocks = mask.reshape(h // factor, factor, w // factor, factor)
    votes = np.stack([(blocks == k).sum((1, 3)) for k in range(255)], -1)
    return np.where(votes.any(-1), votes.argmax(-1), 255)


def _pooled(mask, factor):
    h, w = mask.shape
    return mask.reshape(h // factor, factor, w // factor, factor)


def _voted(blocks, numbers):
    return np.stack([(blocks == k).sum((1, 3)) for k in range(numbers)], -1).argmax(-1)


def _strips(mask, factor):
    h, w = mask.shape
    strips = mask.reshape(h // factor, w // factor, factor * factor)
    votes = np.stack([(strips == k).sum(-1) for k in range(255)], -1)
    return np.where(votes.any(-1), votes.argmax(-1), 255)


def _first_come(mask, factor, ignored=255):
    blocks = _pooled(mask, factor).swapaxes(1, 2)
    votes = [[[k for k in block.ravel().tolist() if k != ignored] for block in row] for row in blocks]
    return np.array([[max(known, key=known.count, default=255) for known in row] for row in votes])


def _gaps(p, t):
    return ndimage.distance_transform_edt(~t)[p], ndimage.distance_transform_edt(~p)[t]


def _sizes(areas):
    return np.bincount(areas.ravel())


_RNG = np.random.default_rng(3)
_LOGITS = torch.tensor([[2.0, -1.0, 0.3], [-3.0, 1.2, 4.0]])
_MASK = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
_PREDICTED = _RNG.integers(0, 3, (6, 8))
_TRUE = np.where(_RNG.random((6, 8)) < 0.3, 255, _RNG.integers(0, 3, (6, 8)))
_EDGE = np.eye(12, dtype=bool)
_MOVED = np.roll(_EDGE, 2, axis=1)
_SHORT = _EDGE & (np.arange(12)[:, None] < 7)
_WALLS = np.zeros((14, 15), bool)
_WALLS[6], _WALLS[:, 7] = True, True
_WALLS[2:5, 2], _WALLS[2:5, 4], _WALLS[2, 2:5], _WALLS[4, 2:5] = True, True, True, True
_DIAGONAL = np.zeros((12, 12), bool)
_DIAGONAL[np.arange(12), np.arange(12)] = True
_DIAGONAL[8, 9:] = True
_CLASSES = np.array(
    [[0, 0, 5, 5, 1, 1], [0, 2, 7, 5, 2, 3], [2, 255, 0, 9, 255, 255], [255, 255, 9, 0, 255, 255]]
)

EXERCISES = [
    Exercise(
        id="15.1",
        title="Soft Dice from logits",
        reference=soft_dice,
        cases=[Case(_LOGITS, _MASK), Case(-_LOGITS, _MASK), Case(3 * _LOGITS, 1 - _MASK)],
        mistakes=[
            Mistake(
                lambda z, y: 2 * (z * y).sum() / (z.sum() + y.sum()),
                "Dice on logits: they may be negative and above one, so the ratio means nothing. Turn them into probabilities first.",
            ),
            Mistake(
                lambda z, y: (
                    2 * (torch.sigmoid(z) * y).sum() / ((torch.sigmoid(z) ** 2).sum() + (y**2).sum())
                ),
                "Those are V-Net's squares below the line. Here the sizes are plain sums, as in lesson 06.",
            ),
            Mistake(
                lambda z, y: 2 * ((z > 0) * y).sum() / ((z > 0).sum() + y.sum()),
                "You rounded to 0 and 1. That is the score; it has no gradient, so nothing can learn from it. Keep the probabilities.",
            ),
            Mistake(
                lambda z, y: (
                    (torch.sigmoid(z) * y).sum() / (torch.sigmoid(z) + y - torch.sigmoid(z) * y).sum()
                ),
                "That is the soft IoU: the overlap counted once, over the union. Dice counts it twice, over the sum of both sizes.",
            ),
            Mistake(
                lambda z, y: (torch.sigmoid(z) * y).sum() / (torch.sigmoid(z).sum() + y.sum()),
                "The factor 2 is missing: a perfect mask would score one half.",
            ),
            Mistake(
                lambda z, y: 1 - 2 * (torch.sigmoid(z) * y).sum() / (torch.sigmoid(z).sum() + y.sum()),
                "That is the loss. Asked for is the coefficient, which is 1 when all is right.",
            ),
            Mistake(
                lambda z, y: 2 * (z.softmax(-1) * y).sum() / (z.softmax(-1).sum() + y.sum()),
                "A softmax over the columns makes the pixels of a row compete with each other. One logit a pixel means a sigmoid.",
            ),
            Mistake(
                lambda z, y: (2 * (torch.sigmoid(z) * y).sum() + 1) / (torch.sigmoid(z).sum() + y.sum() + 1),
                "The 1 above and below is a habit of training losses; on small pictures it changes the score. Leave it out.",
            ),
        ],
        hints=(
            "What range do the logits have, and what range does Dice want?",
            "Overlap: the sum of probability times mask. Sizes: the sum of the probabilities, the sum of the mask.",
            "`p = torch.sigmoid(logits)`, then twice the overlap divided by the two sizes together.",
        ),
    ),
    Exercise(
        id="15.2",
        title="IoU of one class, with ignored pixels",
        reference=class_iou,
        cases=[Case(_PREDICTED, _TRUE, 0), Case(_PREDICTED, _TRUE, 1), Case(_PREDICTED.T, _TRUE.T, 2)],
        mistakes=[
            Mistake(
                lambda p, m, k: ((p == k) & (m == k)).sum() / ((p == k) | (m == k)).sum(),
                "What was predicted on ignored pixels stands in your union, as a false alarm. Nobody knows what is there: leave those pixels out.",
            ),
            Mistake(
                lambda p, m, k: (
                    ((p == k) & (m == k)).sum() / (((p == k) & (m != 255)).sum() + (m == k).sum())
                ),
                "You divided by the sum of both areas, in which the overlap counts twice. The union has it once.",
            ),
            Mistake(
                lambda p, m, k: (
                    2 * ((p == k) & (m == k)).sum() / (((p == k) & (m != 255)).sum() + (m == k).sum())
                ),
                "That is the Dice coefficient. IoU divides the overlap by the union.",
            ),
            Mistake(
                lambda p, m, k: ((p == k) & (m == k)).sum() / (m == k).sum(),
                "That is the recall: it forgives every false alarm. The union also holds what was predicted in the wrong place.",
            ),
            Mistake(
                lambda p, m, k: (((p == k) == (m == k)) & (m != 255)).sum() / (m != 255).sum(),
                "You counted the pixels where both agree that the class is absent, too. That is an accuracy, which a rare class gets for nothing.",
            ),
            Mistake(
                lambda p, m, k: ((p == k) & (m == k)).sum() / ((p == k) & (m != 255)).sum(),
                "That is the precision: it forgives everything that was missed.",
            ),
        ],
        hints=(
            "Which pixels take part at all?",
            "Make two boolean masks, *predicted as k* and *truly k*, both false where the mask is 255.",
            "`(a & b).sum() / (a | b).sum()`.",
        ),
    ),
    Exercise(
        id="15.3",
        title="Where the tiles begin",
        reference=tile_starts,
        cases=[Case(512, 256, 64), Case(100, 40, 10), Case(90, 30, 0), Case(64, 64, 16)],
        mistakes=[
            Mistake(
                lambda n, t, o: [*range(0, n - t, t), n - t],
                "Your tiles lie side by side: the step is the tile. Neighbours shall share `overlap` pixels, so the step is shorter.",
            ),
            Mistake(
                lambda n, t, o: list(range(0, n - t + 1, t - o)),
                "Where the step does not divide `length - tile`, the last pixels are in no tile. The last tile has to end where the picture ends.",
            ),
            Mistake(
                lambda n, t, o: list(range(0, n, t - o)),
                "Your last tiles stick out of the picture: their start plus `tile` is beyond the end.",
            ),
            Mistake(
                lambda n, t, o: [*range(0, n - t, t - 2 * o), n - t],
                "You took the overlap off twice. Two neighbours share it, once.",
            ),
            Mistake(
                lambda n, t, o: [*range(0, n - t, t - o), n - t - 1],
                "Off by one: a tile that starts at `length - tile` ends exactly at the last pixel.",
            ),
            Mistake(
                lambda n, t, o: [*range(0, n - t + 1, t - o), n - t],
                "Where the step divides `length - tile`, the last start stands there twice. Stop the range before it.",
            ),
            Mistake(
                lambda n, t, o: list(range(0, n - t, t - o)),
                "The tile that ends with the row is missing: add `length - tile`.",
            ),
        ],
        hints=(
            "How far is the start of one tile from the start of the next, if they share `overlap` pixels?",
            "Step by `tile - overlap` while a tile still ends before the picture does; then add one that ends with it.",
            "`range(0, length - tile, tile - overlap)`, and the last start is `length - tile`.",
        ),
    ),
    Exercise(
        id="15.4",
        title="How far apart are two outlines?",
        reference=outline_gap,
        cases=[Case(_MOVED, _EDGE), Case(_SHORT, _EDGE), Case(_EDGE, _SHORT), Case(_MOVED, _SHORT)],
        mistakes=[
            Mistake(
                lambda p, t: _gaps(p, t)[0].mean(),
                "You asked the predicted pixels only. An outline of one correct pixel would have the distance 0; ask the true ones as well.",
            ),
            Mistake(
                lambda p, t: _gaps(p, t)[1].mean(),
                "You asked the true pixels only. An outline drawn everywhere would have the distance 0; ask the predicted ones as well.",
            ),
            Mistake(
                lambda p, t: np.mean([gap.mean() for gap in _gaps(p, t)]),
                "You took the mean of two means, so a pixel of the shorter outline counts more. Put all distances together, then take one mean.",
            ),
            Mistake(
                lambda p, t: np.concatenate(_gaps(p, t)).max(),
                "That is the largest distance, which is called after Hausdorff. One stray pixel decides it; asked for is the mean.",
            ),
            Mistake(
                lambda p, t: np.concatenate(
                    [ndimage.distance_transform_edt(t)[p], ndimage.distance_transform_edt(p)[t]]
                ).mean(),
                "`ndimage.distance_transform_edt` measures to the nearest zero. Without the `~` that is the nearest pixel that is *not* on the outline.",
            ),
            Mistake(
                lambda p, t: np.abs(
                    ndimage.distance_transform_edt(~t) - ndimage.distance_transform_edt(~p)
                ).mean(),
                "You compared two maps of distances in every pixel of the picture. Only the pixels on an outline are asked: index with the mask.",
            ),
        ],
        hints=(
            "`ndimage.distance_transform_edt(~edge)` gives each pixel of the picture its distance to `edge`. At which pixels do you read it?",
            "Read the distances to `true` at the pixels of `predicted`, and the distances to `predicted` at the pixels of `true`.",
            "`np.concatenate([ndimage.distance_transform_edt(~true)[predicted], ...])`, and its mean.",
        ),
    ),
    Exercise(
        id="15.5",
        title="Count the cells",
        reference=count_cells,
        cases=[Case(_WALLS, 4), Case(_DIAGONAL, 4), Case(_WALLS.T, 1)],
        mistakes=[
            Mistake(
                lambda m, s: (_sizes(ndimage.label(m)[0])[1:] >= s).sum(),
                "You counted connected membranes. They touch, so there is about one; the cells are the areas between them: `~membrane`.",
            ),
            Mistake(
                lambda m, s: (_sizes(ndimage.label(~m)[0]) >= s).sum(),
                "Number 0 of `label` is what lies outside all areas, here the membrane. It is no cell: leave the first size out.",
            ),
            Mistake(
                lambda m, s: ndimage.label(~m)[1],
                "The specks are in it. Areas with fewer than `smallest` pixels are gaps between two lines, not cells.",
            ),
            Mistake(
                lambda m, s: (_sizes(ndimage.label(~m, np.ones((3, 3)))[0])[1:] >= s).sum(),
                "With eight neighbours an area leaks through a diagonal line. `label` takes four by default; a membrane then holds.",
            ),
            Mistake(
                lambda m, s: (_sizes(ndimage.label(~m)[0])[1:] < s).sum(),
                "Those are the specks. Cells have at least `smallest` pixels.",
            ),
            Mistake(
                lambda m, s: (_sizes(ndimage.label(~m)[0])[1:] > s).sum(),
                "*Fewer than* `smallest` are left out, so an area of exactly `smallest` pixels counts: `>=`.",
            ),
        ],
        hints=(
            "Cells are what a membrane separates. Which array do you label?",
            "`label` numbers the areas from 1; `np.bincount(areas.ravel())` gives the size of each number, 0 included.",
            "Count the sizes from number 1 on that are at least `smallest`.",
        ),
    ),
    Exercise(
        id="15.6",
        title="Panoptic quality",
        reference=panoptic_quality,
        cases=[
            Case(np.array([0.9, 0.7, 0.55, 0.3]), 5, 6),
            Case(np.array([0.8, 0.2, 0.1]), 3, 8),
            Case(np.array([0.95, 0.6]), 9, 2),
            Case(np.array([0.5, 0.8]), 3, 3),
            Case(np.array([0.4, 0.2]), 2, 3),
        ],
        mistakes=[
            Mistake(
                lambda i, p, t: float(i[i > 0.5].sum()) / int((i > 0.5).sum()),
                "That is the segmentation quality: how well the matched objects fit. What was missed and what was invented costs nothing yet.",
            ),
            Mistake(
                lambda i, p, t: (i > 0.5).sum() / ((p + t) / 2),
                "That is the recognition quality, an F1 score. Each match counts as one; panoptic quality counts its overlap.",
            ),
            Mistake(
                lambda i, p, t: i.sum() / ((p + t) / 2),
                "Overlaps up to one half are no match. Only above one half is a partner unique.",
            ),
            Mistake(
                lambda i, p, t: i[i > 0.5].sum() / (p + t - (i > 0.5).sum()),
                "You divided by matched, missed and invented objects alike. Missed and invented ones count half each: half of `predicted + true`.",
            ),
            Mistake(
                lambda i, p, t: i[i > 0.5].sum() / t,
                "You divided by the true objects alone, so inventing objects is free.",
            ),
            Mistake(
                lambda i, p, t: i[i > 0.5].sum() / p,
                "You divided by the predicted objects alone, so missing objects is free.",
            ),
            Mistake(
                lambda i, p, t: i[i > 0.5].sum() / (p + t),
                "Divide by half of `predicted + true`: with every object matched perfectly the quality must be 1; yours is one half.",
            ),
            Mistake(
                lambda i, p, t: i[i >= 0.5].sum() / ((p + t) / 2),
                "An overlap of exactly one half is no match: two objects could both have it.",
            ),
            Mistake(
                lambda i, p, t: panoptic_quality(i, p, t) if (i > 0.5).any() else np.nan,
                "Without any match your mean is one of nothing, NaN. The quality is 0 then: divide the sum of the overlaps, not their mean.",
            ),
        ],
        hints=(
            "Above: the overlaps of the matches. Below: matches, plus half of what was missed and half of what was invented.",
            "Matches + missed is `true`, matches + invented is `predicted`. What is half of their sum?",
            "The sum of the overlaps above 0.5, divided by `(predicted + true) / 2`.",
        ),
    ),
    Exercise(
        id="15.7",
        title="Shrink a mask",
        reference=shrink_mask,
        cases=[
            Case(_CLASSES, 2),
            Case(_CLASSES.T, 2),
            Case(_RNG.integers(0, 4, (6, 9)), 3),
            Case(np.array([[2, 1], [1, 2]]), 2),
            Case(np.array([[200, 200], [0, 255]]), 2),
        ],
        mistakes=[
            Mistake(
                lambda m, f: _pooled(m, f).mean((1, 3)).round().astype(int),
                "The mean of classes 0 and 2 is class 1, which is not there at all. Class numbers are names, not amounts: count them.",
            ),
            Mistake(
                lambda m, f: _pooled(m, f).max((1, 3)),
                "The largest number wins, so 255 spreads and class 0 dies out. Numbers have no order here: count them.",
            ),
            Mistake(
                lambda m, f: _voted(_pooled(m, f), 256),
                "You let 255 vote. It is no class: nobody knows what is there, and a block with one known pixel has an answer.",
            ),
            Mistake(
                lambda m, f: _voted(_pooled(m, f), 255),
                "A block without a single vote became class 0. Nobody labelled it, so it stays 255.",
            ),
            Mistake(
                lambda m, f: m[f // 2 :: f, f // 2 :: f],
                "You took one pixel of each block. No class is invented, but one wrong pixel decides; the whole block shall vote.",
            ),
            Mistake(
                lambda m, f: m[::f, ::f],
                "The top left pixel of each block decides, whatever the others say. No class is invented, but the whole block shall vote.",
            ),
            Mistake(
                _first_come,
                "Of two equally common classes you took the one that came first; asked for is the smaller number.",
            ),
            Mistake(
                lambda m, f: _first_come(m, f, ignored=None),
                "Two slips: 255 votes, and of equally common classes the one that came first wins. Leave 255 out and take the smaller number.",
            ),
            Mistake(
                _strips,
                "You reshaped to `(H // factor, W // factor, factor²)` at once. That cuts rows into strips; a block has `factor` rows.",
            ),
        ],
        hints=(
            "Averaging makes no sense for names. What can you do with names? Count them.",
            "`mask.reshape(H // factor, factor, W // factor, factor)`: axes 1 and 3 run inside a block. Count each class over them.",
            "Stack the counts `(blocks == k).sum((1, 3))` of all k below 255, take the `argmax`, and put 255 where all counts are 0.",
        ),
    ),
]
