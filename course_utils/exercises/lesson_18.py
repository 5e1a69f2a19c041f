"""Exercises of lesson 18: ground plane, horizon, metres per pixel, IoU, curvature, identities, time to collision, calibration."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from course_utils.exercises.bank import Case, Exercise, Mistake


def ground_of(H, pixels):
    rays = np.c_[pixels, np.ones(len(pixels))] @ np.linalg.inv(H).T
    return rays[:, :2] / rays[:, 2:]


def horizon_row(focal, middle, pitch):
    return middle - focal * np.tan(np.radians(pitch))


def metres_per_pixel(row, middle, height):
    return height / (row - middle)


def mean_iou(matrices):
    total = np.sum(matrices, axis=0)
    both = np.diag(total)
    union = total.sum(0) + total.sum(1) - both
    there = union > 0
    return (both[there] / union[there]).mean()


def lane_curvature(x, y):
    c, b, _ = np.polyfit(x, y, 2)
    return 2 * c / (1 + b**2) ** 1.5


def idf1(together, true, predicted):
    rows, columns = linear_sum_assignment(together, maximize=True)
    return 2 * together[rows, columns].sum() / (true + predicted)


def time_to_collision(before, after, dt):
    small, large = before[3] - before[1], after[3] - after[1]
    return dt * small / (large - small)


def calibration_error(confidence, right, bins):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((confidence[place == k] - right[place == k]).sum()) for k in range(bins)]
    return sum(gaps) / len(right)


def _homogeneous(pixels):
    return np.c_[pixels, np.ones(len(pixels))]


def _iou_of(total):
    both = np.diag(total)
    union = total.sum(0) + total.sum(1) - both
    return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)


def _greedy(together):
    left, kept = together.astype(float).copy(), 0
    while left.size and left.max() > 0:
        i, j = np.unravel_index(left.argmax(), left.shape)
        kept += left[i, j]
        left[i], left[:, j] = 0, 0
    return kept


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def _equal_counts(confidence, right, bins):
    parts = np.array_split(np.argsort(confidence), bins)
    return sum(abs((confidence - right)[rows].sum()) for rows in parts) / len(right)


def _bins_of_range(confidence, right, bins):
    low, high = confidence.min(), confidence.max()
    place = np.minimum(((confidence - low) / (high - low) * bins).astype(int), bins - 1)
    return sum(abs((confidence - right)[place == k].sum()) for k in range(bins)) / len(right)


def _bins(confidence, right, bins):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [(confidence[place == k] - right[place == k]).mean() for k in range(bins) if (place == k).any()]
    sizes = [(place == k).mean() for k in range(bins) if (place == k).any()]
    return np.array(gaps), np.array(sizes)


_TILT = np.radians(6)
_K = np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]])
_R = np.array([[0, -1, 0], [-np.sin(_TILT), 0, -np.cos(_TILT)], [np.cos(_TILT), 0, -np.sin(_TILT)]])
_H = _K @ np.column_stack([_R[:, 0], _R[:, 1], _R @ [0, 0, -1.4]])
_H2 = np.array([[2.0, 0.3, 5], [0.1, 1.5, -2], [0.01, 0.02, 1]])
_PIXELS = np.array([[80.0, 100.0], [30.0, 70.0], [140.0, 115.0]])
_FRAMES = np.array(
    [
        [[90, 2, 0], [8, 20, 0], [0, 0, 0]],
        [[40, 6, 0], [2, 3, 0], [0, 0, 0]],
    ]
)
_FRAMES3 = np.concatenate([_FRAMES, [[[10, 0, 4], [0, 30, 1], [2, 0, 5]]]])
_INVENTED = np.array([[[10, 0, 1], [0, 8, 0], [0, 0, 0]]])
_X = np.array([4.0, 8, 12, 18, 25, 33])
_TOGETHER = np.array([[0, 30, 12], [0, 25, 4], [18, 0, 0], [0, 3, 0]])
_TOGETHER2 = np.array([[10, 9], [9, 1]])
_BEFORE, _AFTER = np.array([50.0, 40, 70, 60]), np.array([48.0, 38, 73, 62])
_SURE = np.random.default_rng(5).random(60) * 0.6 + 0.4
_CHANCE = np.where(_SURE < 0.7, _SURE + 0.25, _SURE - 0.35)
_RIGHT = (np.random.default_rng(0).random(60) < _CHANCE).astype(float)
_FEW, _FEWRIGHT = np.array([0.95, 0.91, 0.92, 0.55, 1.0]), np.array([1.0, 1, 1, 1, 0])

EXERCISES = [
    Exercise(
        id="18.1",
        title="From pixels to the ground",
        reference=ground_of,
        cases=[Case(_H, _PIXELS), Case(_H2, _PIXELS), Case(_H, _PIXELS[:1] + 3)],
        mistakes=[
            Mistake(
                lambda H, p: (_homogeneous(p) @ H.T)[:, :2] / (_homogeneous(p) @ H.T)[:, 2:],
                "You went the wrong way: H leads from the ground to the picture. From pixels to metres leads its inverse.",
            ),
            Mistake(
                lambda H, p: (_homogeneous(p) @ np.linalg.inv(H).T)[:, :2],
                "The division by the third coordinate is missing. A homography gives a point only up to a factor, and the factor differs from pixel to pixel.",
            ),
            Mistake(
                lambda H, p: (
                    (_homogeneous(p) @ np.linalg.inv(H))[:, :2] / (_homogeneous(p) @ np.linalg.inv(H))[:, 2:]
                ),
                "Your points are rows, but the inverse is made for columns: multiply rows by its transpose.",
            ),
            Mistake(
                lambda H, p: (
                    (_homogeneous(p[:, ::-1]) @ np.linalg.inv(H).T)[:, :2]
                    / (_homogeneous(p[:, ::-1]) @ np.linalg.inv(H).T)[:, 2:]
                ),
                "You gave row before column. A pixel is (u, v): column first, then row.",
            ),
            Mistake(
                lambda H, p: (
                    (_homogeneous(p) @ np.linalg.inv(H).T)[:, 1::-1]
                    / (_homogeneous(p) @ np.linalg.inv(H).T)[:, 2:]
                ),
                "Left and ahead have changed places: the first coordinate on the ground is the distance ahead.",
            ),
        ],
        hints=(
            "In which direction does H lead, and in which do you want to go?",
            "Add a 1 to each pixel, multiply by the inverse of H, and make the third coordinate 1 again.",
            "`rays = np.c_[pixels, np.ones(len(pixels))] @ np.linalg.inv(H).T`; then divide the first two columns by the third.",
        ),
    ),
    Exercise(
        id="18.2",
        title="Where the horizon is",
        reference=horizon_row,
        cases=[Case(150.0, 59.5, 2.0), Case(207.8, 89.5, -9.0), Case(400.0, 179.5, 15.0)],
        mistakes=[
            Mistake(
                lambda f, m, p: m + f * np.tan(np.radians(p)),
                "The sign of the pitch is wrong. A camera that looks down sees the horizon above its middle, and rows count from the top.",
            ),
            Mistake(
                lambda f, m, p: m - f * np.tan(p),
                "`np.tan` wants radians, the pitch is in degrees.",
            ),
            Mistake(
                lambda f, m, p: m - f * np.radians(p),
                "You took the angle for its tangent. For a degree that is close; for fifteen it is some rows off.",
            ),
            Mistake(
                lambda f, m, p: m - f * np.sin(np.radians(p)),
                "The horizon lies where a ray of the pitch angle meets the sensor at the focal length: opposite over adjacent is the tangent.",
            ),
            Mistake(
                lambda f, m, p: -f * np.tan(np.radians(p)),
                "You counted from the middle of the picture. Rows count from its top: add the row of the middle.",
            ),
        ],
        hints=(
            "The camera looks down. Is the horizon above or below the middle of the picture?",
            "A direction that is `pitch` above the optical axis meets the sensor `focal · tan(pitch)` above the middle.",
            "Row of the middle minus `focal * np.tan(np.radians(pitch))`.",
        ),
    ),
    Exercise(
        id="18.3",
        title="Metres in a pixel",
        reference=metres_per_pixel,
        cases=[Case(100.0, 59.5, 1.3), Case(64.0, 59.5, 1.5), Case(300.0, 179.5, 2.2)],
        mistakes=[
            Mistake(
                lambda r, m, h: (r - m) / h,
                "Turned over: that is pixels in a metre. Near the horizon a pixel must hold many metres.",
            ),
            Mistake(
                lambda r, m, h: h / r,
                "You counted rows from the top. The distance depends on how far the row lies below the horizon.",
            ),
            Mistake(
                lambda r, m, h: h / (r - m) ** 2,
                "That falls with the square, as metres *ahead* in a pixel do (times the focal length). Sideways it is distance over focal length.",
            ),
            Mistake(
                lambda r, m, h: (r - m) * h,
                "That grows towards the car. The road fills more pixels near the car, so a pixel holds fewer metres there.",
            ),
            Mistake(
                lambda r, m, h: h / (m - r),
                "Your sign is turned: ground is seen in rows below the horizon, whose numbers are larger.",
            ),
        ],
        hints=(
            "How far away is the ground that a row sees? And how wide is a pixel there?",
            "Similar triangles: distance = focal · height / (row - middle), and a pixel is distance / focal wide.",
            "The focal length cancels: height over the rows below the horizon.",
        ),
    ),
    Exercise(
        id="18.4",
        title="Mean IoU over many frames",
        reference=mean_iou,
        cases=[
            Case(_FRAMES),
            Case(_FRAMES3),
            Case(_FRAMES3[::2]),
            Case(_INVENTED),
            Case(_INVENTED.swapaxes(1, 2)),
        ],
        mistakes=[
            Mistake(
                lambda m: np.nanmean([np.nanmean(_iou_of(one)) for one in m]),
                "You took the mean over frames of each frame's IoU. A frame with three pixels of a class then counts as much as one full of it: add the matrices first.",
            ),
            Mistake(
                lambda m: np.nan_to_num(_iou_of(np.sum(m, 0))).mean(),
                "A class that is neither true nor predicted got the IoU 0. It has none: leave it out of the mean.",
            ),
            Mistake(
                lambda m: np.trace(np.sum(m, 0)) / np.sum(m),
                "That is the share of right pixels, which road and sky decide. The mean is over classes.",
            ),
            Mistake(
                lambda m: np.nanmean(2 * _iou_of(np.sum(m, 0)) / (1 + _iou_of(np.sum(m, 0)))),
                "That is the Dice coefficient: it divides by the sum of both areas. The union has the overlap once.",
            ),
            Mistake(
                lambda m: np.mean([row[k] / row.sum() for k, row in enumerate(np.sum(m, 0)) if row.any()]),
                "That is the recall of each class: false alarms cost nothing in it. The union holds them too.",
            ),
            Mistake(
                lambda m: np.nanmean([_iou_of(np.nan_to_num(one)) for one in m]),
                "All frames and classes went into one mean, so a class counts as often as it occurs in a frame. First add the matrices, then one IoU a class.",
            ),
            Mistake(
                lambda m: _iou_of(np.sum(m, 0))[np.sum(m, (0, 2)) > 0].mean(),
                "A class that is predicted and nowhere true has the IoU 0 and belongs into the mean; else inventing it costs nothing.",
            ),
            Mistake(
                lambda m: _iou_of(np.sum(m, 0))[np.sum(m, (0, 1)) > 0].mean(),
                "A class that is true and nowhere predicted has the IoU 0 and belongs into the mean; else never finding it costs nothing.",
            ),
            Mistake(
                lambda m: np.mean([iou for iou in _iou_of(np.sum(m, 0)) if iou > 0]),
                "You left out the classes with an IoU of 0. Leave out only those whose union is empty.",
            ),
        ],
        hints=(
            "What do you add up first: pixels, or ratios?",
            "Sum the matrices. Intersection: the diagonal. Union: row sum plus column sum minus the diagonal.",
            "Take the mean only where the union is above 0.",
        ),
    ),
    Exercise(
        id="18.5",
        title="How sharply the lane bends",
        reference=lane_curvature,
        cases=[
            Case(_X, 1.5 + 0.4 * _X + 0.01 * _X**2),
            Case(_X, -1.0 - 0.25 * _X - 0.006 * _X**2),
            Case(_X, 0.6 * _X + 0.002 * _X**2 + np.sin(_X) / 9),
        ],
        mistakes=[
            Mistake(
                lambda x, y: 1 / lane_curvature(x, y),
                "That is the radius. Curvature is one over it, and stays finite on a straight road.",
            ),
            Mistake(
                lambda x, y: np.polyfit(x, y, 2)[0],
                "You gave the coefficient of x². The second derivative of c x² is 2c, and a slope makes the curve longer.",
            ),
            Mistake(
                lambda x, y: 2 * np.polyfit(x, y, 2)[0],
                "That is the second derivative. It is the curvature only where the lane runs straight ahead; divide by (1 + slope²)^1.5.",
            ),
            Mistake(
                lambda x, y: 2 * np.polyfit(x, y, 2)[2] / (1 + np.polyfit(x, y, 2)[1] ** 2) ** 1.5,
                "`np.polyfit` gives the highest power first: the coefficient of x² is the first of three.",
            ),
            Mistake(
                lambda x, y: abs(lane_curvature(x, y)),
                "The sign is lost: left and right bends are then the same, and a car that steers needs to know.",
            ),
        ],
        hints=(
            "Which derivatives of y does the curvature of y(x) need?",
            "Fit y = a + b x + c x² with `np.polyfit(x, y, 2)`, which returns c, b, a. At x = 0 the slope is b, the second derivative 2c.",
            "`2 * c / (1 + b**2) ** 1.5`.",
        ),
    ),
    Exercise(
        id="18.6",
        title="IDF1",
        reference=idf1,
        cases=[Case(_TOGETHER, 100, 96), Case(_TOGETHER2, 30, 31), Case(_TOGETHER.T, 96, 100)],
        mistakes=[
            Mistake(
                lambda m, t, p: 2 * m.sum() / (t + p),
                "You counted every frame in which anybody is covered. Then a change of number costs nothing: each true identity may keep one number only.",
            ),
            Mistake(
                lambda m, t, p: 2 * m.max(1).sum() / (t + p),
                "Each true identity took its favourite, so one number may serve several people. The pairs must be one to one.",
            ),
            Mistake(
                lambda m, t, p: 2 * _greedy(m) / (t + p),
                "A greedy choice can block two good pairs with one; the Hungarian method finds the best sum over all pairs.",
            ),
            Mistake(
                lambda m, t, p: idf1(m, t, p) / 2,
                "The factor 2 is missing: with every box kept, the score must be 1.",
            ),
            Mistake(
                lambda m, t, p: idf1(m, t, p) * (t + p) / 2 / t,
                "That is the share of true boxes that kept their number (recall). Invented boxes cost nothing in it.",
            ),
            Mistake(
                lambda m, t, p: idf1(m, t, p) * (t + p) / 2 / p,
                "That is the share of tracked boxes with the right number (precision). Missed boxes cost nothing in it.",
            ),
            Mistake(
                lambda m, t, p: 2 * m[linear_sum_assignment(m)].sum() / (t + p),
                "`linear_sum_assignment` looks for the *smallest* sum: `maximize=True`.",
            ),
            Mistake(
                lambda m, t, p: 2 * np.trace(m) / (t + p),
                "You paired number i with identity i. A tracker hands out its numbers in its own order: look for the best pairs.",
            ),
        ],
        hints=(
            "How many numbers may one person have over the whole video, if both shall count as right?",
            "One-to-one pairs with the largest sum: `linear_sum_assignment(together, maximize=True)`.",
            "Twice the sum over the pairs, divided by true plus predicted boxes.",
        ),
    ),
    Exercise(
        id="18.7",
        title="Time to collision from two boxes",
        reference=time_to_collision,
        cases=[
            Case(_BEFORE, _AFTER, 0.1),
            Case(_BEFORE, _AFTER + np.array([0, 0, 4, 1]), 0.2),
            Case(_BEFORE + np.array([0, -9, 0, 4]), _AFTER + np.array([0, -14, 2, 9]), 0.5),
        ],
        mistakes=[
            Mistake(
                lambda a, b, dt: dt * _area(a) / (_area(b) - _area(a)),
                "You used the area. It grows with the square of the size, so your time is about half of the true one. Use the height.",
            ),
            Mistake(
                lambda a, b, dt: dt * _area(b) / (_area(b) - _area(a)),
                "Two slips: the area grows with the square of the size, so use the height; and you counted from the first box, but `dt` has gone by when the second is seen.",
            ),
            Mistake(
                lambda a, b, dt: dt * (b[3] - b[1]) / ((b[3] - b[1]) - (a[3] - a[1])),
                "You counted from the first box. When the second is seen, `dt` has already gone by.",
            ),
            Mistake(
                lambda a, b, dt: dt / np.log((b[3] - b[1]) / (a[3] - a[1])),
                "You let the box grow by the same factor each second. At a constant speed the *distance* falls evenly, and it is one over the height.",
            ),
            Mistake(
                lambda a, b, dt: (a[3] - a[1]) / ((b[3] - b[1]) - (a[3] - a[1])),
                "That is a number of frames. Times `dt` it is in seconds.",
            ),
            Mistake(
                lambda a, b, dt: dt * a[3] / (b[3] - a[3]),
                "You took the lower edge for the height. The height is y2 - y1.",
            ),
            Mistake(
                lambda a, b, dt: ((b[3] - b[1]) - (a[3] - a[1])) / (dt * (a[3] - a[1])),
                "Turned over: that is how fast the box grows, in 1/s. The time is one over it.",
            ),
            Mistake(
                lambda a, b, dt: dt * (a[3] - a[1]) / ((a[3] - a[1]) - (b[3] - b[1])),
                "The box grows, so large minus small is positive; a negative time lies in the past.",
            ),
            Mistake(
                lambda a, b, dt: dt * (b[3] - b[1]) / ((a[3] - a[1]) - (b[3] - b[1])),
                "Two slips: large minus small is positive, and you counted from the first box, but `dt` has gone by when the second is seen.",
            ),
            Mistake(
                lambda a, b, dt: dt * (a[2] - a[0]) / ((b[2] - b[0]) - (a[2] - a[0])),
                "You took the widths. They change when a car turns; asked for are the heights, y2 - y1.",
            ),
        ],
        hints=(
            "How does the height of a box depend on the distance?",
            "Distance = c / height, with an unknown c. The speed is the difference of two distances over dt; the time is the second distance over the speed, and c cancels.",
            "`dt * small / (large - small)`, with the heights of the two boxes.",
        ),
    ),
    Exercise(
        id="18.8",
        title="How far confidence is from truth",
        reference=calibration_error,
        cases=[
            Case(_SURE, _RIGHT, 5),
            Case(_FEW, _FEWRIGHT, 10),
            Case(_SURE[:9], _RIGHT[:9], 4),
            Case(np.array([0.55, 0.62, 0.58, 0.9, 0.3]), np.array([1.0, 1, 1, 0, 0]), 4),
        ],
        mistakes=[
            Mistake(
                lambda c, r, b: np.prod(_bins(c, r, b), axis=0).sum(),
                "Each bin's gap keeps its sign here, so too sure in one bin and too shy in another cancel out. Take the absolute value in each bin, before you add.",
            ),
            Mistake(
                lambda c, r, b: np.abs(_bins(c, r, b)[0]).mean(),
                "Every bin counted the same. A bin with three pixels must not weigh as much as one with a million: weigh by the number in it.",
            ),
            Mistake(
                lambda c, r, b: abs((c - r).mean()),
                "You compared the mean confidence with the accuracy, over everything. Too sure here and too shy there cancel out; compare bin by bin.",
            ),
            Mistake(
                lambda c, r, b: np.abs(c - r).mean(),
                "You compared each pixel's confidence with 0 or 1. Even a perfect forecast of rain at 0.7 would fail; compare *shares* within a bin.",
            ),
            Mistake(
                lambda c, r, b: np.abs(_bins(c, r, b)[0]).max(),
                "That is the largest gap (the maximum calibration error). Asked for is the mean, weighed by the number in each bin.",
            ),
            Mistake(
                lambda c, r, b: (_bins(c, r, b)[0] ** 2 * _bins(c, r, b)[1]).sum(),
                "You squared the gaps. The expected calibration error takes their absolute values.",
            ),
            Mistake(
                lambda c, r, b: calibration_error(c[c < 1], r[c < 1], b) * (c < 1).mean(),
                "A confidence of exactly 1 falls into no bin, and its pixels are lost: it belongs to the last one.",
            ),
            Mistake(
                lambda c, r, b: (
                    calibration_error(c[c < 1], r[c < 1], b) * (c < 1).mean() + (c - r)[c == 1].sum() / len(r)
                ),
                "A confidence of exactly 1 got a bin of its own, one too many. It belongs to the last one.",
            ),
            Mistake(
                _equal_counts,
                "Your bins hold equally many predictions. Asked for are equally wide ones from 0 to 1.",
            ),
            Mistake(
                _bins_of_range,
                "Your bins divide the range that occurs. Asked for are equal parts of 0 to 1.",
            ),
        ],
        hints=(
            "Group the predictions by their confidence. What should be equal within a group?",
            "In each bin: the mean confidence minus the share that is right, without its sign; then the mean over bins, weighed by their counts.",
            "The count cancels: `abs((confidence[own] - right[own]).sum())`, added up over the bins, divided by the number of all.",
        ),
    ),
]
