"""Lesson 14: object detection."""

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.exercises.bank import Case, Exercise, Mistake


def iou_of(a, b):
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = wide * high
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def corners_of(line, width, height):
    _, x, y, w, h = (float(part) for part in line.split())
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


def keep_boxes(iou, scores, labels, threshold):
    left, keep = list(np.argsort(-scores)), []
    while left:
        best = left.pop(0)
        keep.append(int(best))
        left = [i for i in left if labels[i] != labels[best] or iou[best, i] <= threshold]
    return keep


def ap_of(hits, wanted):
    right = np.cumsum(hits)
    precision, recall = right / np.arange(1, len(hits) + 1), right / wanted
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return (envelope * np.diff(recall, prepend=0)).sum()


def focal_sum(logits, targets, gamma):
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).sum()


def middle(point, box):
    left, top, right, bottom = point[0] - box[0], point[1] - box[1], box[2] - point[0], box[3] - point[1]
    return (min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom)) ** 0.5


def saved(found, truth, always):
    return 1 - np.abs(found - truth).mean(axis=0) / np.abs(always - truth).mean(axis=0)


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def _shared(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _iou_by(overlap):
    """Intersection over union, from ``overlap(wide, high)`` of the sides as they are, negative where boxes are apart."""

    def answer(a, b):
        shared = overlap(min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1]))
        return shared / (_area(a) + _area(b) - shared)

    return answer


def _hull_for_overlap(a, b):
    shared = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / (_area(a) + _area(b) - shared)


def _pixel_iou(a, b):
    grown = [(x1, y1, x2 + 1, y2 + 1) for x1, y1, x2, y2 in (a, b)]
    return _shared(*grown) / (_area(grown[0]) + _area(grown[1]) - _shared(*grown))


def _xywh_iou(a, b):
    a, b = ((x, y, x + w, y + h) for x, y, w, h in (a, b))
    return _shared(a, b) / (_area(a) + _area(b) - _shared(a, b))


def _line(line):
    return [float(part) for part in line.split()][1:]


def _corner_first(line, width, height):
    x, y, w, h = _line(line)
    return x * width, y * height, (x + w) * width, (y + h) * height


def _fractions(line, width, height):
    x, y, w, h = _line(line)
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def _turned(line, width, height):
    return corners_of(line, height, width)


def _without_halves(line, width, height):
    x, y, w, h = _line(line)
    return (x - w) * width, (y - h) * height, (x + w) * width, (y + h) * height


def _centre_and_size(line, width, height):
    x, y, w, h = _line(line)
    return x * width, y * height, w * width, h * height


def _overwritten(line, width, height):
    return corners_of(line, *_line(line)[2:])


def _corner_and_size(line, width, height):
    x1, y1, x2, y2 = corners_of(line, width, height)
    return x1, y1, x2 - x1, y2 - y1


def _across_classes(iou, scores, labels, threshold):
    return keep_boxes(iou, scores, np.zeros_like(labels), threshold)


def _worst_first(iou, scores, labels, threshold):
    return keep_boxes(iou, -scores, labels, threshold)


def _as_given(iou, scores, labels, threshold):
    return keep_boxes(iou, -np.arange(len(scores), dtype=float), labels, threshold)


def _the_dead_kill(iou, scores, labels, threshold):
    order = list(np.argsort(-scores))
    return [
        int(i)
        for n, i in enumerate(order)
        if not any(labels[i] == labels[j] and iou[i, j] > threshold for j in order[:n])
    ]


def _kept_where(stays):
    def answer(iou, scores, labels, threshold):
        left, keep = list(np.argsort(-scores)), []
        while left:
            best = left.pop(0)
            keep.append(int(best))
            left = [i for i in left if labels[i] != labels[best] or stays(iou[best, i], threshold)]
        return keep

    return answer


def _class_after_class(iou, scores, labels, threshold):
    rows = keep_boxes(iou, scores, labels, threshold)
    return sorted(rows, key=lambda i: labels[i])


def _places(iou, scores, labels, threshold):
    order = np.argsort(-scores).tolist()
    return [order.index(i) for i in keep_boxes(iou, scores, labels, threshold)]


def _one_a_class(iou, scores, labels, threshold):
    order = np.argsort(-scores)
    return [int(i) for n, i in enumerate(order) if labels[i] not in labels[order[:n]]]


