"""Exercises of lesson 19: name the disease of twelve training runs, then repair their scripts."""

from functools import partial
from operator import gt, lt

import numpy as np

from course_utils import clinic
from course_utils.clinic.scripts import FAULTS, IMPORTS, TURNS, cured, edit, function, sick
from course_utils.exercises.bank import Case, Exercise, Mistake

DIAGNOSES = {
    "A": (
        "learning rate too high",
        {
            "dead ReLUs": "At the first batch no channel is dead (`dead`). They die in the first epoch, when one step moves a layer by more "
            "than its own size. They are a consequence.",
            "exploding gradients": "Then the first loss would stand far above log C before any step. It is log C here (`first_loss` near 1): "
            "the harm comes with the steps.",
            "learning rate too low": "The loss is as flat as under a tiny rate, but look at the weights: in the first epoch a step changes "
            "them by half their size and more.",
            "labels shuffled": "A net learns shuffled labels by heart, so its training loss falls in the end. No epoch of this one gets below log C.",
            "zero_grad forgotten": "Then each gradient would contain the one before, and the two would be nearly parallel. `cosine` is far from 1.",
        },
        (
            "The loss starts at log C and then jumps. What happened right before the jump?",
            "Read the panel with the relative change of the weights: how much of a layer is new after one step?",
            "`first_update` is many times that of the healthy run, and `first_loss` and `cosine` are not.",
        ),
    ),
    "B": (
        "labels shuffled",
        {
            "learning rate too low": "The training loss falls, and the weights change as much per step as in the healthy run.",
            "normalisation mismatch": "Validation is at chance there too. But here the inputs of training and validation have one histogram.",
            "augmentation destroys the label": "The digits in the batch are whole and upright. It is the targets on them that are wrong.",
            "leakage": "Leakage makes validation look better than the truth. Here it is as bad as guessing.",
            "train mode at evaluation": "Then the answer for a picture would depend on its company. `company` is 0.",
        },
        (
            "Training loss falls, validation loss rises above log C: it learns something that holds for no other picture.",
            "Look at the batch: read each digit, then the target above it.",
            "Pictures and targets are out of step. Learning by heart is all that is left.",
        ),
    ),
    "C": (
        "softmax before cross-entropy",
        {
            "learning rate too low": "`first_update` is near a hundredth, enough to learn by, and nearly every answer is right.",
            "augmentation destroys the label": "Then the accuracy on the training batches would be low, too. It is near 1 while the loss stays high.",
            "labels shuffled": "Nearly all answers are right, also on new pictures. Nobody learns that from shuffled labels.",
            "frozen by mistake": "Every layer moves (`still_layers` is 0).",
            "class imbalance ignored": "No class is lost: see the accuracy by class.",
        },
        (
            "Two numbers contradict each other: the accuracy and the loss.",
            "The loss levels off far above zero, and nearly at one value for training and validation. Which value?",
            "If the net gives at most 1 and at least 0 for a class, cross-entropy cannot fall below log(e + 9) − 1.",
        ),
    ),
    "D": (
        "dead ReLUs",
        {
            "frozen by mistake": "A frozen layer stands still although gradients arrive behind it. Here no weight gets any, not even in the last layer.",
            "learning rate too low": "The change of the weights is zero, not small. No rate moves a weight whose gradient is zero.",
            "learning rate too high": "The gradients are zero at the first step already: no step came before that could have done harm.",
            "labels shuffled": "The training loss of shuffled labels falls, slowly, as the net learns by heart. This one does not move at all.",
            "exploding gradients": "Then the first loss would be far above log C. It is log C, and the gradients are zero.",
        },
        (
            "The net says the same for every picture. Where does the picture get lost on its way?",
            "`dead` counts ReLU channels that are zero for the whole first batch, before any step.",
            "If what comes out of the last ReLU is zero, so are the gradients of all weights.",
        ),
    ),
    "E": (
        "leakage",
        {
            "train mode at evaluation": "It is the same gap between report and use. But no answer changes with the company of a picture.",
            "class imbalance ignored": "No class is lost, and none is rare: see the accuracy by class and `class_ratio`.",
            "normalisation mismatch": "Then the reported accuracy would be low: validation would see other inputs. The histograms agree.",
            "augmentation destroys the label": "A darker digit is the same digit. And the net finds the right answer for all of them.",
            "labels shuffled": "The batch shows the right targets, and the net is good on new pictures, only less so than reported.",
        },
        (
            "The validation accuracy is perfect. The accuracy in use is not. What does validation ask?",
            "Which sign compares validation pictures with training pictures?",
            "`twins`: nearly every validation picture has been trained on, in another light.",
        ),
    ),
    "F": (
        "normalisation mismatch",
        {
            "labels shuffled": "Validation is at chance there too, but the targets in the batch are right. Compare the two histograms of the input.",
            "leakage": "Leakage makes validation look better than the truth. Here it is near chance.",
            "train mode at evaluation": "Then the answers would change with a picture's company. `company` is 0.",
            "class imbalance ignored": "`class_ratio` is near 1. It answers with one or two classes because all pictures look alike to it.",
            "frozen by mistake": "Every layer moves, and the training accuracy is 1.",
        },
        (
            "It knows every training picture, and fails on the same pictures in use (`known_accuracy`).",
            "The same picture gets two different answers. So the net does not get the same numbers.",
            "The histograms of training and validation inputs lie apart: `input_shift`.",
        ),
    ),
    "G": (
        "zero_grad forgotten",
        {
            "learning rate too high": "It looks the same at first sight. But a high rate does not make one gradient parallel to the next: `cosine`.",
            "exploding gradients": "The first loss is log C and the first gradient has the healthy size. It grows from step to step.",
            "labels shuffled": "The targets in the batch are right. And shuffled labels make a training loss fall, not jump.",
            "dead ReLUs": "At the first batch no channel is dead (`dead`). What dies later dies of the steps.",
            "normalisation mismatch": "The histograms agree, and training itself fails.",
        },
        (
            "The steps get larger and larger, and they overshoot. Do gradients of different batches resemble each other so much?",
            "Compare `cosine` with the healthy run: there one gradient says little about the next.",
            "A gradient that contains all earlier ones of the epoch is nearly parallel to the last one.",
        ),
    ),
    "H": (
        "augmentation destroys the label",
        {
            "labels shuffled": "Most answers are right in use. Read the batch again: not the targets are wrong.",
            "learning rate too low": "The weights change per step as in the healthy run. It learns, but something contradicts itself.",
            "normalisation mismatch": "The histograms of the two inputs agree. A turned picture has the same pixels.",
            "class imbalance ignored": "The classes are equally frequent (`class_ratio`). The weak ones are those that a turn or a mirror confuses.",
            "train mode at evaluation": "`company` is 0: no answer depends on the other pictures.",
        },
        (
            "Training accuracy levels off, although every layer moves and the targets are right. What is left of the batch?",
            "Look at the pictures of the batch, and read them as a person would. `altered` says how many were changed.",
            "Some digits lie on their side or are mirrored. What does a 6 become, or a 2?",
        ),
    ),
    "I": (
        "frozen by mistake",
        {
            "learning rate too low": "The last layer moves as in the healthy run. The first does not move at all.",
            "dead ReLUs": "From the third epoch on a gradient arrives at the first layer, and `dead` is 0.",
            "labels shuffled": "It is much better than guessing on new pictures, and the targets in the batch are right.",
            "class imbalance ignored": "`class_ratio` is near 1: the classes are equally frequent.",
            "augmentation destroys the label": "The digits in the batch are whole and upright.",
        },
        (
            "It learns, and stops early, as a linear model would.",
            "Compare two panels: the gradient of the first layer and the change of its weights.",
            "`still_layers`: they get gradients and do not move. So the optimizer does not have them.",
        ),
    ),
    "J": (
        "train mode at evaluation",
        {
            "leakage": "It is the same gap between report and use. But no validation picture has a twin among the training pictures.",
            "normalisation mismatch": "The histograms agree, and the reported accuracy is near 1.",
            "class imbalance ignored": "All classes suffer alike, and `class_ratio` is near 1.",
            "labels shuffled": "The reported accuracy is near 1 on pictures that it has not seen.",
            "augmentation destroys the label": "The training pictures are upright and the training loss goes to zero.",
        },
        (
            "In validation the pictures come mixed, in use sorted by class. Should that matter?",
            "`company` is the share of answers that change when a picture is put into a batch with other pictures.",
            "A layer takes its averages from the batch. Which one does so, and in which mode?",
        ),
    ),
    "K": (
        "exploding gradients",
        {
            "learning rate too high": "The first loss is measured before the first step, and it is already far above log C. No rate did that.",
            "zero_grad forgotten": "To forget needs two steps. The first loss is already far above log C.",
            "dead ReLUs": "No channel is dead (`dead` is 0), and the first gradients are huge, not zero.",
            "normalisation mismatch": "The histograms of the input agree; its mean is 0 and its spread 1. The numbers grow inside the net.",
            "labels shuffled": "With shuffled labels the first loss is log C, as with right ones: the net knows neither.",
        },
        (
            "Read the curve from its left end: the first loss comes before the first step.",
            "A net that knows nothing has a loss of log C. What makes it more, by orders of magnitude?",
            "Each layer multiplies what it gets by the same factor. `first_loss` and the first gradients say that the factor is large.",
        ),
    ),
    "L": (
        "class imbalance ignored",
        {
            "leakage": "It is the same gap between report and use. But no validation picture has a twin, and only some classes are lost.",
            "train mode at evaluation": "No answer depends on a picture's company (`company` is 0), and only some classes are lost.",
            "normalisation mismatch": "The histograms agree, and most classes are right nearly always.",
            "labels shuffled": "Most classes are right nearly always.",
            "augmentation destroys the label": "The digits in the batch are upright, and only some classes are lost.",
        },
        (
            "Report and use differ. Which classes make the difference?",
            "Look at the accuracy by class, then at `class_ratio`.",
            "The lost classes are rare in training and in validation. In use they are as frequent as the others.",
        ),
    ),
}


