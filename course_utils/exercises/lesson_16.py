"""Exercises of lesson 16: pairs, leaks, error rates, thresholds, intervals over people, ArcFace, the unknown."""

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.exercises.bank import Case, Exercise, Mistake


def genuine_scores(similarity, person):
    i, j = np.triu_indices(len(person), k=1)
    return similarity[i, j][person[i] == person[j]]


def leaked_people(train, test, person):
    return len(np.intersect1d(person[train], person[test]))


def rates(scores, genuine, threshold):
    accepted = scores >= threshold
    return accepted[~genuine].mean(), (~accepted[genuine]).mean()


def equal_error_at(scores, genuine):
    far = np.array([(scores[~genuine] >= t).mean() for t in np.sort(scores)])
    frr = np.array([(scores[genuine] < t).mean() for t in np.sort(scores)])
    k = np.abs(far - frr).argmin()
    return (far[k] + frr[k]) / 2


def found_far(choose_scores, choose_genuine, check_scores, check_genuine, far):
    impostors = np.sort(choose_scores[~choose_genuine])[::-1]
    threshold = impostors[int(far * len(impostors)) - 1]
    return (check_scores[~check_genuine] >= threshold).mean()


def reject_interval(rejected, who, draws):
    values = []
    for people in draws:
        rows = np.concatenate([np.flatnonzero(who == p) for p in people])
        values.append(rejected[rows].mean())
    return np.quantile(values, 0.025), np.quantile(values, 0.975)


def arcface_logits(vectors, directions, person, scale, margin):
    cosine = F.normalize(vectors, dim=1) @ F.normalize(directions, dim=1).T
    angle = cosine.clamp(-1 + 1e-6, 1 - 1e-6).arccos()
    true = F.one_hot(person, len(directions)) == 1
    return scale * torch.where(true, (angle + margin).cos(), cosine)


def who_is_it(vector, pictures, names, threshold):
    people = sorted(set(names))
    unit = pictures / np.linalg.norm(pictures, axis=1, keepdims=True)
    templates = np.stack([unit[[n == p for n in names]].mean(axis=0) for p in people])
    templates = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    scores = templates @ (vector / np.linalg.norm(vector))
    return people[scores.argmax()] if scores.max() >= threshold else "unknown"


def _similarities(seed, n):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


def _pairs(seed, genuine, impostor, gap=1.0, digits=3):
    random = np.random.default_rng(seed)
    scores = np.concatenate([random.normal(gap, 0.6, genuine), random.normal(0, 0.6, impostor)])
    order = random.permutation(len(scores))
    return np.round(scores[order], digits), (np.arange(len(scores)) < genuine)[order]


def _all_twice(s, p):
    same = (p[:, None] == p[None]) & ~np.eye(len(p), dtype=bool)
    return s[same]


def _with_itself(s, p):
    i, j = np.triu_indices(len(p), k=0)
    return s[i, j][p[i] == p[j]]


def _neighbours_only(s, p):
    return np.diagonal(s, 1)[p[:-1] == p[1:]]


def _impostors(s, p):
    i, j = np.triu_indices(len(p), k=1)
    return s[i, j][p[i] != p[j]]


def _rates_of_all(s, g, t):
    return ((s >= t) & ~g).mean(), ((s < t) & g).mean()


def _rates_of_accepted(s, g, t):
    return (~g[s >= t]).mean(), g[s < t].mean()


def _best_accuracy(s, g):
    wrong = [((s >= t) != g).mean() for t in np.sort(s)]
    return min(wrong)


def _rates_at_best_accuracy(s, g):
    t = np.sort(s)[int(np.argmin([((s >= t) != g).mean() for t in np.sort(s)]))]
    return ((s[~g] >= t).mean() + (s[g] < t).mean()) / 2


def _smallest_sum(s, g):
    return min(((s[~g] >= t).mean() + (s[g] < t).mean()) / 2 for t in np.sort(s))


def _at_middle(s, g):
    t = (s[g].mean() + s[~g].mean()) / 2
    return ((s[~g] >= t).mean() + (s[g] < t).mean()) / 2