def _curve(hits, wanted):
    right = np.cumsum(hits)
    return right / np.arange(1, len(hits) + 1), right / wanted


def _without_envelope(hits, wanted):
    precision, recall = _curve(hits, wanted)
    return (precision * np.diff(recall, prepend=0)).sum()


def _at_levels(count):
    def answer(hits, wanted):
        precision, recall = _curve(hits, wanted)
        return np.mean([precision[recall >= r].max(initial=0) for r in np.linspace(0, 1, count)])

    return answer


def _recall_of_found(hits, wanted):
    return ap_of(hits, max(1, int(np.sum(hits))))


def _mean_at_hits(hits, wanted):
    precision, _ = _curve(hits, wanted)
    return precision[np.asarray(hits, bool)].mean()


def _envelope_from_the_left(hits, wanted):
    precision, recall = _curve(hits, wanted)
    return (np.maximum.accumulate(precision) * np.diff(recall, prepend=0)).sum()


def _without_first_step(hits, wanted):
    precision, recall = _curve(hits, wanted)
    return (np.maximum.accumulate(precision[::-1])[::-1][1:] * np.diff(recall)).sum()


def _straight_lines(*start):
    def answer(hits, wanted):
        precision, recall = _curve(hits, wanted)
        return np.trapezoid([*start[1:], *precision], [*start[:1], *recall])

    return answer


def _last_precision(hits, wanted):
    return _curve(hits, wanted)[0][-1]


def _focal_with(weight):
    def answer(logits, targets, gamma):
        entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return (weight(logits, targets, gamma, torch.exp(-entropy)) * entropy).sum()

    return answer


def _focal_on_logits_twice(logits, targets, gamma):
    return focal_sum(logits.sigmoid(), targets, gamma)


def _focal_of(reduction):
    def answer(logits, targets, gamma):
        entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction=reduction)
        return (1 - torch.exp(-entropy)) ** gamma * entropy

    return answer


def _weights_times_mean(logits, targets, gamma):
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma).sum() * entropy.mean()


def _focal_mean(logits, targets, gamma):
    return focal_sum(logits, targets, gamma) / logits.numel()


def _sides(point, box):
    return point[0] - box[0], point[1] - box[1], box[2] - point[0], box[3] - point[1]


def _without_root(point, box):
    return middle(point, box) ** 2


def _inverted(point, box):
    return 1 / middle(point, box)


def _mixed_axes(point, box):
    left, top, right, bottom = _sides(point, box)
    return (min(left, top) / max(left, top) * min(right, bottom) / max(right, bottom)) ** 0.5


def _distance(point, box):
    return ((point[0] - (box[0] + box[2]) / 2) ** 2 + (point[1] - (box[1] + box[3]) / 2) ** 2) ** 0.5


def _all_sides(point, box):
    return (min(_sides(point, box)) / max(_sides(point, box))) ** 0.5