_LOSS = "F.cross_entropy(model((xb - mean) / std), yb"
_STEP = "            optimizer.step()\n"
_CLIP = (_STEP, "            nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n" + _STEP)
_EPOCHS = 12
_LONGER, _SHORTER = gt, lt  # in place of changes: the sick script with more epochs, or with fewer
_SLOWER = ("lr=0.1", "lr=0.01")
_WIDER = ("small_net(len(data.classes))", "small_net(len(data.classes), 32)")
_DECAY = ("momentum=0.9", "momentum=0.9, weight_decay=0.01")
_TURN, _MIRROR, _SWAP = TURNS
_SPLIT_FIRST = FAULTS["E"][0][::-1]

_STILL = "This run is the sick one, step by step: the fault still stands, or your change has no effect on it."
_IN_VAIN = {  # of a case: a change without effect
    "D": " (A smaller push is such a change: through six layers, −1 lets as little through as −3.)",
    "I": " (Gradients from the first epoch on are such a change: the optimizer was built from a list without these layers.)",
    "J": " (`eval` above the loop is such a change: `model.train()` undoes it at once.)",
}

# case: wrong repairs, each as changes of the sick script with its sentence, and three hints
REPAIRS = {
    "A": (
        [
            (
                _LONGER,
                "Still at log C. The first epoch has wrecked the weights; more epochs repeat steps of size zero.",
            ),
            (
                [("lr=2.0", "lr=0.5")],
                "A quarter of far too much is still too much. Search a rate by factors of ten, then of three.",
            ),
            (
                [("lr=2.0", "lr=0.1")],
                "That is the rate of the healthy run, whose net has normalisation. This one has none: divide again.",
            ),
            (
                [("lr=2.0", "lr=0.2")],
                "A tenth of far too much can still be too much. Ask `first_update`, and divide again.",
            ),
            (
                [("batches(x, y)", "batches(x, y, 256)")],
                "A larger batch makes the gradient less noisy, not smaller. The step is as long as before.",
            ),
            (
                [("SGD(model.parameters(), lr=2.0, momentum=0.9)", "Adam(model.parameters(), lr=0.5)")],
                "Adam's step is about `lr` for every weight, whatever the gradient. Half a unit a step is more than the weights are large.",
            ),
            ([_DECAY], "Weight decay pulls by the same rate. It does not make the first steps shorter."),
        ],
        (
            "One number decides how far a step goes.",
            "Divide it by ten, and again, until `first_update` is near a twentieth, as in the healthy run.",
            "`lr=0.03`",
        ),
    ),
    "B": (
        [
            ([_SLOWER], "A slower rate learns the wrong targets more slowly. Validation stays at chance."),
            (
                _LONGER,
                "More epochs learn the wrong targets by heart. Validation gets worse: the targets have to be repaired.",
            ),
            (
                [_WIDER],
                "A wider net has more room to learn wrong targets by heart. Validation stays at chance.",
            ),
            (
                [_DECAY],
                "Regularisation keeps the net from learning by heart. What there is to learn is still wrong.",
            ),
            (
                [
                    (
                        "data.images[order], data.targets",
                        "data.images[order], data.targets[torch.randperm(len(data))]",
                    )
                ],
                "Both are shuffled now, each in its own order. They must be shuffled in the same one.",
            ),
            (
                [("data.images[order], data.targets", "data.images, data.targets[order]")],
                "Now the targets are shuffled and the pictures are not. Both need the same order.",
            ),
        ],
        (
            "Somewhere the pictures are put into another order. What else has to be?",
            "`order` is used once. Where must it be used a second time?",
            "`split(data.images[order], data.targets[order])`; or leave `order` out, since `split` shuffles.",
        ),
    ),
    "C": (
        [
            (
                [("lr=0.1", "lr=1.0")],
                "A higher rate reaches the floor sooner. The floor stays where it is: the loss still sees probabilities.",
            ),
            (_LONGER, "More epochs press the loss towards its floor, log(e + 9) − 1, and never below."),
            (
                [(_LOSS, _LOSS + ", label_smoothing=0.1")],
                "Label smoothing raises the floor. The loss expects logits and still gets probabilities.",
            ),
            (
                [("F.cross_entropy", "F.nll_loss")],
                "The loss is below zero now: `nll_loss` wants log-probabilities, and these are probabilities.",
            ),
            (
                [_DECAY],
                "Weight decay keeps logits small. The floor comes from the second softmax, not from the weights.",
            ),
        ],
        (
            "What does `F.cross_entropy` expect: probabilities or logits?",
            "It applies log-softmax itself. So there is one softmax too many.",
            "`model = small_net(len(data.classes))`",
        ),
    ),
    "D": (
        [
            (
                [("lr=0.02", "lr=0.2")],
                "Ten times zero is zero. The gradients of the dead layers do not grow with the rate.",
            ),
            (_LONGER, "Still at log C. Nothing moves, however long you wait."),
            (
                [("-3.0)", "-3.0)\n            nn.init.kaiming_normal_(layer.weight)")],
                "The weights were all right. The bias still pushes every channel below zero.",
            ),
            (
                [("batches(x, y)", "batches(x, y, 256)")],
                "A larger batch is a mean over more zeros. The gradients stay zero.",
            ),
        ],
        (
            "What pushes every channel below zero?",
            "Such a bias belongs to the head, if anywhere, where it sets how rare a class is believed to be. The loop reaches every layer.",
            "Leave the biases of the `nn.Conv2d` layers alone.",
        ),
    ),
    "E": (
        [
            (
                [_DECAY],
                "Regularisation does not separate the twins. Validation still asks what was trained on.",
            ),
            (_LONGER, "More epochs make the memory better. Validation still asks what was trained on."),
            (
                [("data.targets.repeat(4))", "data.targets.repeat(4), 0.5)")],
                "A larger validation part holds more twins. The split still separates pictures, not originals.",
            ),
            (
                [("[relit(data.images) for _ in range(3)]", "[data.images] * 3")],
                "Now the copies are exact. They still stand on both sides of the split.",
            ),
            (
                [_SPLIT_FIRST],
                "The twins are gone. A quarter of the pictures also means a quarter of the steps: train four times as many epochs.",
            ),
            (
                [_SPLIT_FIRST, ("            loss =", "            xb = relit(xb)\n            loss =")],
                "Another light in each batch, after the split: no twins any more. But an epoch has a quarter of its steps now: train four times as many.",
            ),
            (
                [
                    _SPLIT_FIRST,
                    (
                        "    mean",
                        "    x, y = torch.cat([x] + [relit(x) for _ in range(3)]), y.repeat_interleave(4)\n    mean",
                    ),
                ],
                "`cat` lays the copies one whole set after the other; `repeat_interleave` repeats each target at once. Use `repeat`.",
            ),
            (
                _SHORTER,
                "Stopping early hides the memory a little. The twins are still on both sides.",
            ),
        ],
        (
            "In which order do the script's first two lines do their work?",
            "Copies must be made after the split, and only of what is trained on.",
            "`split(data.images, data.targets)` first; then `x` gets its `relit` copies, and `y` is repeated.",
        ),
    ),
    "F": (
        [
            (
                [("x_valid / 255", "(x_valid - mean) / std")],
                "The report is right now, and what goes into use is not: the last line still prepares pictures in its own way.",
            ),
            (
                [("images / 255", "(images - mean) / std")],
                "What goes into use is right now. The report still measures other inputs.",
            ),
            (
                [_SLOWER],
                "Training was never the problem: the rate changes nothing about what validation gets.",
            ),
            (
                [_DECAY],
                "It is not overfitting: the net fails on its own training pictures in use. It gets other numbers.",
            ),
            (_LONGER, "More epochs fit the training inputs better. Validation still gets others."),
        ],
        (
            "The pictures are prepared in three places. Compare them.",
            "Training subtracts the mean and divides by the standard deviation. The other two places must do the same.",
            "`(x_valid - mean) / std` and `(images - mean) / std`",
        ),
    ),
    "G": (
        [
            (
                [_SLOWER],
                "A smaller rate delays the growth. Each gradient still contains all earlier ones of the epoch.",
            ),
            (
                [("momentum=0.9", "momentum=0.0")],
                "Momentum forgets, by a tenth a step. The sum in `grad` does not, and it is still there.",
            ),
            (
                [
                    (
                        "            loss.backward()\n            chart.step(loss, yb)\n",
                        "            loss.backward()\n            optimizer.zero_grad()\n            chart.step(loss, yb)\n",
                    )
                ],
                "Now the gradient is cleared between `backward` and `step`: every step is made with nothing.",
            ),
            (
                [
                    (
                        "            loss.backward()\n",
                        "            if torch.rand(1) < 0.2: optimizer.zero_grad()\n            loss.backward()\n",
                    )
                ],
                "Clearing now and then keeps the sum shorter. It is still a sum over batches, at the rate of a single one.",
            ),
            (_LONGER, "More epochs repeat the same growth, once an epoch."),
        ],
        (
            "Where does `grad` forget the batch before?",
            "It must be cleared once for each batch, before `backward`.",
            "Move `optimizer.zero_grad()` into the inner loop, above `loss.backward()`.",
        ),
    ),
    "H": (
        [
            (_LONGER, "More epochs do not settle a contradiction: a mirrored digit with the old target."),
            (
                [(_TURN, ""), (_SWAP, "")],
                "Mirrored digits are still no digits. A mirror is harmless for clothes or cells, not for writing.",
            ),
            (
                [(_MIRROR, ""), (_SWAP, "")],
                "Digits upside down are left. Turned over, a 6 looks much like a 9, and keeps the target of a 6.",
            ),
            ([_DECAY], "Weight decay does not know which way up a digit stands."),
            ([(_SWAP, "")], "Two flips are left. Together they turn a 6 into a 9."),
            ([_SLOWER], "The rate was not the problem. The pictures still contradict their targets."),
            (
                [("    model = small", "    x_valid = x_valid.flip(2)\n    model = small")],
                "Now validation asks about digits on their heads. In use they stand upright.",
            ),
        ],
        (
            "After each change, would you still give the picture its target?",
            "Allowed is what could have happened in front of the same writer: another light. Not a mirror, and on 8 × 8 pixels "
            "not a shift either: one pixel is an eighth of the digit.",
            "Take out all three lines that change `xb`.",
        ),
    ),
    "I": (
        [
            (
                [("lr=0.1", "lr=1.0")],
                "A higher rate moves the last layer faster. The others are still not in the optimizer.",
            ),
            (_LONGER, "More epochs perfect the last layer on random features."),
            ([_WIDER], "More random features help a little. They are still not trained."),
            ([_DECAY], "Weight decay too acts only on what the optimizer was given."),
        ],
        (
            "Which parameters was the optimizer given, and when was that list made?",
            "`requires_grad` decides what gets a gradient. The optimizer's list decides what moves.",
            "`torch.optim.SGD(model.parameters(), …)`: those without a gradient are skipped until they get one.",
        ),
    ),
    "J": (
        [
            (
                [
                    ("        model.train()\n", ""),
                    ("    for epoch", "    model.train()\n    for epoch"),
                    ("        with torch", "        model.eval()\n        with torch"),
                ],
                "From the second epoch on it trains in evaluation mode, too. Call `model.train()` in each epoch, before the batches.",
            ),
            (
                [("    return chart", "    model.eval()\n    return chart")],
                "What goes into use is right now. The report is not: validation still runs in training mode, and shifts the running averages.",
            ),
            (
                [("batches(x, y)", "batches(x, y, 256)")],
                "The batch of training is not the problem. In use, the averages still come from the company.",
            ),
            (
                [_SLOWER],
                "The rate has nothing to do with it. In use, the averages still come from the company.",
            ),
            (_LONGER, "More epochs change nothing: in use, the averages still come from the company."),
        ],
        (
            "`no_grad` saves memory. It does not change what batch normalisation does.",
            "Before validation the model needs another mode.",
            "`model.eval()` above `with torch.no_grad():`",
        ),
    ),
    "K": (
        [
            (
                [("lr=0.02", "lr=0.0000001")],
                "No step explodes any more, and hardly anything moves. The first loss is as far above log C as before.",
            ),
            (_LONGER, "The loss is not a number after a few steps. More epochs do not bring it back."),
            (
                [("std=0.5", "std=0.005")],
                "Now the signal vanishes: each layer makes it smaller, and the loss stays at log C.",
            ),
            (
                [("nn.init.normal_(layer.weight, std=0.5)", "nn.init.xavier_normal_(layer.weight)")],
                "Nothing explodes any more. But Xavier's rule does not count what ReLU takes away: each layer halves the signal's square, and the net learns too slowly. He's rule has the factor 2 for that.",
            ),
            (
                [("std=0.5", "std=0.3")],
                "Smaller, and through six layers still orders of magnitude too large. The right spread follows from the fan-in.",
            ),
            (
                [_CLIP],
                "Clipping shortens the steps. The first loss is as far above log C as before: the weights are too large before any step.",
            ),
            ([_DECAY], "Weight decay works over many steps. The first one comes too late already."),
        ],
        (
            "How large is a layer's output, if its input has a spread of 1?",
            "He's rule keeps the size: a spread of √(2 / fan-in), with fan-in 9 · 16 in most layers (lesson 07).",
            '`nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")`',
        ),
    ),
    "L": (
        [
            (
                [
                    (
                        "    chart = Chart(model)\n",
                        "    chart = Chart(model)\n    weight = torch.bincount(y) / len(y)\n",
                    ),
                    (_LOSS, _LOSS + ", weight"),
                ],
                "The weights are turned round: the frequent classes count even more now.",
            ),
            (
                _SHORTER,
                "The frequent classes are learned first. Stopping early stops before the rare ones.",
            ),
            (
                [(_LOSS, _LOSS + ", label_smoothing=0.1")],
                "Label smoothing is the same for all classes. The rare ones weigh as little as before.",
            ),
            (
                _LONGER,
                "More epochs bring the rare classes last, if at all. Weights bring them in the same time as the others.",
            ),
            (
                [("lr=0.01", "lr=0.1")],
                "A higher rate strengthens the decay as much as the learning. The rare ones weigh as little as before.",
            ),
            ([("lr=0.01", "lr=0.001")], "A slower rate moves the rare classes even less."),
            (
                [(", weight_decay=0.03", "")],
                "Weight decay suppresses first what few pictures ask for. Without it, the rare ones still weigh as little as before.",
            ),
        ],
        (
            "How much of the loss do the rare classes make up?",
            "Count the classes with `torch.bincount(y)` and let each weigh the inverse of its count.",
            "`weight = 1 / torch.bincount(y)` after the split, and `F.cross_entropy(…, yb, weight)`",
        ),
    ),
}


