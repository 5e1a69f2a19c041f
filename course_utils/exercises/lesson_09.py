"""Exercises of lesson 09: finding leaks, and the tools of a careful training run."""

import operator

import numpy as np
import torch

from course_utils.exercises.bank import Case, Exercise, Mistake


def leaked(train, test):
    seen = {picture.tobytes() for picture in train}
    return sum(picture.tobytes() in seen for picture in test)


def moving_average(values, decay):
    average, averages = values[0], []
    for value in values:
        average = decay * average + (1 - decay) * value
        averages.append(average)
    return averages


def mixup(x, y, order, share):
    return share * x + (1 - share) * x[order], share * y + (1 - share) * y[order]


def tta(logits):
    return torch.softmax(logits, dim=2).mean(dim=0).argmax(dim=1)


def stop_early(losses, patience):
    best, best_epoch = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch == patience:
            return best_epoch, epoch
    return best_epoch, len(losses)


def diagnose(train_loss, valid_loss, chance):
    if train_loss[-1] > 0.5 * chance:
        return "underfit"
    if valid_loss[-1] > 1.2 * min(valid_loss):
        return "overfit"
    return "healthy"


def _pictures(*rows):
    return np.array([[[value, value + 1], [value, 7]] for value in rows], dtype=np.uint8)


def _decayed(values, decay, start=None, weight=None):
    average, averages = values[0] if start is None else start, []
    for value in values:
        average = decay * average + (1 - decay if weight is None else weight) * value
        averages.append(average)
    return averages


def _corrected(values, decay):
    averages = _decayed(values, decay, start=0.0)
    return [average / (1 - decay**k) for k, average in enumerate(averages, start=1)]


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _stop(losses, patience, counts_from=0, reset=True, keep="best", better=operator.lt):
    best, best_epoch, waited = float("inf"), 0, counts_from
    for epoch, loss in enumerate(losses, start=1):
        if better(loss, best):
            best, best_epoch = loss, epoch
            waited = counts_from if reset else waited
        else:
            waited += 1
            if waited == patience:
                return (epoch if keep == "last" else best_epoch), epoch
    return (len(losses) if keep == "last" else best_epoch), len(losses)


def _against_previous(losses, patience, best=lambda seen, waited: len(seen) - waited):
    waited, end = 0, len(losses)
    for epoch in range(2, len(losses) + 1):
        waited = waited + 1 if losses[epoch - 1] >= losses[epoch - 2] else 0
        if waited == patience:
            end = epoch
            break
    return best(losses[:end], waited), end


def _best_so_far(seen, _=None):
    return seen.index(min(seen)) + 1


def _diagnosis(underfit=lambda t, v, chance: t[-1] > 0.5 * chance, overfit=lambda t, v: v[-1] > 1.2 * min(v)):
    def diagnosed(t, v, chance):
        return "underfit" if underfit(t, v, chance) else "overfit" if overfit(t, v) else "healthy"

    return diagnosed


X, Y = _random(4, 1, 2, 2), torch.eye(3)[[0, 1, 2, 0]]
ORDER = torch.tensor([2, 0, 3, 1])

# Three views of four pictures. A loud view is outvoted, a sure one is outvoted, a sure one wins against a majority.
VIEWS = torch.tensor(
    [
        [[9.0, 0.0, 0.0], [3.0, 0.0, 0.0], [6.0, 0.0, 0.0], [0.0, 1.0, 3.0]],
        [[0.0, 2.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.5, 0.0], [0.0, 1.0, 2.0]],
        [[0.0, 2.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.5, 0.0], [2.0, 0.0, 1.0]],
    ]
)

