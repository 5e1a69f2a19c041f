"""Exercises of lesson 17: windows, areas, patients across a split, AUROC, predictive values, operating points, agreement."""

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def to_grey(stored, slope, intercept, level, width):
    values = stored * slope + intercept
    return np.clip((values - level) / width + 0.5, 0, 1)


def area_mm2(mask, spacing):
    return mask.sum() * spacing[0] * spacing[1]


def seen_patients(train, test, patient):
    return np.isin(patient[test], patient[train]).sum()


def area_under_curve(targets, scores):
    positive, negative = scores[targets == 1], scores[targets == 0]
    above = positive[:, None] > negative
    equal = positive[:, None] == negative
    return (above + 0.5 * equal).mean()


def positive_value(sensitivity, specificity, prevalence):
    true = sensitivity * prevalence
    false = (1 - specificity) * (1 - prevalence)
    return true / (true + false)


def sensitivity_at(chosen_targets, chosen_scores, test_targets, test_scores, specificity):
    threshold = np.quantile(chosen_scores[chosen_targets == 0], specificity)
    return (test_scores[test_targets == 1] > threshold).mean()


def limits(measured, reference):
    difference = measured - reference
    spread = 1.96 * difference.std(ddof=1)
    return difference.mean() - spread, difference.mean() + spread


def patient_draw(patient, drawn):
    return np.concatenate([np.flatnonzero(patient == name) for name in drawn])


def _grey(values, level, width):
    return np.clip((values - level) / width + 0.5, 0, 1)


def _stretched(stored, slope, intercept, level, width):
    grey = to_grey(stored, slope, intercept, level, width)
    return (grey - grey.min()) / (grey.max() - grey.min())


def _targets_as_rows(targets, scores):
    positive, negative = scores[targets][:, None], scores[~targets]
    return ((positive > negative) + 0.5 * (positive == negative)).mean()


def _by_ranks(targets, scores):
    ranks = scores.argsort().argsort()[targets == 1]
    return (ranks.sum() - sum(range(len(ranks)))) / (len(ranks) * (targets == 0).sum())


def _quantile(scores, share):
    return np.quantile(scores, share)


_STORED = np.array([[0, 24, 824], [1024, 1064, 1264], [1424, 2024, 3000]], float)
_MASK = np.zeros((12, 10), bool)
_MASK[2:9, 1:7] = True
_HOLED = np.indices((9, 9)).sum(0) % 4 == 0
_PATIENT = np.array(["a", "a", "b", "b", "b", "c", "d", "d", "e", "f"])
_SPLITS = [
    Case(np.array([0, 2, 5, 6]), np.array([1, 3, 4, 7, 8, 9]), _PATIENT),
    Case(np.array([1, 3, 4, 8]), np.array([0, 2, 5, 9]), _PATIENT),
    Case(np.array([8, 6, 7]), np.array([9, 0, 2, 3]), _PATIENT),
]
_SCORED = [
    Case(np.array([0, 0, 1, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.9, 0.55, 0.3])),
    Case(np.array([1, 0, 0, 0, 1]), np.array([0.7, 0.7, 0.2, 0.7, 0.6])),
    Case(np.array([0, 1, 0, 1, 0, 0, 1]), np.array([0.2, 0.3, 0.3, 0.35, 0.4, 0.1, 0.2])),
]
_RNG = np.random.default_rng(17)


def _people(n, shift):
    targets = (np.arange(n) % 3 == 0).astype(int)
    return targets, np.round(_RNG.normal(1.3 * targets + shift, 1.0), 3)


_OPERATING = [
    Case(*_people(200, 0.0), *_people(160, 0.4), 0.9),
    Case(*_people(160, 0.3), *_people(245, 0.0), 0.8),
    Case(*_people(250, -0.2), *_people(248, 0.2), 0.95),
    Case(
        np.array([0, 0, 0, 0, 0, 1]),
        np.arange(1.0, 7),
        np.array([1, 1, 1, 0]),
        np.array([4.0, 5, 3, 9]),
        0.75,
    ),
]
_COUNTS = [
    Case(np.array([12.0, 9.0, 15.0, 11.0, 20.0]), np.array([11.0, 11.0, 14.0, 15.0, 17.0])),
    Case(np.array([3.1, 2.8, 4.0, 3.6]), np.array([3.0, 3.2, 3.1, 3.9])),
    Case(np.array([55.0, 61.0, 48.0]), np.array([60.0, 64.0, 55.0])),
]