def _observe(case, chart):
    """The recovery of a repaired run; what is not a closed chart is passed on as it is."""
    done = isinstance(chart, clinic.Chart) and chart.predict is not None
    return (
        clinic.Recovery(case, chart, clinic.admit(case, clinic.digits()[0]), clinic.digits()[1])
        if done
        else chart
    )


def _once(case, text):
    """The script ``text`` as a function that trains at its first call, and remembers how its run recovered."""
    run, observe, memory = function(text), partial(_observe, case), []

    def script(data):
        if not memory:
            memory.append(observe(run(data)))
        return memory[0]

    script.__name__ = run.__name__
    return script


class _Epochs:
    """The sick run with more epochs (``gt``) or with fewer (``lt``), however many, told from the sick run alone.

    As a script it gives itself. It is equal to a run that goes the same way, and whose use is not repaired.
    """

    def __init__(self, ill, compare):
        self.script, self.compare = ill, compare

    def __call__(self, data):
        self.ill = self.script(data)
        return self

    def __eq__(self, other):
        if not isinstance(other, clinic.Recovery):
            return self is other
        size = len(self.ill.losses) // _EPOCHS
        repaired = "in_use" in self.ill.missed and "in_use" not in other.missed
        if repaired or len(other.losses) % size:
            return False
        ill, run = (_by_epoch(losses, size) for losses in (self.ill.losses, other.losses))
        both = min(len(ill), len(run))
        alike = np.allclose(ill[:both], run[:both], rtol=1e-3, equal_nan=True)
        return self.compare(len(run), len(ill)) and bool(alike)

    __hash__ = None


