"""Exercises of lesson 06: what a loss starts at, what it pulls, and what its outputs mean."""

import math

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def first_loss_with_prior(counts):
    share = np.asarray(counts) / np.sum(counts)
    present = share[share > 0]
    return -(present * np.log(present)).sum()


def lowest_loss(num_classes):
    # The best probabilities, one 1 and the rest 0, are taken for logits.
    return math.log(math.e + num_classes - 1) - 1


def ensemble_loss(logits, targets):
    top = logits.max(axis=2, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(axis=2, keepdims=True))
    log_p = log_p[:, np.arange(len(targets)), targets]  # (nets, pictures), of the true class
    best = log_p.max(axis=0)
    return -(best + np.log(np.exp(log_p - best).mean(axis=0))).mean()


def focal_pull(p, gamma):
    return (1 - p) ** gamma * ((1 - p) - gamma * p * np.log(p))


def true_probability(q, weight):
    return q / (q + weight * (1 - q))


def mean_dice(p, masks):
    overlap = (p * masks).sum(axis=(1, 2))
    size = p.sum(axis=(1, 2)) + masks.sum(axis=(1, 2))
    return np.where(size > 0, 2 * overlap / np.maximum(size, 1e-12), 1.0).mean()


def batch_hard(embeddings, labels, margin):
    d = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    same = labels[:, None] == labels[None]
    farthest = np.where(same, d, -np.inf).max(axis=1)
    nearest = np.where(same, np.inf, d).min(axis=1)
    return np.maximum(farthest - nearest + margin, 0).mean()


def _log_p(logits, targets, axis=2):
    top = logits.max(axis=axis, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(axis=axis, keepdims=True))
    return log_p[:, np.arange(len(targets)), targets]


def _softmax(z, axis):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _naive_p(logits, targets):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        p = e / e.sum(axis=2, keepdims=True)
    return p[:, np.arange(len(targets)), targets]


def _naive(logits, targets):
    with np.errstate(all="ignore"):
        return -np.log(_naive_p(logits, targets).mean(axis=0)).mean()


def _half_safe(logits, targets):
    with np.errstate(all="ignore"):
        p = _softmax(logits, 2)[:, np.arange(len(targets)), targets]
        return -np.log(p.mean(axis=0)).mean()


def _zero_log_zero(counts):
    with np.errstate(all="ignore"):
        share = np.asarray(counts) / np.sum(counts)
        return -(share * np.log(share)).sum()


def _zero_math_log(counts):
    return -sum(n / sum(counts) * math.log(n / sum(counts)) for n in counts)


def _share(counts):
    share = np.asarray(counts) / np.sum(counts)
    return share[share > 0]


def _shift(q, by):
    z = math.log(q / (1 - q)) + by
    return 1 / (1 + math.exp(-z))


def _dice_each(p, masks, factor=2.0, power=1):
    overlap = (p * masks).sum(axis=(1, 2))
    size = (p**power).sum(axis=(1, 2)) + (masks**power).sum(axis=(1, 2))
    return np.where(size > 0, factor * overlap / np.maximum(size, 1e-12), 1.0)


def _dice_nan(p, masks):
    with np.errstate(all="ignore"):
        size = p.sum(axis=(1, 2)) + masks.sum(axis=(1, 2))
        return (2 * (p * masks).sum(axis=(1, 2)) / size).mean()


def _iou(p, masks):
    overlap = (p * masks).sum(axis=(1, 2))
    union = p.sum(axis=(1, 2)) + masks.sum(axis=(1, 2)) - overlap
    return np.where(union > 0, overlap / np.maximum(union, 1e-12), 1.0).mean()


def _parts(embeddings, labels, squared=False):
    d = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    return d**2 if squared else d, labels[:, None] == labels[None]


def _hard(embeddings, labels, squared=False):
    d, same = _parts(embeddings, labels, squared)
    return np.where(same, d, -np.inf).max(axis=1), np.where(same, np.inf, d).min(axis=1)


