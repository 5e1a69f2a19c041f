"""Exercises of lesson 00: shapes, predictions, and a score to beat."""

import torch

from course_utils.exercises.bank import Case, Exercise, Mistake


def accuracy_of(predictions, targets):
    return (predictions == targets).float().mean()


def predicted_classes(logits):
    return logits.argmax(dim=1)


def majority_accuracy(train_targets, test_targets):
    commonest = torch.bincount(train_targets).argmax()
    return (test_targets == commonest).float().mean()


def prepare_scan(scan):
    ink = 1 - scan.float() / 255
    return ink[None, None]


def _targets(*values):
    return torch.tensor(values)


_PAIRS = [
    Case(_targets(1, 2, 3, 4), _targets(1, 2, 0, 9)),
    Case(_targets(0, 0, 5), _targets(5, 0, 5)),
    Case(_targets(7, 7, 7, 7, 7), _targets(7, 6, 7, 7, 7)),
]
_LOGITS = torch.tensor([[0.1, 2.0, -1.0], [3.0, -2.0, 2.5], [-5.0, -4.0, -0.5], [0.0, 9.0, 8.0]])
_SCAN = torch.tensor([[0, 255, 51], [255, 102, 0]])

EXERCISES = [
    Exercise(
        id="00.1",
        title="The shape of a batch",
        reference=(16, 3, 160, 128),
        name="batch_shape",
        mistakes=[
            Mistake(
                (16, 160, 128, 3),
                "That is channels last, as a picture file has it. In PyTorch the channels come before rows and columns.",
            ),
            Mistake(
                (3, 160, 128),
                "That is one image. A batch has one more axis, the first, which counts the images.",
            ),
            Mistake(
                (16, 3, 128, 160),
                "Columns before rows. Height, the number of rows, comes first: (N, C, H, W).",
            ),
            Mistake((3, 16, 160, 128), "Channels and images are exchanged: the batch axis is the first."),
            Mistake((16, 1, 160, 128), "One channel is a grey image. A colour photograph has three."),
        ],
        hints=(
            "How many axes has one image, and which axis does a batch add?",
            "The order is (N, C, H, W): images, channels, rows, columns.",
            "N is 16 and C is 3; then rows before columns.",
        ),
        solution="batch_shape = (16, 3, 160, 128)",
    ),
    Exercise(
        id="00.2",
        title="Accuracy",
        reference=accuracy_of,
        cases=_PAIRS,
        mistakes=[
            Mistake(
                lambda p, t: (p == t).sum(),
                "That counts the right answers. Accuracy is a fraction: divide by how many there are.",
            ),
            Mistake(
                lambda p, t: 100 * (p == t).float().mean(),
                "That is in percent. The course states fractions, between 0 and 1.",
            ),
            Mistake(
                lambda p, t: (p != t).float().mean(), "That is the error rate: the fraction that is wrong."
            ),
            Mistake(
                lambda p, t: (p - t).abs().float().mean(),
                "Classes are names, not amounts: reading a 9 as a 1 is no worse than reading it as an 8. Compare for equality.",
            ),
            Mistake(
                lambda p, t: torch.equal(p, t),
                "That asks whether all answers are right at once. Compare element by element, with ==.",
            ),
            Mistake(
                lambda p, t: (p == t).mean(),
                "mean() takes neither whole numbers nor True and False, and minus takes no True and False. Turn what == or != gives into numbers with .float() first.",
            ),
        ],
        hints=(
            "`predictions == targets` compares element by element.",
            "The mean of zeros and ones is the fraction of ones; a boolean tensor has to become a float before it has a mean.",
            "`(predictions == targets).float()`, and then its mean.",
        ),
    ),
    Exercise(
        id="00.3",
        title="From logits to classes",
        reference=predicted_classes,
        cases=[Case(_LOGITS), Case(-_LOGITS), Case(torch.tensor([[-3.0, -1.0, -2.0, -9.0]]))],
        mistakes=[
            Mistake(
                lambda z: z.argmax(dim=0),
                "That looks down each column: for every class, which image leans to it most. You want, for every image, which class.",
            ),
            Mistake(
                lambda z: z.max(dim=1).values,
                "That is how high the best logit is. Asked for is where it stands: its column number.",
            ),
            Mistake(lambda z: z.argmin(dim=1), "That is the class the network leans to least."),
            Mistake(
                lambda z: z.argmax(),
                "Without an axis, argmax looks at the flattened table and gives one number for the whole batch.",
            ),
            Mistake(
                lambda z: z.softmax(dim=1),
                "Those are probabilities. They are in the same order as the logits; you still have to say which is largest.",
            ),
            Mistake(lambda z: z.argmax(dim=1) + 1, "Off by one: classes are counted from 0, like columns."),
            Mistake(lambda z: z.max(dim=1), "`max` gives values and places. Take `.indices`."),
            Mistake(
                lambda z: z.softmax(dim=0).argmax(dim=1),
                "The softmax runs down the columns, over the images. It belongs along a row.",
            ),
        ],
        hints=(
            "Each row belongs to one image. What do you look for in a row?",
            "`argmax` gives the place of the largest value; say along which axis.",
            "Axis 0 counts images, axis 1 counts classes: search along axis 1.",
        ),
    ),
    Exercise(
        id="00.4",
        title="The trivial answer",
        reference=majority_accuracy,
        cases=[
            Case(_targets(0, 0, 0, 1, 2), _targets(0, 1, 1, 1, 2)),
            Case(_targets(3, 3, 1, 2, 2, 2, 2), _targets(2, 2, 3, 3, 3, 1)),
            Case(_targets(1, 1, 0, 4), _targets(4, 4, 4, 1)),
            Case(_targets(9, 9, 9, 1, 4, 5, 6), _targets(9, 5, 5, 1)),
            Case(_targets(3, 1, 1, 1, 0), _targets(3, 3, 1, 0, 0, 0)),
        ],
        mistakes=[
            Mistake(
                lambda a, b: (b == torch.bincount(b).argmax()).float().mean(),
                "You looked for the commonest class among the test targets. That peeks at the exam: the answer must come from the training targets.",
            ),
            Mistake(
                lambda a, b: torch.bincount(a).max() / len(a),
                "That is the score on the training targets. The question is how the same answer does on the test targets.",
            ),
            Mistake(
                lambda a, b: 1 / len(torch.unique(a)),
                "One over the number of classes is right only if all classes are equally common. Real data rarely is.",
            ),
            Mistake(
                lambda a, b: torch.bincount(a).argmax(),
                "That is the commonest class. Asked for is the accuracy of always answering it.",
            ),
            Mistake(
                lambda a, b: (b == torch.bincount(a).argmax()).sum(),
                "That counts the right answers. Divide by the number of test targets.",
            ),
            Mistake(
                lambda a, b: (b == a.median()).float().mean(),
                "Classes are names: the one in the middle is not the commonest.",
            ),
            Mistake(
                lambda a, b: (b == torch.bincount(a).max()).float().mean(),
                "`max` is how often the commonest class occurs. `argmax` is which class it is.",
            ),
        ],
        hints=(
            "There are two steps: find the answer in one set, count how often it is right in the other.",
            "`torch.bincount` counts how often each class occurs; the commonest is where the count is largest.",
            "`commonest = torch.bincount(train_targets).argmax()`; then compare `test_targets` with it.",
        ),
    ),
    Exercise(
        id="00.5",
        title="Prepare a scan",
        reference=prepare_scan,
        cases=[Case(_SCAN), Case(torch.full((4, 4), 255)), Case(torch.arange(0, 64).reshape(8, 8) * 4)],
        mistakes=[
            Mistake(
                lambda s: (s.float() / 255)[None, None],
                "Ink is still dark: you scaled but did not invert. This is the mistake that the lesson shows live.",
            ),
            Mistake(
                lambda s: (255 - s.float())[None, None],
                "Inverted, but still between 0 and 255. The network was trained on values between 0 and 1.",
            ),
            Mistake(
                lambda s: 1 - s.float() / 255,
                "The values are right. The shape is that of a bare image: the network wants (N, C, H, W).",
            ),
            Mistake(
                lambda s: (1 - s.float() / 255)[None],
                "One axis is missing: a batch of one grey image has both a batch axis and a channel axis.",
            ),
            Mistake(
                lambda s: (1 - s // 255).float()[None, None],
                "Whole-number division makes every grey value 0 and loses all shades. Turn the scan into floats first.",
            ),
            Mistake(
                lambda s: (-s.float() / 255)[None, None],
                "The sign is turned, so paper is -1. Inverting a range of 0 to 1 means 1 - value.",
            ),
            Mistake(
                lambda s: ((1 - s) / 255)[None, None],
                "You subtracted from 1 before scaling: paper becomes -254/255. Divide first.",
            ),
        ],
        hints=(
            "Three things differ: the type, the range with its direction, and the number of axes.",
            "Divide floats by 255, then exchange light and dark with `1 - value`.",
            "`ink[None, None]` adds the batch axis and the channel axis in front.",
        ),
    ),
]