EXERCISES = [
    Exercise(
        id="09.1",
        title="Count the leaks",
        reference=leaked,
        cases=[
            Case(_pictures(1, 2, 3), _pictures(3, 4, 1)),
            Case(_pictures(1, 1, 1), _pictures(1, 2)),
            Case(_pictures(5, 6), _pictures(6, 6, 6, 9)),
            Case(_pictures(1), _pictures(2)),
            Case(np.uint8([[[1, 2], [3, 4]]]), np.uint8([[[4, 3], [2, 1]], [[1, 2], [3, 4]]])),
            Case(np.uint8([[[1, 2], [3, 4]]]), np.uint8([[[1, 1], [2, 4]], [[9, 9], [9, 9]]])),
            Case(np.uint8([[[16, 16], [16, 16]]]), np.uint8([[[0, 0], [0, 0]]])),
            Case(np.uint8([[[5, 6], [7, 8]]]), np.uint8([[[5, 6], [7, 9]]])),
            Case(_pictures(1), _pictures(1, 2, 2)),
        ],
        mistakes=[
            Mistake(
                lambda train, test: len({p.tobytes() for p in train} & {p.tobytes() for p in test}),
                "You count different pictures. A test picture that stands in the test set three times is judged three times.",
            ),
            Mistake(
                lambda train, test: sum(p.tobytes() in {q.tobytes() for q in test} for p in train),
                "You count the training pictures that return in the test set. The score is made of test pictures.",
            ),
            Mistake(
                lambda train, test: (
                    sum(p.tobytes() in {q.tobytes() for q in train} for p in test) / len(test)
                ),
                "That is the share. Asked is the number.",
            ),
            Mistake(
                lambda train, test: sum((p == q).all() for p in test for q in train),
                "You count pairs: a test picture that stands twice in training is one leaked picture.",
            ),
            Mistake(
                lambda train, test: sum(any(p.mean() == q.mean() for q in train) for p in test),
                "You compare something that different pictures can share, such as their mean, their sum or their sorted values. Compare pixel by pixel.",
            ),
            Mistake(
                lambda train, test: (
                    len(test) - len({p.tobytes() for p in test} - {p.tobytes() for p in train})
                ),
                "You took the clean *kinds* of pictures off the number of pictures. A clean one that stands in the test set twice was taken off once.",
            ),
            Mistake(
                lambda train, test: sum(min(((p - q) ** 2).sum() for q in train) == 0 for p in test),
                "`uint8` counts from 0 again after 255: a difference of 16 has the square 256, and that is 0 there. Compare with `==`.",
            ),
            Mistake(
                lambda train, test: np.isin(test, train).all((1, 2)).sum(),
                "You ask for each pixel whether its value occurs anywhere. Compare whole pictures, place by place.",
            ),
            Mistake(
                lambda train, test: sum(picture in train for picture in test),
                "`in` on an array is true where a single pixel agrees. Compare whole pictures: bytes, or `(a == b).all()`.",
            ),
        ],
        hints=(
            "Which pictures does the question count, and when do two pictures agree pixel for pixel?",
            "Equal pictures have equal bytes. Put `picture.tobytes()` of each training picture into a set, then go through "
            "the test pictures one by one.",
            "`sum(picture.tobytes() in seen for picture in test)`",
        ),
    ),
    Exercise(
        id="09.2",
        title="The average of the weights",
        reference=moving_average,
        name="moving_average",
        cases=[
            Case([1.0, 0.0, 0.0, 4.0], 0.5),
            Case([2.0, 4.0, 8.0], 0.9),
            Case([-1.0, 3.0], 0.75),
        ],
        mistakes=[
            Mistake(
                lambda values, decay: _decayed(values, 1 - decay),
                "The weights are exchanged: `decay` belongs to the old average. At 0.999 it must hardly move.",
            ),
            Mistake(
                lambda values, decay: _decayed(values, decay, start=0.0),
                "You start from 0, so the first averages are too small. Start from the first value.",
            ),
            Mistake(
                lambda values, decay: [
                    values[0],
                    *_decayed(values[1:], decay, start=values[0], weight=1.0),
                ],
                "The two weights must sum to 1; yours let the average grow. The new value counts 1 − decay.",
            ),
            Mistake(
                lambda values, decay: [sum(values[: k + 1]) / (k + 1) for k in range(len(values))],
                "That is the plain mean so far: it never forgets the first weights. `decay` is not used.",
            ),
            Mistake(
                lambda values, decay: _decayed(values, decay)[-1],
                "That is the last average. Return the list, one for each step.",
            ),
            Mistake(
                _corrected,
                "That is the average from 0 with Adam's correction. Here the first average is the first value.",
            ),
            Mistake(
                lambda values, decay: [
                    decay * old + (1 - decay) * new
                    for old, new in zip(values[:1] + values, values, strict=False)
                ],
                "You average two values. The old *average* goes on, not the old value.",
            ),
        ],
        hints=(
            "One number goes from step to step: the average so far.",
            "New average = decay · old average + (1 − decay) · value, starting from the first value.",
            "Inside the loop: `average = decay * average + (1 - decay) * value`, then append it.",
        ),
    ),
    Exercise(
        id="09.3",
        title="Mixup",
        reference=mixup,
        cases=[
            Case(X, Y, ORDER, 0.7),
            Case(X, Y, torch.tensor([1, 2, 3, 0]), 0.25),
            Case(X, Y, ORDER, 1.0),
        ],
        mistakes=[
            Mistake(
                lambda x, y, order, share: (share * x + (1 - share) * x[order], y),
                "The targets must be mixed too: a picture that is 30 % coat has 30 % of a coat's target.",
            ),
            Mistake(
                lambda x, y, order, share: (x, share * y + (1 - share) * y[order]),
                "The pictures must be mixed too: now the targets say things that the pictures do not show.",
            ),
            Mistake(
                lambda x, y, order, share: (
                    (1 - share) * x + share * x[order],
                    (1 - share) * y + share * y[order],
                ),
                "`share` is the part of the picture itself; the partner gets the rest.",
            ),
            Mistake(
                lambda x, y, order, share: (
                    share * x + (1 - share) * x[order],
                    share * y + (1 - share) * y.flip(0),
                ),
                "Pictures and targets have different partners. Use the same `order` for both.",
            ),
            Mistake(
                lambda x, y, order, share: (
                    share * x + (1 - share) * x[order],
                    y if share >= 0.5 else y[order],
                ),
                "You give the mixture the target of its larger part. The target has to be mixed in the same proportion.",
            ),
            Mistake(
                lambda x, y, order, share: share * x + (1 - share) * x[order],
                "The pictures are right. Return the mixed targets too, as two results.",
            ),
        ],
        hints=(
            "The partner of picture i is picture `order[i]`.",
            "A mixture is `share` of the picture and `1 - share` of its partner, and so is its target.",
            "`share * x + (1 - share) * x[order]`, and the same with y.",
        ),
    ),
    Exercise(
        id="09.4",
        title="Ask several times, answer once",
        reference=tta,
        cases=[Case(VIEWS), Case(3 * _random(2, 40, 5, seed=10)), Case(_random(1, 4, 3, seed=2))],
        mistakes=[
            Mistake(
                lambda logits: logits.mean(dim=0).argmax(dim=1),
                "You average logits (or log-probabilities, which pick the same class). Lesson 13 does so, but one loud view can "
                "outvote the others. Asked for is the mean of the probabilities.",
            ),
            Mistake(
                lambda logits: logits.argmax(dim=2).mode(dim=0).values,
                "A majority vote throws away how sure each view is, and with two views it often has no winner.",
            ),
            Mistake(
                lambda logits: torch.softmax(logits, dim=2).max(dim=0).values.argmax(dim=1),
                "You let the single most certain view decide. Take the mean over the views.",
            ),
            Mistake(
                lambda logits: logits[0].argmax(dim=1),
                "That is the first view alone.",
            ),
            Mistake(
                lambda logits: torch.softmax(logits, dim=2).mean(dim=0),
                "Those are the averaged probabilities. The answer is the class with the largest one.",
            ),
            Mistake(
                lambda logits: torch.softmax(logits, dim=1).mean(dim=0).argmax(dim=1),
                "The softmax runs over the pictures. Over the classes, dim 2, each view's probabilities sum to 1.",
            ),
            Mistake(
                lambda logits: torch.softmax(logits, dim=0).mean(dim=0).argmax(dim=1),
                "The softmax runs over the views. It belongs over the classes, dim 2.",
            ),
            Mistake(
                lambda logits: logits.argmax(dim=2).float().mean(dim=0).round(),
                "You averaged class numbers. Classes are names, not amounts.",
            ),
        ],
        hints=(
            "First turn each view's logits into probabilities.",
            "`torch.softmax(logits, dim=2)` has shape (views, N, classes). Average over the views.",
            "`.mean(dim=0).argmax(dim=1)`",
        ),
    ),
    Exercise(
        id="09.5",
        title="When to stop",
        reference=stop_early,
        cases=[
            Case([0.9, 0.7, 0.6, 0.65, 0.61, 0.7], 2),
            Case([0.9, 0.7, 0.75, 0.6, 0.62, 0.59, 0.7, 0.8, 0.5], 2),
            Case([0.9, 0.8, 0.7], 2),
            Case([0.5, 0.6, 0.7, 0.8], 3),
            Case([0.5, 0.45, 0.45, 0.46, 0.44], 2),
            Case([0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.9], 2),
        ],
        mistakes=[
            Mistake(
                lambda losses, patience: _stop(losses, patience, keep="last"),
                "The weights to keep are those of the best epoch, not those of the last.",
            ),
            Mistake(
                lambda losses, patience: _stop(losses, patience, reset=False),
                "The counter of bad epochs must start again at each new best.",
            ),
            Mistake(
                _against_previous,
                "You compare with the epoch before. Compare with the best so far: a bad epoch makes the next look good.",
            ),
            Mistake(
                lambda losses, patience: _against_previous(losses, patience, _best_so_far),
                "You name the best epoch so far, but you stop by comparing with the epoch before. Count the epochs since the best.",
            ),
            Mistake(
                lambda losses, patience: _against_previous(
                    losses, patience, lambda seen, waited: len(seen) - (waited == patience) * patience
                ),
                "Better than the epoch before is not better than all before. Keep the best loss, and compare with it.",
            ),
            Mistake(
                lambda losses, patience: (losses.index(min(losses)) + 1, len(losses)),
                "You looked at the whole curve. At the moment of stopping, later epochs do not exist.",
            ),
            Mistake(
                lambda losses, patience: (_best_so_far(losses), stop_early(losses, patience)[1]),
                "The end is right, but you looked for the best epoch in the whole curve. Look only up to the end.",
            ),
            Mistake(
                lambda losses, patience: _stop(losses, patience, counts_from=-1),
                "You stop one epoch late: `patience` epochs without a better one, then stop.",
            ),
            Mistake(
                lambda losses, patience: _stop(losses, patience, counts_from=1),
                "You stop one epoch early: the best epoch itself does not count.",
            ),
            Mistake(
                lambda losses, patience: _stop(losses, patience, better=operator.le),
                "An equal loss is no new best. Only a smaller one starts the count again.",
            ),
            Mistake(
                lambda losses, patience: tuple(epoch - 1 for epoch in stop_early(losses, patience)),
                "Epochs are counted from 1 here.",
            ),
            Mistake(
                lambda losses, patience: (_stop(losses, patience)[0] - 1, _stop(losses, patience)[1]),
                "The best epoch is counted from 0, the end from 1. Count both from 1.",
            ),
        ],
        hints=(
            "Keep two things: the best loss so far, and the epoch that gave it.",
            "At each epoch: better than the best? Then it is the new best. If not, and `patience` epochs passed since the best, stop.",
            "`elif epoch - best_epoch == patience: return best_epoch, epoch`; after the loop the last epoch is where it ended.",
        ),
    ),
    Exercise(
        id="09.6",
        title="Read the curves",
        reference=diagnose,
        cases=[
            Case([2.2, 1.9, 1.8], [2.2, 2.0, 1.9], 2.3),
            Case([1.9, 0.6, 0.1], [1.8, 0.8, 1.3], 2.3),
            Case([1.9, 0.8, 0.5], [1.8, 0.9, 0.7], 2.3),
            Case([1.9, 1.4, 1.2], [1.1, 0.9, 1.4], 2.3),
            Case([2.0, 1.0, 0.9], [1.9, 1.0, 1.15], 2.3),
            Case([1.5, 0.7, 0.3], [1.4, 0.5, 0.62], 2.3),
            Case([0.9, 0.2, 0.01], [0.9, 0.5, 0.5], 2.3),
            Case([0.65, 0.5, 0.45], [0.66, 0.55, 0.5], 0.69),
            Case([2.0, 0.9, 0.4], [2.0, 0.6, 0.9], 2.3),
            Case([1.2, 1.0, 0.9], [1.5, 1.1, 1.0], 2.3),
            Case([2.1, 1.0, 1.4], [2.1, 1.2, 1.5], 2.3),
            Case([2.0, 0.5, 0.4, 0.3], [2.0, 0.6, 0.75, 0.85], 2.3),
            Case([2.0, 1.0], [2.0, 1.1], 2.0),
        ],
        mistakes=[
            Mistake(
                lambda t, v, chance: (
                    "overfit" if v[-1] > 1.2 * min(v) else "underfit" if t[-1] > 0.5 * chance else "healthy"
                ),
                "The order matters. A net that has not learned its training pictures cannot have learned them by heart: "
                "ask for underfitting first.",
            ),
            Mistake(
                _diagnosis(overfit=lambda t, v: v[-1] > 2 * t[-1]),
                "A gap between the curves is normal: training pictures are always easier. Overfitting shows where the "
                "validation loss *rises*.",
            ),
            Mistake(
                _diagnosis(lambda t, v, chance: v[-1] > 0.5 * chance),
                "Whether a net underfits is read from the training loss. A high validation loss alone can be overfitting.",
            ),
            Mistake(
                _diagnosis(overfit=lambda t, v: v[-1] > min(v)),
                "A validation loss wobbles. Call it a rise where it ends more than a fifth above its lowest value.",
            ),
            Mistake(
                _diagnosis(lambda t, v, chance: t[-1] > 1.15),
                "You compare with a fixed number. With two classes chance is log 2 = 0.69, and 0.5 says little.",
            ),
            Mistake(
                _diagnosis(lambda t, v, chance: t[-1] > 0.5 * t[0]),
                "You compare with the first loss. `chance` is given: the first value may already be far below it.",
            ),
            Mistake(
                _diagnosis(lambda t, v, chance: min(t) > 0.5 * chance),
                "You take the lowest training loss. Asked is the last.",
            ),
            Mistake(
                _diagnosis(overfit=lambda t, v: max(v) > 1.2 * min(v)),
                "You take the highest validation loss, which is usually the first. Asked is where it ends: the last against the lowest.",
            ),
            Mistake(
                _diagnosis(overfit=lambda t, v: v[-1] > 1.2 * v[-2]),
                "You compare with the epoch before. The lowest value may lie further back.",
            ),
            Mistake(
                _diagnosis(overfit=lambda t, v: v[-1] > 1.2 * t[-1]),
                "You compare validation with training. A fifth above means above the lowest *validation* loss.",
            ),
            Mistake(
                _diagnosis(overfit=lambda t, v: v[-1] > min(v) + 0.2),
                "A fifth above the lowest is 1.2 times the lowest: not 0.2 more, and not where the lowest is a fifth below the end.",
            ),
        ],
        hints=(
            "Two questions, in this order: has it learned its training pictures? Does the validation loss rise?",
            "First compare `train_loss[-1]` with half of `chance`, then `valid_loss[-1]` with 1.2 times its minimum.",
            '`if train_loss[-1] > 0.5 * chance: return "underfit"`; the other two follow the same pattern.',
        ),
    ),
]