EXERCISES = [
    Exercise(
        id="17.1",
        title="From stored numbers to grey",
        reference=to_grey,
        cases=[
            Case(_STORED, 1.0, -1024.0, 40.0, 400.0),
            Case(_STORED, 0.5, -200.0, 300.0, 900.0),
            Case(_STORED, 2.0, -1000.0, 100.0, 1500.0),
            Case(np.array([[1000.0, 1050, 1100]]), 1.0, -1024.0, 40.0, 400.0),
        ],
        mistakes=[
            Mistake(
                lambda s, a, b, c, w: _grey(s, c, w),
                "The window is applied to the stored numbers. Level and width are given in the physical unit, so slope and intercept come first.",
            ),
            Mistake(
                lambda s, a, b, c, w: _grey(s * a - b, c, w),
                "The intercept is subtracted. It is added: a value is slope times stored number plus intercept, and the intercept of a CT is negative already.",
            ),
            Mistake(
                lambda s, a, b, c, w: (s * a + b - c) / w + 0.5,
                "Values outside the window leave the range from 0 to 1. Cut them off.",
            ),
            Mistake(
                lambda s, a, b, c, w: np.clip((s * a + b - c) / w, 0, 1),
                "You took the level for the lower end. It is the middle of the window: a value equal to the level is 0.5.",
            ),
            Mistake(
                lambda s, a, b, c, w: _grey(s + b, c, w),
                "The slope is missing. It is 1 in many CT files, so the mistake hides until the first file in which it is not.",
            ),
            Mistake(
                lambda s, a, b, c, w: _grey(s * a + b, c, 2 * w),
                "The window is twice as wide as asked: `width` is from end to end, so half of it lies on each side of the level.",
            ),
            Mistake(
                _stretched,
                "You stretched what is there. The ends belong to the window, so that one grey means one value in all pictures.",
            ),
            Mistake(
                lambda s, a, b, c, w: _grey(s * a + b, c - 0.5, w - 1),
                "That is the standard's formula, half a unit off in the level and one in the width. Here a value equal to the level is exactly 0.5.",
            ),
        ],
        hints=(
            "Two steps, and the order matters: what unit are level and width in?",
            "First slope and intercept. Then the level goes to 0.5 and the window's ends to 0 and 1.",
            "`(values - level) / width + 0.5`, then `np.clip`.",
        ),
    ),
    Exercise(
        id="17.2",
        title="An area in square millimetres",
        reference=area_mm2,
        cases=[Case(_MASK, (0.7, 0.7)), Case(_MASK, (0.5, 2.0)), Case(_HOLED, (0.3, 0.9))],
        mistakes=[
            Mistake(
                lambda m, s: m.sum(),
                "That is the number of pixels. How large is one of them?",
            ),
            Mistake(
                lambda m, s: m.sum() * s[0],
                "One length is not enough: pixels times millimetres is no area.",
            ),
            Mistake(
                lambda m, s: m.sum() * s[0] ** 2,
                "You took every pixel for a square. The two numbers are its height and its width, and they may differ.",
            ),
            Mistake(
                lambda m, s: m.size * s[0] * s[1],
                "That is the area of the whole picture. Count only the pixels of the mask.",
            ),
            Mistake(
                lambda m, s: m.sum() / (s[0] * s[1]),
                "You divided. The spacing is millimetres per pixel, so a larger spacing makes the area larger.",
            ),
        ],
        hints=(
            "How large is the area of one pixel?",
            "`spacing` holds the height and the width of a pixel in millimetres; a pixel is a rectangle.",
            "Number of pixels in the mask, times height, times width.",
        ),
    ),
    Exercise(
        id="17.3",
        title="Patients on both sides",
        reference=seen_patients,
        cases=_SPLITS,
        mistakes=[
            Mistake(
                lambda a, b, p: np.isin(b, a).sum(),
                "You compared picture numbers. No picture is on both sides; the patients are. Compare `patient[test]` with `patient[train]`.",
            ),
            Mistake(
                lambda a, b, p: len(np.intersect1d(p[a], p[b])),
                "You counted patients. Each of their test pictures flatters the score, so count pictures.",
            ),
            Mistake(
                lambda a, b, p: np.isin(p[a], p[b]).sum(),
                "You counted training pictures. The score is computed on the test pictures.",
            ),
            Mistake(
                lambda a, b, p: (~np.isin(p[b], p[a])).sum(),
                "That is the number of clean test pictures, whose patient was never seen in training.",
            ),
            Mistake(
                lambda a, b, p: np.isin(p[b], p[a]).mean(),
                "That is the share of the test pictures. Asked for is their number.",
            ),
        ],
        hints=(
            "`train` and `test` are row numbers; `patient[test]` are the people.",
            "`np.isin(a, b)` says for each element of `a` whether it occurs in `b`.",
            "`np.isin(patient[test], patient[train])`, and count.",
        ),
    ),
    Exercise(
        id="17.4",
        title="AUROC from pairs",
        reference=area_under_curve,
        cases=_SCORED,
        mistakes=[
            Mistake(
                lambda t, s: area_under_curve(t, (s >= 0.5).astype(float)),
                "You made decisions of the scores first. AUROC judges the order of the scores; from hard labels only one point of the curve is left.",
            ),
            Mistake(
                lambda t, s: (s[t == 1][:, None] >= s[t == 0]).mean(),
                "Ties count as wins. A score that is the same for everyone would then be perfect; a tie counts one half.",
            ),
            Mistake(
                lambda t, s: (s[t == 1][:, None] > s[t == 0]).mean(),
                "Ties count as losses. A tie counts one half, so that a constant score gets 0.5.",
            ),
            Mistake(
                lambda t, s: 1 - area_under_curve(t, s),
                "The order is turned around: count the pairs in which the positive case has the higher score.",
            ),
            Mistake(
                lambda t, s: ((s >= 0.5) == t).mean(),
                "That is the accuracy at a threshold of one half. AUROC needs no threshold: it compares all pairs of a positive and a negative case.",
            ),
            Mistake(
                lambda t, s: s[t == 1].mean() - s[t == 0].mean() + 0.5,
                "You compared means. One extreme score would move them; count pairs instead.",
            ),
            Mistake(
                _by_ranks,
                "`argsort` gives equal scores different ranks; ties share the mean rank.",
            ),
            Mistake(
                _targets_as_rows,
                "As an index, 0 and 1 are row numbers. Make `targets` True and False first: `targets == 1`.",
            ),
        ],
        hints=(
            "Take one positive and one negative case. When is the score right about the two?",
            "`positive[:, None] > negative` compares all pairs at once.",
            "The mean over all pairs of 1 where the positive is higher and one half where they are equal.",
        ),
    ),
    Exercise(
        id="17.5",
        title="What a positive answer is worth",
        reference=positive_value,
        cases=[Case(0.9, 0.95, 0.25), Case(0.9, 0.95, 0.01), Case(0.6, 0.99, 0.05)],
        mistakes=[
            Mistake(
                lambda a, b, p: a,
                "That is the sensitivity: how many of the sick are found. Asked for is how many of those found are sick.",
            ),
            Mistake(
                lambda a, b, p: a / (a + 1 - b),
                "The prevalence is missing, or is taken as one half, or cancels because the false alarms are taken from the sick. Where few are sick, the false alarms come from many healthy people.",
            ),
            Mistake(
                lambda a, b, p: a * p / (a * p + b * (1 - p)),
                "The false alarms are the share `1 - specificity` of the healthy. You counted the healthy who were cleared.",
            ),
            Mistake(
                lambda a, b, p: b * (1 - p) / (b * (1 - p) + (1 - a) * p),
                "That is the negative predictive value: how often an all-clear is right.",
            ),
            Mistake(
                lambda a, b, p: a * p,
                "That is the share of all people who are sick and found. Divide by the share of all people who are called positive.",
            ),
        ],
        hints=(
            "Imagine 10,000 people. How many are sick and called positive? How many are healthy and called positive?",
            "Sick and called: sensitivity times prevalence. Healthy and called: (1 − specificity) times (1 − prevalence).",
            "The first divided by the sum of both.",
        ),
    ),
    Exercise(
        id="17.6",
        title="An operating point",
        reference=sensitivity_at,
        cases=_OPERATING,
        mistakes=[
            Mistake(
                lambda ct, cs, tt, ts, sp: (ts[tt == 1] > _quantile(ts[tt == 0], sp)).mean(),
                "The threshold is chosen on the test people. It then keeps its promise there and nowhere else; choose it on the other ones.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (ts[tt == 1] > _quantile(cs, sp)).mean(),
                "The quantile is taken over everybody. Specificity is about the negatives alone.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (ts[tt == 1] > _quantile(cs[ct == 1], 1 - sp)).mean(),
                "You fixed the sensitivity: the threshold comes from the positives. Asked for is a threshold that clears a stated share of the negatives.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (ts[tt == 1] > _quantile(cs[ct == 0], 1 - sp)).mean(),
                "The wrong end: with this threshold nearly all negatives are called positive. The stated share must lie below it.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (cs[ct == 1] > _quantile(cs[ct == 0], sp)).mean(),
                "The sensitivity is measured on the people who chose the threshold. Report it on the test people.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (ts > _quantile(cs[ct == 0], sp)).mean(),
                "That is the share of all test people who are called positive. Sensitivity looks at the sick ones only.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (tt[ts > _quantile(cs[ct == 0], sp)] == 1).mean(),
                "That is the share of alarms that are right. Sensitivity is the share of the sick who are found.",
            ),
            Mistake(
                lambda ct, cs, tt, ts, sp: (ts[tt == 1] >= _quantile(cs[ct == 0], sp)).mean(),
                "Positive means *above* the threshold. A score that equals it is cleared: `>`.",
            ),
        ],
        hints=(
            "Two groups of people, two jobs: one chooses the threshold, the other judges it.",
            "The threshold is a quantile of the scores of the negatives among those who choose.",
            "`np.quantile(chosen_scores[chosen_targets == 0], specificity)`; then the share of test positives above it.",
        ),
    ),
    Exercise(
        id="17.7",
        title="Limits of agreement",
        reference=limits,
        cases=_COUNTS,
        mistakes=[
            Mistake(
                lambda m, r: (
                    (m - r).mean() - 1.96 * (m - r).std(ddof=1) / len(m) ** 0.5,
                    (m - r).mean() + 1.96 * (m - r).std(ddof=1) / len(m) ** 0.5,
                ),
                "You divided by the root of n. That is the uncertainty of the mean; it shrinks with more pictures. The limits say how far one picture may be off.",
            ),
            Mistake(
                lambda m, r: (m.mean() - 1.96 * m.std(ddof=1), m.mean() + 1.96 * m.std(ddof=1)),
                "Those are the limits of the measurements. Take the differences to the reference, picture by picture.",
            ),
            Mistake(
                lambda m, r: (-1.96 * (m - r).std(ddof=1), 1.96 * (m - r).std(ddof=1)),
                "The limits lie around zero. A method that always counts too many has a bias, and the limits lie around it.",
            ),
            Mistake(
                lambda m, r: (
                    abs(m - r).mean() - 1.96 * abs(m - r).std(ddof=1),
                    abs(m - r).mean() + 1.96 * abs(m - r).std(ddof=1),
                ),
                "You took absolute differences. Their sign is lost, and with it the bias.",
            ),
            Mistake(
                lambda m, r: (
                    (r - m).mean() - 1.96 * (r - m).std(ddof=1),
                    (r - m).mean() + 1.96 * (r - m).std(ddof=1),
                ),
                "The sign is turned: measured minus reference, so that counting too many is a positive bias.",
            ),
            Mistake(
                lambda m, r: ((m - r).mean() - 1.96 * (m - r).std(), (m - r).mean() + 1.96 * (m - r).std()),
                "`std()` of NumPy divides by n. From a sample, divide by n - 1: `ddof=1`.",
            ),
        ],
        hints=(
            "The raw material is one difference for each picture, measured minus reference.",
            "The middle is their mean; the spread is their standard deviation, with `ddof=1`.",
            "Mean minus and plus 1.96 standard deviations.",
        ),
    ),
    Exercise(
        id="17.8",
        title="Draw patients, not pictures",
        reference=patient_draw,
        cases=[
            Case(_PATIENT, np.array(["b", "d", "b"])),
            Case(_PATIENT, np.array(["a", "f", "c", "a"])),
            Case(_PATIENT, np.array(["e", "b"])),
        ],
        mistakes=[
            Mistake(
                lambda p, d: np.flatnonzero(np.isin(p, d)),
                "A patient who was drawn twice must count twice. `np.isin` forgets how often.",
            ),
            Mistake(
                lambda p, d: np.array([np.flatnonzero(p == name)[0] for name in d]),
                "You took one picture of each patient. All pictures of a drawn patient come along.",
            ),
            Mistake(
                lambda p, d: np.concatenate(
                    [np.flatnonzero(p == name) for name in np.unique(p) if name not in d]
                ),
                "Those are the pictures of the patients who were not drawn.",
            ),
            Mistake(
                lambda p, d: np.concatenate([p[p == name] for name in d]),
                "Those are the names of the patients. Asked for are the row numbers of their pictures.",
            ),
            Mistake(
                lambda p, d: np.arange(len(d)),
                "You drew pictures: as many rows as patients were drawn, whoever they belong to. The pictures of one person are alike, so an interval from them is too narrow.",
            ),
        ],
        hints=(
            "For one drawn patient: which rows are theirs?",
            "`np.flatnonzero(patient == name)` gives them. A name may occur twice in `drawn`.",
            "Concatenate the rows of every name in `drawn`, in that order, repetitions included.",
        ),
    ),
]