def _all_triplets(embeddings, labels, margin):
    d, same = _parts(embeddings, labels)
    n = len(labels)
    losses = [
        max(d[i, j] - d[i, k] + margin, 0)
        for i in range(n)
        for j in range(n)
        for k in range(n)
        if same[i, j] and i != j and not same[i, k]
    ]
    return float(np.mean(losses))


def _easiest_positive(embeddings, labels, margin):
    d, same = _parts(embeddings, labels)
    near = np.where(same & ~np.eye(len(labels), dtype=bool), d, np.inf).min(axis=1)
    return np.maximum(near - np.where(same, np.inf, d).min(axis=1) + margin, 0).mean()


def _far_negative(embeddings, labels, margin):
    d, same = _parts(embeddings, labels)
    far = np.where(same, -np.inf, d).max(axis=1)
    return np.maximum(np.where(same, d, -np.inf).max(axis=1) - far + margin, 0).mean()


def _times_mask(embeddings, labels, margin):
    d, same = _parts(embeddings, labels)
    return np.maximum((d * same).max(axis=1) - (d * ~same).min(axis=1) + margin, 0).mean()


_random = np.random.default_rng(6)
_PROBABILITIES = _random.uniform(0, 1, (3, 4, 5)).round(2)
_MASKS = (_random.uniform(0, 1, (3, 4, 5)) < [[[0.7]], [[0.2]], [[0.5]]]).astype(float)
_MASKS[1, 1, 1:3] = 1
_EMPTY = (
    np.concatenate([_PROBABILITIES[:2], np.zeros((1, 4, 5))]),
    np.concatenate([_MASKS[:2], np.zeros((1, 4, 5))]),
)
_TOP = np.array([[0.2, 0.4], [0.0, 0.0]])
_POINTS = np.array([[0.0, 0.0], [1.0, 0.5], [0.5, 2.0], [3.0, 0.0], [3.5, 1.0], [2.0, 4.0]])
_LABELS = np.array([0, 0, 1, 1, 2, 2])
_THREE = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0], [4.0, 0.5, 1.0], [5.0, 2.0, 0.0], [0.0, 3.0, 1.0]])