def _first_crossing(s, g):
    order = np.argsort(-s)
    far = np.cumsum(~g[order]) / (~g).sum()
    frr = 1 - np.cumsum(g[order]) / g.sum()
    k = np.argmax(far >= frr)
    return (far[k] + frr[k]) / 2


def _top(values, far, off=0):
    values = np.sort(values)[::-1]
    return values[int(far * len(values)) - 1 + off]


def _over_pairs(rejected, who, draws):
    random = np.random.default_rng(0)
    values = [rejected[random.integers(len(rejected), size=len(rejected))].mean() for _ in draws]
    return np.quantile(values, 0.025), np.quantile(values, 0.975)


def _rows_for_people(rejected, who, draws):
    values = [rejected[people].mean() for people in draws]
    return np.quantile(values, 0.025), np.quantile(values, 0.975)


def _each_once(rejected, who, draws):
    values = [rejected[np.isin(who, people)].mean() for people in draws]
    return np.quantile(values, 0.025), np.quantile(values, 0.975)


def _mean_of_means(rejected, who, draws):
    values = [np.mean([rejected[who == p].mean() for p in people]) for people in draws]
    return np.quantile(values, 0.025), np.quantile(values, 0.975)


def _two_deviations(rejected, who, draws):
    values = [rejected[np.concatenate([np.flatnonzero(who == p) for p in people])].mean() for people in draws]
    middle, half = np.mean(values), 1.96 * np.std(values) / np.sqrt(len(draws))
    return middle - half, middle + half


def _arcface_variant(
    normal=True, everybody=False, sign=1, cosface=False, inside=False, clamp=True, scaled=True
):
    def answer(x, w, person, scale, margin):
        cosine = F.normalize(x, dim=1) @ F.normalize(w, dim=1).T if normal else x @ w.T
        angle = (cosine.clamp(-1 + 1e-6, 1 - 1e-6) if clamp else cosine).arccos()
        true = torch.ones_like(cosine, dtype=torch.bool) if everybody else F.one_hot(person, len(w)) == 1
        harder = cosine - margin if cosface else (angle + sign * margin).cos()
        if inside:
            return torch.where(true, (scale * angle + margin).cos(), scale * cosine)
        return (scale if scaled else 1) * torch.where(true, harder, cosine)

    return answer


def _always_a_name(vector, pictures, names, threshold):
    return who_is_it(vector, pictures, names, -2)


def _not_normalised(vector, pictures, names, threshold):
    people = sorted(set(names))
    templates = np.stack([pictures[[n == p for n in names]].mean(axis=0) for p in people])
    scores = templates @ vector
    return people[scores.argmax()] if scores.max() >= threshold else "unknown"


def _mean_before_length(vector, pictures, names, threshold):
    people = sorted(set(names))
    templates = np.stack([pictures[[n == p for n in names]].mean(axis=0) for p in people])
    templates = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    scores = templates @ (vector / np.linalg.norm(vector))
    return people[scores.argmax()] if scores.max() >= threshold else "unknown"


def _short_template(vector, pictures, names, threshold):
    unit = pictures / np.linalg.norm(pictures, axis=1, keepdims=True)
    return _not_normalised(vector / np.linalg.norm(vector), unit, names, threshold)


def _long_vector(vector, pictures, names, threshold):
    return who_is_it(vector, pictures, names, threshold / np.linalg.norm(vector))


def _first_above(vector, pictures, names, threshold):
    for p in sorted(set(names)):
        if who_is_it(vector, pictures[[n == p for n in names]], [p] * list(names).count(p), threshold) == p:
            return p
    return "unknown"


def _best_picture(vector, pictures, names, threshold):
    scores = pictures @ vector / np.linalg.norm(pictures, axis=1) / np.linalg.norm(vector)
    return names[int(scores.argmax())] if scores.max() >= threshold else "unknown"