def _by_epoch(losses, size):
    """One row an epoch: the losses of its steps, and that of its validation."""
    epochs = len(losses) // size
    return np.column_stack([losses[:-epochs].reshape(epochs, size - 1), losses[-epochs:]])


def _wrong_repair(case, edits, ill):
    return _once(case, edit(sick(case), *edits)) if isinstance(edits, list) else _Epochs(ill, edits)


def _contradiction(disease):
    """What the chart would have to say for a disease, for the choices that have no sentence of their own."""
    bounds = []
    for sign, (low, high) in clinic.RULES[disease].items():
        text = f"at least {low:g}" if low > 0 and high >= 1 else f"at most {high:g}"
        bounds.append(f"`{sign}` would be {text}")
    return f"Then {' and '.join(bounds)}. Look below the chart."


def _diagnosis(number, case):
    disease, others, hints = DIAGNOSES[case]
    rest = {other: _contradiction(other) for other in clinic.RULES if other not in (disease, *others)}
    mistakes = [Mistake(other, sentence) for other, sentence in (others | rest).items()]
    return Exercise(
        id=f"19.{number}", title=f"Diagnose case {case}", reference=disease, name=f"disease_{case.lower()}",
        choices=tuple(clinic.RULES), mistakes=mistakes, hints=hints,
    )  # fmt: skip


def _repair(number, case):
    wrong, hints = REPAIRS[case]
    text, ill = cured(case), _once(case, sick(case))
    mistakes = [Mistake(ill, _STILL + _IN_VAIN.get(case, ""))]
    mistakes += [Mistake(_wrong_repair(case, edits, ill), sentence) for edits, sentence in wrong]
    return Exercise(
        id=f"19.{number}", title=f"Repair case {case}", reference=_once(case, text), observe=partial(_observe, case),
        cases=[Case(clinic.admit(case, clinic.digits()[0]))], solution=f"{IMPORTS}\n\n{text}", seconds=60,
        mistakes=mistakes, hints=hints,
    )  # fmt: skip


EXERCISES = [
    *(_diagnosis(k, case) for k, case in enumerate(DIAGNOSES, 1)),
    *(_repair(k, case) for k, case in enumerate(REPAIRS, len(DIAGNOSES) + 1)),
]