EXERCISES = [
    Exercise(
        id="06.1",
        title="The first loss of a net that knows the shares",
        reference=first_loss_with_prior,
        cases=[Case(np.array(c)) for c in ([98, 2], [50, 30, 20], [10, 10, 10, 10], [700, 0, 300])],
        mistakes=[
            Mistake(
                lambda c: math.log(len(c)),
                "log C is for a net that gives each class the same probability. This one starts at the shares, so it starts lower where they differ.",
            ),
            Mistake(
                _zero_log_zero,
                "Right but for a class without pictures: 0 · log 0 is nan in floats and 0 in this sum. Leave the class out.",
            ),
            Mistake(
                lambda c: -(_share(c) * np.log2(_share(c))).sum(),
                "That is in bits. A nat belongs to the natural logarithm.",
            ),
            Mistake(
                lambda c: (_share(c) * np.log(_share(c))).sum(),
                "The minus is missing: a loss of probabilities below one is positive.",
            ),
            Mistake(
                lambda c: -np.log(_share(c)).mean(),
                "That is the mean over classes. The loss is a mean over pictures, so a class counts as often as it has pictures.",
            ),
            Mistake(lambda c: -np.log(_share(c)).sum(), "A sum over classes is not a mean over pictures."),
            Mistake(
                lambda c: -math.log(max(c) / sum(c)),
                "That is the loss of the pictures of the commonest class. The rare ones have a larger loss, and they count too.",
            ),
            Mistake(
                lambda c: 1 - (_share(c) ** 2).sum(),
                "That is how often a guess drawn from the shares is wrong. Cross-entropy takes logarithms.",
            ),
            Mistake(
                lambda c: -(np.asarray(c)[np.asarray(c) > 0] * np.log(_share(c))).sum(),
                "That is the sum over all pictures. Divide by their number.",
            ),
            Mistake(
                _zero_math_log,
                "A class without pictures has share 0, and its logarithm does not exist. Leave the class out.",
            ),
            Mistake(
                lambda c: -(_share(c) * np.log(_share(c))).mean(),
                "The shares are the weights of the mean already: add up, do not divide by the number of classes.",
            ),
            Mistake(
                lambda c: _zero_log_zero(c) / len(c),
                "Two things: the shares are the weights already, so add up instead of taking a mean; and leave out a class without pictures, since 0 · log 0 is nan.",
            ),
        ],
        hints=(
            "Which probability does the net give to every picture? It has seen none yet.",
            "A picture of class c has the loss -log(share of c). How many pictures have it?",
            "The sum over classes of -share · log(share), where a share of zero adds nothing.",
        ),
    ),
    Exercise(
        id="06.2",
        title="Softmax twice",
        reference=lowest_loss,
        cases=[Case(2), Case(10), Case(1000)],
        mistakes=[
            Mistake(
                lambda c: 0.0,
                "Zero needs a logit that is infinitely far above the others. What comes out of a softmax lies between 0 and 1.",
            ),
            Mistake(
                lambda c: math.log(c),
                "That is where it starts. The net can still put the 1 on the true class.",
            ),
            Mistake(
                lambda c: math.log(math.e + c - 1),
                "That is the log-sum-exp. The loss subtracts the logit of the true class, which is 1 here.",
            ),
            Mistake(
                lambda c: math.log(math.e + c) - 1,
                "One too many: beside the true class there are num_classes - 1 others, each with e⁰ = 1.",
            ),
            Mistake(
                lambda c: math.log(1 + math.e * (c - 1)),
                "That puts a 1 on every wrong class. The first softmax sums to 1, so there is only one 1; at best it is on the true class.",
            ),
            Mistake(
                lambda c: 1 - math.e / (math.e + c - 1),
                "That is one minus the probability. The loss is minus its logarithm.",
            ),
            Mistake(
                lambda c: math.e / (math.e + c - 1),
                "That is the largest probability the second softmax can give. The loss is minus its logarithm.",
            ),
            Mistake(
                lambda c: 1.0,
                "1 is the largest thing the second softmax gets as a logit. Put it into the loss.",
            ),
            Mistake(
                lambda c: math.log(c) - 1,
                "The log-sum-exp is not log C: the true class puts e into the sum, the others put in 1 each.",
            ),
            Mistake(
                lambda c: 1 - math.log(math.e + c - 1),
                "The sign is turned: minus the logarithm of a probability is never negative.",
            ),
            Mistake(
                lambda c: (math.log(math.e + c - 1) - 1) / math.log(2),
                "That is in bits, from log2. `F.cross_entropy` takes the natural logarithm.",
            ),
            Mistake(
                lambda c: math.log(math.e + 9) - 1,
                "That is the number for ten classes. Write it as a function of num_classes.",
            ),
        ],
        hints=(
            "Which numbers can come out of the first softmax? They are the logits of the second.",
            "The best case: 1 for the true class, 0 for all others. Put these into log Σ exp(z) - z_y.",
            "The sum of exponentials is e for the true class, and 1 for each of the num_classes - 1 others.",
        ),
    ),
    Exercise(
        id="06.3",
        title="The loss of an ensemble",
        reference=ensemble_loss,
        cases=[
            Case(
                np.array([[[2.0, 0, -1], [0, 1, 0]], [[0.0, 3, 1], [2, 2, -1]], [[1.0, 1, 4], [-2, 0, 3]]]),
                np.array([0, 2]),
            ),
            Case(np.array([[[1.0, 0], [0, 3], [2, 2]], [[-1.0, 1], [1, 0], [0, 4]]]), np.array([1, 0, 1])),
            Case(np.array([[[3000.0, 0, 10], [0, 5, 1]], [[2000.0, 0, 5], [4, 0, 0]]]), np.array([0, 0])),
            Case(np.array([[[3000.0, 0, 10], [0, 5, 1]], [[2000.0, 0, 5], [4, 0, 0]]]), np.array([1, 0])),
        ],
        mistakes=[
            Mistake(
                lambda z, y: -_log_p(z, y).mean(),
                "That is the mean of the nets' own losses. The logarithm comes after the mean over nets; the loss of the mean is never larger.",
            ),
            Mistake(
                lambda z, y: -_log_p(z.mean(axis=0, keepdims=True), y).mean(),
                "You averaged the logits. Asked for is the mean of the probabilities, after each net's own softmax.",
            ),
            Mistake(
                _naive,
                "Right for small logits. At 3000, exp overflows: subtract the largest logit of each picture first.",
            ),
            Mistake(
                _half_safe,
                "The softmax is safe, but a probability may still underflow to 0, and its logarithm is infinite. Stay with logarithms to the end: log-sum-exp over the nets too.",
            ),
            Mistake(
                lambda z, y: -np.logaddexp.reduce(_log_p(z, y), axis=0).mean(),
                "The probabilities are summed over the nets, not averaged: subtract the logarithm of their number.",
            ),
            Mistake(
                lambda z, y: -(np.logaddexp.reduce(_log_p(z, y), axis=0) - math.log(len(z))).sum(),
                "That is the sum over pictures. Take the mean, so that the loss does not grow with the batch.",
            ),
            Mistake(
                lambda z, y: -_log_p(_softmax(z, 2).mean(0, keepdims=True), y).mean(),
                "`F.cross_entropy` takes logits: it put a second softmax on your probabilities. Take minus their logarithm at the true class.",
            ),
            Mistake(
                lambda z, y: (np.logaddexp.reduce(_log_p(z, y), axis=0) - math.log(len(z))).mean(),
                "The minus is missing: this number grows as the nets get better.",
            ),
            Mistake(
                lambda z, y: -(np.logaddexp.reduce(_log_p(z, y, axis=1), axis=0) - math.log(len(z))).mean(),
                "The softmax runs over the pictures. Probabilities of one picture sum to one over its classes, the last axis.",
            ),
            Mistake(
                lambda z, y: -_log_p(z, y).max(axis=0).mean(),
                "That takes the surest net for each picture, and peeks at the label to find it. The ensemble is the mean of all.",
            ),
            *(
                Mistake(
                    lambda z, y, e=float(e): -np.log(_softmax(z, 2).mean(0)[np.arange(len(y)), y] + e).mean(),
                    f"The {e} in the logarithm hides the underflow: no loss can exceed {-math.log(float(e)):.1f}. Stay with logarithms, with log-sum-exp over the nets too.",
                )
                for e in ("1e-7", "1e-8", "1e-10", "1e-12")
            ),
        ],
        hints=(
            "Two sums of exponentials hide here: one over classes, one over nets. Both can overflow or underflow.",
            "First log-probabilities (nets, pictures) of the true class. Then log of the mean of exp, over the nets, with the same trick.",
            "best = log_p.max(axis=0); the logarithm of the mean is best + log(mean(exp(log_p - best))).",
        ),
    ),
    Exercise(
        id="06.4",
        title="The pull of focal loss",
        reference=focal_pull,
        cases=[Case(0.3, 2.0), Case(0.9, 1.0), Case(0.05, 5.0), Case(0.6, 0.0), Case(0.5, 0.5)],
        mistakes=[
            Mistake(
                lambda p, g: (1 - p) ** g * (1 - p),
                "You held the factor (1 - p)^γ fixed. It depends on z as well: use the product rule.",
            ),
            Mistake(
                lambda p, g: -((1 - p) ** g) * ((1 - p) - g * p * np.log(p)),
                "That is the gradient. The pull is its negative: a pixel with ink pulls upwards.",
            ),
            Mistake(
                lambda p, g: (1 - p) ** g / p - g * (1 - p) ** (g - 1) * np.log(p),
                "That is the pull on p, minus the slope in p. The chain rule adds the factor dp/dz = p (1 - p).",
            ),
            Mistake(
                lambda p, g: (1 - p) ** g * ((1 - p) + g * p * np.log(p)),
                "One sign is wrong. The derivative of (1 - p)^γ is -γ (1 - p)^(γ - 1), and log p is negative as well.",
            ),
            Mistake(
                lambda p, g: p**g * ((1 - p) - g * p * np.log(p)),
                "The factor is (1 - p)^γ: pictures that are right already count less.",
            ),
            Mistake(
                lambda p, g: -((1 - p) ** g) * np.log(p),
                "That is the loss itself. Asked for is minus its slope in z.",
            ),
            Mistake(
                lambda p, g: (1 - p) ** g * ((1 - p) - g * np.log(p)),
                "A factor p is missing in the second term: dp/dz = p (1 - p), and only the (1 - p) is used up.",
            ),
            Mistake(
                lambda p, g: 1 - p, "That is cross-entropy, the case γ = 0. The result depends on gamma."
            ),
            Mistake(
                lambda p, g: -g * (1 - p) ** g * p * np.log(p),
                "That is only the term in which (1 - p)^γ changes. log p changes too; at γ = 0 the pull must be 1 - p.",
            ),
            Mistake(
                lambda p, g: (1 - p) ** g * ((1 - p) - g * p * np.log10(p)),
                "log is the natural logarithm: np.log.",
            ),
            Mistake(
                lambda p, g: (1 - p) ** g * (1 - p) - g * p * (1 - p) ** (g - 1) * np.log(p),
                "dp/dz brings a factor (1 - p) to the second term too: its exponent is γ again.",
            ),
        ],
        hints=(
            "ℓ depends on z through p, and dp/dz = p (1 - p).",
            "The slope in p: γ (1 - p)^(γ - 1) log p - (1 - p)^γ / p. Multiply by dp/dz and turn the sign.",
            "Take (1 - p)^γ out of both terms. At γ = 0 what is left must be 1 - p.",
        ),
    ),
    Exercise(
        id="06.5",
        title="Undo a class weight",
        reference=true_probability,
        cases=[Case(0.5, 49.0), Case(0.9, 9.0), Case(0.2, 4.0), Case(0.7, 1.0), Case(0.6, 0.5)],
        mistakes=[
            Mistake(
                lambda q, w: w * q / (w * q + 1 - q),
                "That is the other way: what a true share of q would be reported as.",
            ),
            Mistake(
                lambda q, w: q / w,
                "The odds are divided by the weight, not the probability. The two agree only for small q.",
            ),
            Mistake(
                lambda q, w: q,
                "The reports cannot be taken as they are: a net with a weight of 49 says one half where 2 in 100 are positive.",
            ),
            Mistake(
                lambda q, w: _shift(q, -w),
                "The logit is shifted by the logarithm of the weight, not by the weight.",
            ),
            Mistake(
                lambda q, w: _shift(q, -math.log10(w)),
                "The shift is right in kind, but its logarithm is the natural one.",
            ),
            Mistake(
                lambda q, w: q / (1 - q) / w, "Those are the odds. Turn them into a probability: o / (1 + o)."
            ),
            Mistake(
                lambda q, w: q / (q + w),
                "The second term is the upward pull of the positives, which fades as q grows: w (1 - q), not w.",
            ),
            Mistake(
                lambda q, w: w * (1 - q) / (q + w * (1 - q)),
                "That is the probability of the negative class.",
            ),
            Mistake(
                lambda q, w: q / (w * q + 1 - q),
                "The weight stands at the wrong term. Positives count too much in q, so w multiplies 1 - q.",
            ),
        ],
        hints=(
            "Where do the pulls balance? Up: weight · (1 - q) from a share η. Down: q from a share 1 - η.",
            "η = down / (up + down).",
            "Down is q, up is weight · (1 - q).",
        ),
    ),
    Exercise(
        id="06.6",
        title="Dice over a batch",
        reference=mean_dice,
        cases=[
            Case(_PROBABILITIES, _MASKS),
            Case(*_EMPTY),
            Case(_MASKS, _MASKS),
            # A false alarm; a miss without any answer, and one beside the object.
            Case(np.array([np.full((2, 2), 0.5), _TOP]), np.array([np.zeros((2, 2)), np.eye(2)])),
            Case(np.array([np.zeros((2, 2)), _TOP, _TOP]), np.array([np.eye(2), np.eye(2), _TOP == 0])),
        ],
        mistakes=[
            Mistake(
                _dice_nan,
                "Right but for an empty mask that is predicted empty: 0 / 0 is nan, and one such picture spoils the mean.",
            ),
            Mistake(
                lambda p, m: 2 * (p * m).sum() / (p.sum() + m.sum()),
                "That is one Dice of all pictures together, in which large objects drown small ones. Here each picture counts once.",
            ),
            Mistake(
                _iou,
                "That is the intersection over union. Dice counts the overlap twice, and does not take it off the sizes.",
            ),
            Mistake(
                lambda p, m: 1 - _dice_each(p, m).mean(),
                "That is the loss. Asked for is the coefficient: 1 for a perfect answer.",
            ),
            Mistake(
                lambda p, m: _dice_each((p > 0.5).astype(float), m).mean(),
                "You cut the probabilities at one half first. Soft Dice takes them as they are; a step has no gradient.",
            ),
            Mistake(
                lambda p, m: np.where(
                    (m.sum(axis=(1, 2)) + p.sum(axis=(1, 2))) > 0, _dice_each(p, m), 0.0
                ).mean(),
                "An empty mask that is predicted empty is a perfect answer: its Dice is 1.",
            ),
            Mistake(
                lambda p, m: np.where(
                    p.sum(axis=(1, 2)) + m.sum(axis=(1, 2)) > 0, _dice_each(p, m, 1.0), 1.0
                ).mean(),
                "The factor 2 is missing. Without it a perfect answer gets one half.",
            ),
            Mistake(
                lambda p, m: _dice_each(p, m, power=2).mean(),
                "You squared the sizes. That is another Dice (V-Net has it); this one takes plain sums.",
            ),
            Mistake(lambda p, m: _dice_each(p, m).sum(), "That is the sum over the batch. Take the mean."),
            Mistake(
                lambda p, m: (
                    (2 * (p * m).sum(axis=(1, 2)) + 1) / (p.sum(axis=(1, 2)) + m.sum(axis=(1, 2)) + 1)
                ).mean(),
                "A constant in both sums cures the empty mask, but it moves all other values too. Treat the empty case alone.",
            ),
            Mistake(
                lambda p, m: np.where(m.sum((1, 2)) > 0, _dice_each(p, m), 1.0).mean(),
                "You give 1 to every empty mask. A false alarm on an empty mask is wrong and gets 0; only empty in both is perfect.",
            ),
            Mistake(
                lambda p, m: np.where(p.sum((1, 2)) > 0, _dice_each(p, m), 1.0).mean(),
                "You give 1 wherever nothing is predicted, also where there is an object to find.",
            ),
            Mistake(
                lambda p, m: np.where((p * m).sum((1, 2)) > 0, _dice_each(p, m), 1.0).mean(),
                "No overlap is not the same as nothing there: a miss gets 0. Test the sizes.",
            ),
            Mistake(
                lambda p, m: np.where(
                    (p.sum((1, 2)) > 0) & (m.sum((1, 2)) > 0), _dice_each(p, m), 1.0
                ).mean(),
                "You give 1 as soon as one of the two is empty. A false alarm or a miss gets 0: both must be empty.",
            ),
            Mistake(
                lambda p, m: _dice_each(p, m)[p.sum((1, 2)) + m.sum((1, 2)) > 0].mean(),
                "You leave the empty picture out of the mean. It counts, with a Dice of 1.",
            ),
        ],
        hints=(
            "Which axes belong to one picture? And what does 0 / 0 mean here?",
            "Sum over axes 1 and 2 only; that gives N overlaps and N sizes. Decide about size 0, then take the mean.",
            "np.where(size > 0, 2 · overlap / np.maximum(size, tiny), 1.0).mean()",
        ),
    ),
    Exercise(
        id="06.7",
        title="Batch-hard triplets",
        reference=batch_hard,
        cases=[
            Case(_POINTS, _LABELS, 1.0),
            Case(_THREE, np.array([0, 0, 1, 1, 0]), 3.0),
            Case(_POINTS / 4, _LABELS, 0.3),
            Case(np.array([[0.0, 0], [0, 1], [5, 0], [5, 2], [2, 0]]), np.array([7, 7, 3, 3, 7]), 1.0),
            Case(np.array([[0.0, 0], [4, 0], [20, 0], [20, 1], [20.5, 0], [20.5, 1]]), _LABELS, 1.0),
        ],
        mistakes=[
            Mistake(
                lambda e, y, m: np.maximum(np.subtract(*_hard(e, y, True)) + m, 0).mean(),
                "You compared squared distances. The margin is one of distances here.",
            ),
            Mistake(
                lambda e, y, m: (np.subtract(*_hard(e, y)) + m).mean(),
                "The hinge is missing: an anchor that keeps the margin has loss zero, it does not pay for others.",
            ),
            Mistake(
                lambda e, y, m: max((np.subtract(*_hard(e, y)) + m).mean(), 0.0),
                "The hinge belongs to each anchor, before the mean. After it, easy anchors pay for hard ones.",
            ),
            Mistake(
                lambda e, y, m: np.maximum(-np.subtract(*_hard(e, y)) + m, 0).mean(),
                "The distances are exchanged: this loss pushes equal ones apart.",
            ),
            Mistake(
                _far_negative,
                "You took the farthest picture of another label. That is the easiest; the hardest is the nearest.",
            ),
            Mistake(
                _easiest_positive,
                "You took the nearest picture of the same label. The hardest is the farthest.",
            ),
            Mistake(
                _all_triplets,
                "That is the mean over all triplets. Most are easy; batch-hard takes the hardest one for each anchor.",
            ),
            Mistake(
                lambda e, y, m: np.maximum(np.subtract(*_hard(e, y)) + m, 0).sum(),
                "That is the sum over the anchors. Take the mean.",
            ),
            Mistake(
                lambda e, y, m: np.maximum(np.subtract(*_hard(e, y)) + m, 0).max(),
                "That is the hardest anchor's loss. Batch-hard takes the hardest pictures for each anchor, then the mean over the anchors.",
            ),
            Mistake(
                lambda e, y, m: np.maximum(np.subtract(*_hard(e, y)) - m, 0).mean(),
                "The margin has the wrong sign: it is what the wrong picture must be farther away, so it is added.",
            ),
            Mistake(
                lambda e, y, m: (lambda v: v[v > 0].mean() if (v > 0).any() else 0.0)(
                    np.maximum(np.subtract(*_hard(e, y)) + m, 0)
                ),
                "That is the mean over the anchors that still pull. Asked for is the mean over all.",
            ),
            Mistake(
                _times_mask,
                "Multiplying by the mask sets the forbidden pairs to 0, and 0 wins every minimum. Set them to inf.",
            ),
            Mistake(
                lambda e, y, m: max(_hard(e, y)[0].max() - _hard(e, y)[1].min() + m, 0),
                "Each anchor has a farthest and a nearest of its own. You took one of each for the whole batch.",
            ),
        ],
        hints=(
            "Make the table of all distances first, (N, N), and a table that says which pairs share a label.",
            "Set what must not be chosen to -inf before a max, and to inf before a min.",
            "farthest = np.where(same, d, -np.inf).max(axis=1), nearest = np.where(same, np.inf, d).min(axis=1), then the hinge.",
        ),
    ),
]