_PAIRS = [
    Case((0, 0, 4, 4), (2, 0, 6, 4)),
    Case((1, 2, 6, 8), (3, 3, 5, 12)),
    Case((0, 0, 2, 3), (5, 7, 9, 9)),
    Case((2, 2, 8, 6), (2, 2, 8, 6)),
    Case((0, 0, 4, 4), (1, 6, 3, 9)),
    Case((0, 0, 4, 4), (6, 1, 9, 3)),
    Case((2.5, 3, 4, 4.5), (0, 0, 10, 8)),
]
_PAIRS += [Case(*case.args[::-1]) for case in _PAIRS]
_LINES = [
    Case("0 0.5 0.25 0.2 0.1", 640, 480),
    Case("2 0.125 0.75 0.25 0.5", 320, 100),
    Case("1 0.9 0.9 0.1 0.2", 50, 200),
]
_IOU = np.array(
    [
        [1.0, 0.7, 0.3, 0.6, 0.0],
        [0.7, 1.0, 0.6, 0.5, 0.1],
        [0.3, 0.6, 1.0, 0.2, 0.0],
        [0.6, 0.5, 0.2, 1.0, 0.4],
        [0.0, 0.1, 0.0, 0.4, 1.0],
    ]
)
_BOXES = [
    Case(_IOU, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0, 0, 0, 1, 1]), 0.5),
    Case(_IOU, np.array([0.5, 0.9, 0.6, 0.8, 0.7]), np.array([0, 0, 0, 0, 0]), 0.55),
    Case(_IOU, np.array([0.3, 0.6, 0.9, 0.7, 0.8]), np.array([1, 0, 0, 0, 1]), 0.35),
    Case(_IOU, np.array([0.6, 0.7, 0.9, 0.8, 0.5]), np.array([0, 0, 0, 0, 0]), 0.65),
    Case(_IOU, np.array([0.6, 0.9, 0.8, 0.7, 0.5]), np.array([0, 0, 1, 0, 0]), 0.5),
    Case(_IOU, np.array([0.9, 0.8, 0.5, 0.7, 0.6]), np.array([0, 0, 0, 0, 0]), 0.5),
]
_HITS = [
    Case(np.array([1, 0, 1, 1, 0]), 4),
    Case(np.array([0, 1, 1, 0, 1, 1]), 5),
    Case(np.array([1, 1, 0, 0, 1]), 10),
]
_LOGITS = [
    Case(torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 0.0]), 2.0),
    Case(torch.tensor([-3.0, 4.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0, 0.0]), 1.0),
    Case(torch.tensor([-2.0, -0.5]), torch.tensor([1.0, 0.0]), 3.0),
]
_PLACES = [
    Case((3.0, 4.0), (0.0, 0.0, 10.0, 10.0)),
    Case((12.0, 9.0), (10.0, 4.0, 20.0, 30.0)),
    Case((5.0, 7.0), (4.0, 2.0, 9.0, 9.0)),
    Case((16.0, 9.0), (10.0, 4.0, 20.0, 30.0)),
]
_COUNTS = [
    Case(np.array([[3, 1], [5, 0], [2, 2]]), np.array([[4, 1], [3, 1], [2, 0]]), np.array([3, 1])),
    Case(np.array([[10, 0, 1], [7, 2, 3]]), np.array([[8, 1, 1], [12, 1, 2]]), np.array([11, 0, 3])),
]