_PEOPLE = [np.array([0, 0, 1, 1, 1, 2]), np.array([4, 7, 4, 7, 4, 9, 9]), np.array([3, 1, 3, 3])]
_MARGINS = {"scale": 16.0, "margin": 0.4}
_VECTORS = torch.tensor([[2.0, 0.5, 0.1], [0.3, 1.0, -0.4], [-0.5, 0.2, 3.0], [0.9, 0.8, 0.2]])
_DIRECTIONS = torch.tensor([[1.5, 0.2, 0.0], [0.1, 0.7, 0.1], [0.0, -0.2, 2.0]])
_REJECTED = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1], float)
_WHO = np.array([0] * 8 + [1] * 4 + [2] * 3 + [3] * 4 + [4] * 2 + [5] * 3)
_DRAWS = np.random.default_rng(2).integers(0, 6, (200, 6))
_BOOK = np.array([[1.0, 0.1], [0.7, 0.75], [0.1, 0.4], [0.2, 2.0], [-6.0, 1.0], [-0.4, 0.5]])
_NAMES = ["ann", "ann", "ben", "ben", "cleo", "cleo"]

EXERCISES = [
    Exercise(
        id="16.1",
        title="The genuine pairs",
        reference=genuine_scores,
        cases=[
            *(Case(_similarities(i, len(p)), p) for i, p in enumerate(_PEOPLE)),
            Case(np.array([[1, 0, 0.5], [0, 1, 0.2], [0.5, 0.2, 1]]), np.array([0, 0, 1])),
        ],
        mistakes=[
            Mistake(
                _with_itself,
                "A picture paired with itself counts as genuine here, with a score of 1. No camera ever takes such a pair, and it flatters every rate: start above the diagonal, `k=1`.",
            ),
            Mistake(
                _all_twice,
                "Each pair is there twice, once from either side. Rates stay the same, but an interval would believe in twice as many observations.",
            ),
            Mistake(
                _impostors,
                "Those are the impostor pairs: the two persons must be equal, not different.",
            ),
            Mistake(
                _neighbours_only,
                "You compared only rows that stand next to each other. Three pictures of one person give three pairs, not two.",
            ),
            Mistake(
                lambda s, p: s[np.triu_indices(len(p), k=1)],
                "Those are all pairs. Keep those whose two pictures show one person.",
            ),
            Mistake(
                lambda s, p: s[p[:, None] == p],
                "Each pair is there twice, and each picture with itself. Take the entries above the diagonal.",
            ),
        ],
        hints=(
            "Four pictures of one person: how many different pairs are there? Not sixteen, and not twelve.",
            "`np.triu_indices(n, k=1)` gives rows and columns above the diagonal, each pair once.",
            "With `i, j` from it: take `similarity[i, j]` where `person[i] == person[j]`.",
        ),
    ),
    Exercise(
        id="16.2",
        title="Does the split leak?",
        reference=leaked_people,
        cases=[
            Case(np.array([0, 1, 4, 5, 7]), np.array([2, 3, 6, 8]), np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])),
            Case(np.array([0, 3]), np.array([1, 2, 4, 5]), np.array([5, 5, 6, 6, 6, 6])),
            Case(np.array([0, 1, 2]), np.array([3, 4]), np.array([1, 1, 2, 3, 3])),
            Case(np.array([0, 2]), np.array([3]), np.array([0, 1, 2, 0, 5])),
        ],
        mistakes=[
            Mistake(
                lambda a, b, p: len(np.intersect1d(a, b)),
                "You compared row numbers. No picture is on both sides in any split; the people are. Look up `person[train]` and `person[test]`.",
            ),
            Mistake(
                lambda a, b, p: np.isin(p[b], p[a]).sum(),
                "You counted pictures. Asked for are people: each counts once, however many pictures they have.",
            ),
            Mistake(
                lambda a, b, p: len(np.setdiff1d(p[b], p[a])),
                "Those are the test people that are *not* in training: the strangers, which is what you want everybody to be.",
            ),
            Mistake(
                lambda a, b, p: len(np.union1d(p[a], p[b])),
                "That counts everybody. A leak is who stands on both sides: the intersection, not the union.",
            ),
            Mistake(
                lambda a, b, p: np.isin(p[a], p[b]).sum(),
                "You counted the training pictures of people who are tested. Count the people, once each.",
            ),
        ],
        hints=(
            "`train` and `test` hold rows. Whose pictures are those rows?",
            "Two sets of people; which operation gives those in both?",
            "`np.intersect1d(person[train], person[test])` has no repeats. How long is it?",
        ),
    ),
    Exercise(
        id="16.3",
        title="Two ways to be wrong",
        reference=rates,
        cases=[
            Case(np.array([0.9, 0.6, 0.6, 0.2, 0.7, 0.1]), np.array([1, 1, 0, 1, 0, 0], bool), 0.6),
            Case(*_pairs(1, 10, 35), 0.5),
            Case(*_pairs(2, 7, 12), 0.2),
        ],
        mistakes=[
            Mistake(
                lambda s, g, t: rates(s, g, t)[::-1],
                "The two are exchanged: the false accept rate comes first, and its denominator is the impostor pairs.",
            ),
            Mistake(
                _rates_of_all,
                "You divided by all pairs. Each rate has its own denominator: impostor pairs for false accepts, genuine pairs for false rejects. Else the rates move when more impostors are compared.",
            ),
            Mistake(
                _rates_of_accepted,
                "You divided by the accepted and by the rejected pairs. That asks how far a *decision* can be trusted, which depends on how many impostors come.",
            ),
            Mistake(
                lambda s, g, t: ((s[~g] > t).mean(), (s[g] <= t).mean()),
                "A score that equals the threshold is accepted: `>=`. With rounded scores the difference is large.",
            ),
            Mistake(
                lambda s, g, t: ((s[~g] > t).mean(), (s[g] < t).mean()),
                "A pair whose score equals the threshold is in neither of your rates. It is accepted, so an impostor's counts: `>=` in the first.",
            ),
            Mistake(
                lambda s, g, t: ((s[~g] >= t).mean(), (s[g] <= t).mean()),
                "A pair whose score equals the threshold is in both of your rates. It is accepted, so a genuine one is no error: `<` in the second.",
            ),
            Mistake(
                lambda s, g, t: ((s[g] >= t).mean(), (s[~g] < t).mean()),
                "Those are the right decisions: genuine pairs accepted and impostors rejected. Asked for are the errors.",
            ),
        ],
        hints=(
            "Which pairs can be *falsely* accepted at all? Those alone belong into that denominator.",
            "`accepted = scores >= threshold`; then a mean over the impostor pairs, and one over the genuine pairs.",
            "`accepted[~genuine].mean()` is the first; the second is a mean of `~accepted` over the others.",
        ),
    ),
    Exercise(
        id="16.4",
        title="The equal error rate",
        reference=equal_error_at,
        cases=[
            Case(*_pairs(3, 20, 200)),
            Case(*_pairs(4, 15, 90, gap=0.7)),
            Case(*_pairs(5, 30, 60, gap=1.4)),
            Case(*_pairs(16, 12, 70, gap=0.9)),
        ],
        tolerance=1e-6,
        mistakes=[
            Mistake(
                _best_accuracy,
                "You took the threshold with the fewest wrong answers, and their share. Impostor pairs are many, so rejecting nearly everybody looks good; the equal error rate does not see how many there are.",
            ),
            Mistake(
                _rates_at_best_accuracy,
                "The rates are right, the threshold is that of the best accuracy. Where the classes are unequal, the two rates are far from equal there.",
            ),
            Mistake(
                _smallest_sum,
                "You took the smallest mean of the two rates. The curves cross where they are *equal*, which need not be there.",
            ),
            Mistake(
                _at_middle,
                "Half-way between the two mean scores the rates are equal only if both kinds of pairs spread alike. Search for the crossing.",
            ),
            Mistake(
                lambda s, g: 1 - equal_error_at(s, g),
                "That is one minus the equal error rate: the share that is right at that threshold.",
            ),
            Mistake(
                _first_crossing,
                "You took the first threshold where the false accept rate reaches the false reject rate. The one before may be nearer: take the smallest `abs(far - frr)`.",
            ),
        ],
        hints=(
            "Both rates are functions of the threshold: one falls, one rises. What is special about the place?",
            "Compute both rates at every score in turn, as in exercise 16.3.",
            "At the threshold where `abs(far - frr)` is smallest, return the mean of the two.",
        ),
    ),
    Exercise(
        id="16.5",
        title="A threshold that was not chosen on the test",
        reference=found_far,
        cases=[
            Case(*_pairs(6, 20, 100), *_pairs(7, 25, 300, gap=0.8), 0.05),
            Case(*_pairs(8, 30, 200), *_pairs(9, 20, 150), 0.1),
            Case(*_pairs(10, 60, 300), *_pairs(11, 40, 400), 0.02),
            Case(*_pairs(19, 40, 130, digits=1), *_pairs(20, 30, 200, digits=1), 0.075),
            Case(*_pairs(12, 60, 100), *_pairs(13, 20, 200), 0.1),
        ],
        mistakes=[
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= _top(s[~g], far)).mean(),
                "You chose the threshold and counted on the same people, so the stated rate comes out by construction and nothing is tested. Choose on the first two arrays, count on the last two.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= _top(cs, far)).mean(),
                "You ranked all scores, genuine pairs included. They are high, so the threshold gets too high; only impostors can be falsely accepted.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= _top(cs[cg], far)).mean(),
                "You ranked the genuine scores. A false accept is an impostor with a high score: rank the impostors.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= _top(cs[~cg], 1 - far)).mean(),
                "You let the wrong end in: that threshold accepts nearly all impostors. Of the sorted scores take the top share `far`.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s >= _top(cs[~cg], far)).mean(),
                "The threshold is right. Then you counted genuine pairs too, whose acceptance is no error: divide by the impostor pairs.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= _top(cs[~cg], far, off=1)).mean(),
                "Your threshold lies below the k-th highest impostor. Sorted from the top, that one stands at `k - 1`.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] > _top(cs[~cg], far, off=1)).mean(),
                "Your threshold lies below the k-th highest impostor, and `>` does not repair that: other people's scores fall between. Take the k-th itself, with `>=`.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] > _top(cs[~cg], far)).mean(),
                "A score that reaches the threshold is accepted: `>=`. With rounded scores several are equal to it.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= np.sort(cs[~cg])[-round(far * sum(~cg))]).mean(),
                "`far` times the number of impostors need not be whole: round it *down*, with `int`. Rounded up, one more than the stated share gets in.",
            ),
            Mistake(
                lambda cs, cg, s, g, far: (s[~g] >= np.sort(cs[~cg])[-int(far * len(cs))]).mean(),
                "You took `far` of all pairs. k is that share of the impostors alone.",
            ),
        ],
        hints=(
            "Two groups of people: one chooses, the other checks. Which arrays may the threshold see?",
            "Sort the impostor scores of the first group from high to low and take the k-th. At which index does Python keep the k-th entry?",
            "`np.sort(choose_scores[~choose_genuine])[::-1][int(far * n) - 1]`, then count `check` impostors that reach it.",
        ),
    ),
    Exercise(
        id="16.6",
        title="An interval over people",
        reference=reject_interval,
        cases=[Case(_REJECTED, _WHO, _DRAWS), Case(_REJECTED[::-1].copy(), _WHO, _DRAWS[:120])],
        mistakes=[
            Mistake(
                _over_pairs,
                "You drew pairs. One person who is hard to recognise spoils all of their pairs together, so pairs are not independent and the interval is too narrow. Draw people.",
            ),
            Mistake(
                _rows_for_people,
                "You used the numbers of people as row numbers. Take *all rows* of each drawn person: those where `who` equals that number.",
            ),
            Mistake(
                _each_once,
                "A person who was drawn twice counts once here. Drawing with replacement means that their pairs count twice.",
            ),
            Mistake(
                _mean_of_means,
                "You averaged over people first, so somebody with two pairs weighs as much as somebody with eight. The false reject rate is a share of pairs; only the drawing goes by people.",
            ),
            Mistake(
                _two_deviations,
                "You divided by the root of the number of draws. More draws make the interval's ends more certain, not the rate: take quantiles of the values themselves.",
            ),
        ],
        hints=(
            "What is drawn anew: the pairs, or those who made them?",
            "For each row of `draws`, collect the pairs of all drawn people, somebody drawn twice with all pairs twice.",
            "`np.concatenate([np.flatnonzero(who == p) for p in people])` gives the rows of one draw; then two quantiles.",
        ),
    ),
    Exercise(
        id="16.7",
        title="The logits of ArcFace",
        reference=arcface_logits,
        cases=[
            Case(_VECTORS, _DIRECTIONS, torch.tensor([0, 1, 2, 0]), **_MARGINS),
            Case(3 * _VECTORS[:2], _DIRECTIONS, torch.tensor([2, 1]), scale=8.0, margin=0.2),
            Case(_VECTORS[:3], _DIRECTIONS, torch.tensor([0, 1, 0]), **_MARGINS),
        ],
        mistakes=[
            Mistake(
                _arcface_variant(normal=False),
                "Vectors and directions are not of length 1, so the products are no cosines, and a long vector buys confidence. Normalise both.",
            ),
            Mistake(
                _arcface_variant(cosface=True),
                "You took the margin from the cosine. That is CosFace; ArcFace adds it to the *angle*, `cos(angle + margin)`.",
            ),
            Mistake(
                _arcface_variant(everybody=True),
                "The margin makes every person harder, so nobody has to come closer. Only the true person gets it.",
            ),
            Mistake(
                _arcface_variant(sign=-1),
                "A smaller angle makes the true person *easier*: the loss is content with less. Add the margin.",
            ),
            Mistake(
                _arcface_variant(inside=True),
                "The scale stands inside the cosine. It multiplies the finished cosine, to let the softmax become sure.",
            ),
            Mistake(
                _arcface_variant(normal=False, clamp=False),
                "Vectors and directions are not of length 1, so the products are no cosines, and `arccos` of a number above 1 is NaN. Normalise both.",
            ),
            Mistake(
                _arcface_variant(scaled=False),
                "The scale is missing: cosines lie between -1 and 1, too close for a softmax to become sure.",
            ),
            Mistake(
                _arcface_variant(sign=0),
                "The margin is missing: those are scaled cosines. Add `margin` to the angle of the true person.",
            ),
        ],
        hints=(
            "What must the lengths be, so that a product is the cosine of an angle?",
            "Angles by `arccos` of the cosines (clamped a little inside -1 and 1); one column of each row gets the margin.",
            "`torch.where(true, (angle + margin).cos(), cosine)` times the scale, with `true` from `F.one_hot`.",
        ),
    ),
    Exercise(
        id="16.8",
        title="Or nobody",
        reference=who_is_it,
        cases=[
            Case(np.array(v), _BOOK, _NAMES, t)
            for v, t in (
                ([0.2, 0.1], 0.9),
                ([0.5, 1.0], 0.85),
                ([-1.0, -1.0], 0.5),
                ([0.1, 3.0], 0.9),
                ([0.02, -0.03], 0.6),
                ([-1.0, 0.35], 0.85),
                ([-0.5, 0.44], 0.7),
                ([-0.1, 0.2], 0.75),
                ([0.6, 0.64], 0.6),
                ([0.9, 0.8], 0.98),
                ([1.0, 0.1], 0.9),
            )
        ],
        mistakes=[
            Mistake(
                _always_a_name,
                'The nearest person is always somebody. Who is not enrolled gets a name too: below the threshold the answer is "unknown".',
            ),
            Mistake(
                _not_normalised,
                "Without lengths of 1 the score grows with the length of the vectors, and the threshold means nothing.",
            ),
            Mistake(
                _mean_before_length,
                "You averaged vectors of different lengths, so one long one decides the template. Give each picture length 1 first, then the mean, then the mean length 1.",
            ),
            Mistake(
                _long_vector,
                "The vector asked about keeps its own length, and the scores grow with it. Give it length 1 too.",
            ),
            Mistake(
                _short_template,
                "The mean of unit vectors is shorter than 1, most of all for people whose pictures differ. Give the template length 1 before you multiply.",
            ),
            Mistake(
                _first_above,
                "The first person above the threshold is not the nearest one: the answer would depend on the alphabet.",
            ),
            Mistake(
                _best_picture,
                "You compared with single pictures. One unusual picture then decides; the template is the mean direction of all pictures of a person.",
            ),
        ],
        hints=(
            "Three things get length 1: each picture, each template, and the vector asked about.",
            "One template for each name, the highest score wins, and it must reach the threshold.",
            '`people[scores.argmax()] if scores.max() >= threshold else "unknown"`; `scores` are products of unit vectors.',
        ),
    ),
]