EXERCISES = [
    Exercise(
        id="14.1",
        title="Intersection over union",
        reference=iou_of,
        cases=_PAIRS,
        mistakes=[
            Mistake(
                _iou_by(lambda wide, high: wide * high),
                "Boxes that do not touch get an overlap: two negative sides multiply to a positive area. Clip each side at 0 before you multiply.",
            ),
            Mistake(
                lambda a, b: _shared(a, b) / (_area(a) + _area(b)),
                "The sum of the areas counts the overlap twice, so equal boxes give one half. Subtract the overlap once: that is the union.",
            ),
            Mistake(
                _hull_for_overlap,
                "The corners are the wrong way round: the overlap starts at the *larger* of the two left edges and ends at the *smaller* of the two right ones. Yours is the enclosing box.",
            ),
            Mistake(
                lambda a, b: _shared(a, b) / min(_area(a), _area(b)),
                "You divided by the smaller box. A small box inside a large one then scores 1, although it misses most of it; the union punishes that.",
            ),
            Mistake(
                _pixel_iou,
                "The `+ 1` belongs to corners that are pixel numbers, both included, as in old Pascal VOC code. Here corners are positions, and the width is x2 - x1.",
            ),
            Mistake(
                _xywh_iou,
                "You read the last two numbers as width and height. They are the lower right corner here; COCO files have the other format.",
            ),
            Mistake(
                _iou_by(lambda wide, high: max(0, wide * high)),
                "You clipped the product, and two negative sides multiply to a positive area. Clip each side at 0 first.",
            ),
            Mistake(
                _iou_by(lambda wide, high: abs(wide) * abs(high)),
                "`abs` turns the gap between two boxes into an overlap. A negative side means 0.",
            ),
            Mistake(
                _iou_by(lambda wide, high: 0 if wide <= 0 and high <= 0 else wide * high),
                "Boxes that are apart along one axis get a negative overlap. One gap is enough for 0: `or`, or clip each side.",
            ),
            Mistake(
                _iou_by(lambda wide, high: max(0, wide) * high),
                "You clipped the width only. Boxes one above the other then get a negative overlap: clip the height, too.",
            ),
            Mistake(
                _iou_by(lambda wide, high: wide * max(0, high)),
                "You clipped the height only. Boxes side by side then get a negative overlap: clip the width, too.",
            ),
            Mistake(
                lambda a, b: _shared(a, b) / _area(a),
                "You divided by one of the boxes. The union belongs to both.",
            ),
            Mistake(
                lambda a, b: _shared(a, b) / _area(b),
                "You divided by the second box alone. Exchanging the boxes must not change the result: divide by the union.",
            ),
            Mistake(
                lambda a, b: 2 * _shared(a, b) / (_area(a) + _area(b)),
                "That is the Dice coefficient: twice the overlap over the sum. IoU divides by the union.",
            ),
        ],
        hints=(
            "The overlap of two boxes is a box itself. Where does it start, and where does it end?",
            "It starts at the larger left and upper edge, and ends at the smaller right and lower one; a negative side means no overlap.",
            "`wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))`, the height likewise; union = area a + area b - overlap.",
        ),
    ),
    Exercise(
        id="14.2",
        title="A line of a YOLO file",
        reference=corners_of,
        cases=_LINES,
        mistakes=[
            Mistake(
                _corner_first,
                "You took x and y for the upper left corner. In YOLO's files they are the centre, so every box of yours is shifted by half its size.",
            ),
            Mistake(
                _fractions,
                "The corners are right as fractions. Pixels are asked for: multiply x by the width and y by the height.",
            ),
            Mistake(
                _turned,
                "Width and height are exchanged. x goes across and belongs to the width; the error stays hidden while all pictures are square.",
            ),
            Mistake(
                _without_halves,
                "Half the width lies on each side of the centre. Your boxes are twice too wide and twice too high.",
            ),
            Mistake(
                _centre_and_size,
                "That is centre and size in pixels. Corners are asked for: x1, y1, x2, y2.",
            ),
            Mistake(
                lambda *line: [round(corner) for corner in corners_of(*line)],
                "You rounded. A corner may lie between two pixels.",
            ),
            Mistake(
                lambda *line: [int(corner) for corner in corners_of(*line)],
                "You cut off what follows the point. A corner is a float and may lie between two pixels.",
            ),
            Mistake(
                _overwritten,
                "You overwrote the picture's `width` and `height` with the box's. Give them other names.",
            ),
            Mistake(
                _corner_and_size,
                "The last two are width and height. Asked is the lower right corner.",
            ),
        ],
        hints=(
            "The line is `class x y width height`, all but the class as fractions of the picture. Of which point are x and y?",
            "They are the centre: half the width lies to the left of it.",
            "`(x - w / 2) * width` is x1; three more like it.",
        ),
    ),
    Exercise(
        id="14.3",
        title="Non-maximum suppression, class by class",
        reference=keep_boxes,
        cases=_BOXES,
        mistakes=[
            Mistake(
                _across_classes,
                "You suppress across classes. Two things of different classes can have nearly the same box, and both are there: only boxes of the same class are duplicates.",
            ),
            Mistake(
                _worst_first,
                "You start with the worst score, so poor boxes remove good ones. Sort from the best down.",
            ),
            Mistake(
                _as_given,
                "You went through the boxes in the order given. The best score goes first, whatever its row.",
            ),
            Mistake(
                _the_dead_kill,
                "A box that has been removed removes others. It is gone: only boxes that are kept may suppress.",
            ),
            Mistake(
                _kept_where(lambda overlap, threshold: overlap > threshold),
                "The comparison is turned around: you removed what does *not* overlap.",
            ),
            Mistake(
                _one_a_class,
                "You kept one box a class. Others of the class stay if they overlap no kept box by more than the threshold.",
            ),
            Mistake(
                _kept_where(lambda overlap, threshold: overlap >= threshold),
                "You dropped the boxes below the threshold, which are no duplicates. Drop those above it.",
            ),
            Mistake(
                _kept_where(lambda overlap, threshold: overlap < threshold),
                "A box whose IoU equals the threshold stays: it goes only above it.",
            ),
            Mistake(
                _class_after_class,
                "The rows stand class by class. Best first means over all classes.",
            ),
            Mistake(
                lambda *boxes: sorted(keep_boxes(*boxes)),
                "The rows stand in the order of the file. Best first: sort by score.",
            ),
            Mistake(
                _places,
                "Those are places in the sorted list. Return the rows: `order[place]`.",
            ),
        ],
        hints=(
            "Which box is certain to stay? What does it say about the others?",
            "Keep the best; drop what is of its class and overlaps it by more than the threshold; repeat with what is left.",
            "`left = [i for i in left if labels[i] != labels[best] or iou[best, i] <= threshold]`",
        ),
    ),
    Exercise(
        id="14.4",
        title="The exact area under the envelope",
        reference=ap_of,
        cases=_HITS,
        mistakes=[
            Mistake(
                _without_envelope,
                "The envelope is missing. Where precision rises again later, the earlier recalls get the later, better value: take the maximum over all later places first.",
            ),
            Mistake(
                _envelope_from_the_left,
                "Your maximum runs from the left and keeps the best precision *so far*. The envelope looks ahead: at each recall the best precision reached there or later, so it runs from the right.",
            ),
            Mistake(
                _at_levels(101),
                "That is COCO's rule, a mean over 101 levels of recall. Asked for is the exact area: each step of recall times the envelope there.",
            ),
            Mistake(
                _at_levels(11),
                "Eleven levels were the rule of Pascal VOC before 2010. Asked for is the exact area: each step of recall times the envelope there.",
            ),
            Mistake(
                _recall_of_found,
                "You divided by the boxes that were found. Recall asks for all boxes there are, `wanted`; with yours a missed box costs nothing.",
            ),
            Mistake(
                _mean_at_hits,
                "That is the mean precision over the hits. Boxes that are never found must pull it down: recall that is not reached has no area.",
            ),
            Mistake(
                _last_precision,
                "That is the precision of the whole list, at one threshold. AP is the area under the whole curve.",
            ),
            Mistake(
                _without_first_step,
                "The first step of recall, from 0, is missing.",
            ),
            Mistake(
                _straight_lines(),
                "That joins the points by straight lines. The area is made of steps under the envelope.",
            ),
            Mistake(
                _straight_lines(0, 1),
                "That is the area under slanted lines from recall 0, precision 1 on. Take the envelope and the steps of recall.",
            ),
        ],
        hints=(
            "After each detection there is a precision and a recall. Where does recall rise, and by how much?",
            "It rises by 1 / wanted at each hit and nowhere else. Multiply each rise by the envelope at that place, and add up.",
            "`envelope = np.maximum.accumulate(precision[::-1])[::-1]`, then `(envelope * np.diff(recall, prepend=0)).sum()`.",
        ),
    ),
    Exercise(
        id="14.5",
        title="Focal loss without alpha",
        reference=focal_sum,
        cases=_LOGITS,
        mistakes=[
            Mistake(
                _focal_with(lambda z, t, g, right: right**g),
                "You weigh by the probability of the truth itself: easy cases count most, hard ones least. The weight is (1 - p) to the power gamma.",
            ),
            Mistake(
                _focal_with(lambda z, t, g, right: (1 - z.sigmoid()) ** g),
                "Your p is the probability of class 1, also where the target is 0. For a background place the truth is 0, and its probability is one minus the sigmoid.",
            ),
            Mistake(
                _focal_with(lambda z, t, g, right: g * (1 - right)),
                "gamma is an exponent here, not a factor.",
            ),
            Mistake(
                _focal_on_logits_twice,
                "Sigmoid twice: `binary_cross_entropy_with_logits` takes logits.",
            ),
            Mistake(
                _focal_mean,
                "You averaged over all places. Nearly all are background and weigh nothing, so the mean is tiny; sum, and divide by the places with a box afterwards.",
            ),
            Mistake(
                _focal_with(lambda z, t, g, right: 1.0),
                "That is plain cross-entropy, focal loss with gamma 0.",
            ),
            Mistake(
                _focal_of("mean"),
                'You weighed the mean. Each place has its own weight: `reduction="none"` first, sum last.',
            ),
            Mistake(
                _focal_of("sum"),
                'You weighed the sum. Every place must get its weight before: `reduction="none"` first, sum last.',
            ),
            Mistake(
                _weights_times_mean,
                'The entropy is one mean over all places here. With `reduction="none"` each weight meets the entropy of its own place.',
            ),
            Mistake(
                _focal_with(lambda z, t, g, right: (1 - right) ** g * (0.75 - 0.5 * t)),
                "There is an alpha of 0.25 in it, which `sigmoid_focal_loss` takes unless you say otherwise. `alpha=-1` leaves it out.",
            ),
            Mistake(
                _focal_with(lambda z, t, g, right: (1 - right) ** g * t),
                "Only the places with target 1 are there. Background costs too.",
            ),
        ],
        hints=(
            "Cross-entropy is minus the logarithm of the probability of the truth. How do you get that probability back?",
            "p = exp(-entropy), element by element, for targets of 0 and of 1 alike.",
            "`((1 - torch.exp(-entropy)) ** gamma * entropy).sum()`",
        ),
    ),
    Exercise(
        id="14.6",
        title="Centre-ness",
        reference=middle,
        cases=_PLACES,
        mistakes=[
            Mistake(
                _without_root,
                "The square root is missing. Without it the value falls off too fast: one half becomes a quarter.",
            ),
            Mistake(
                _inverted,
                "Larger over smaller: your value grows towards the edge. In the middle it must be 1, at the edge 0.",
            ),
            Mistake(
                _mixed_axes,
                "You compared left with top. The middle is where left equals right and top equals bottom.",
            ),
            Mistake(
                _distance,
                "That is the distance to the centre, in pixels. Centre-ness is a ratio between 0 and 1, the same for large and small boxes.",
            ),
            Mistake(
                _all_sides,
                "You took the smallest and largest of all four sides. In a long box its very middle would then get less than 1.",
            ),
        ],
        hints=(
            "How far is the place from the left side, the right side, the top and the bottom?",
            "Across: the smaller of left and right over the larger. Down: the same with top and bottom. Multiply.",
            "`(min(l, r) / max(l, r) * min(t, b) / max(t, b)) ** 0.5`",
        ),
    ),
    Exercise(
        id="14.7",
        title="What the detector saves",
        reference=saved,
        cases=_COUNTS,
        mistakes=[
            Mistake(
                lambda found, truth, always: (
                    1 - np.abs((found - truth).mean(axis=0)) / np.abs(always - truth).mean(axis=0)
                ),
                "Too many in one picture cancel too few in another. Take the absolute value in each picture, then the mean.",
            ),
            Mistake(
                lambda found, truth, always: (
                    np.abs(found - truth).mean(axis=0) / np.abs(always - truth).mean(axis=0)
                ),
                "That is the share of the error that is left. Saved is the rest: one minus it.",
            ),
            Mistake(
                lambda found, truth, always: (
                    np.abs(always - truth).mean(axis=0) - np.abs(found - truth).mean(axis=0)
                ),
                "That is the difference, in things a picture. Asked for is the share: divide it by the rival's error.",
            ),
            Mistake(
                lambda found, truth, always: (
                    1 - np.abs(always - truth).mean(axis=0) / np.abs(found - truth).mean(axis=0)
                ),
                "Detector and rival are exchanged: the rival's error belongs below the line.",
            ),
            Mistake(
                lambda found, truth, always: 1 - np.abs(found - truth).mean() / np.abs(always - truth).mean(),
                "One number for all classes hides the rare ones behind the commonest. Average over the pictures only, axis 0.",
            ),
            Mistake(
                lambda found, truth, always: 1 - np.abs(found - truth).mean(axis=0) / truth.mean(axis=0),
                "You divided by how many there are. The rival's error is the measure: what would have been wrong without a detector?",
            ),
            Mistake(
                lambda *counts: np.maximum(saved(*counts), 0),
                "You cut off what is below 0. A detector that is worse than the rival must show it.",
            ),
            Mistake(
                lambda found, truth, always: (
                    1 - ((found - truth) ** 2).mean(axis=0) / ((always - truth) ** 2).mean(axis=0)
                ),
                "Those are squared errors. The mean absolute error takes `abs`.",
            ),
        ],
        hints=(
            "Rows are pictures, columns are classes. What is the mean absolute error of the detector, and of the rival?",
            "Both are means over the pictures of an absolute difference, one number a class. The share that is left is one over the other.",
            "`1 - np.abs(found - truth).mean(axis=0) / np.abs(always - truth).mean(axis=0)`",
        ),
    ),
]
