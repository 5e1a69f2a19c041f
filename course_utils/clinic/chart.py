"""The chart of a training run: what it measures while a script trains."""

from __future__ import annotations

import torch
from torch import nn


class Chart:
    """Watches a model while a script trains it.

    The script calls ``step(loss, yb)`` after ``backward`` and before the optimizer's step, ``epoch(scores, y)`` with what
    the model says of the validation pictures, and at the end ``close(predict)``, where ``predict`` maps uint8 pictures
    ``(N, C, H, W)`` to scores ``(N, K)``: that is what goes into use. What the model gets and gives is seen by hooks.

    Per step: ``losses``, ``train_hits``, ``gradients`` and ``updates`` (a list with one number for each layer with
    weights; a norm, and the relative change of the weights), ``cosines`` (of this gradient with the last one), ``dead``
    (share of ReLU channels that are 0 everywhere in the batch). Per epoch: ``valid_losses``, ``valid_accuracies``.
    ``seen`` is the first training batch as the model got it with its targets, ``inputs`` mean and standard deviation
    of the model's input, in training and in validation.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> chart, y = Chart(model), torch.tensor([0, 1])
    >>> nn.functional.cross_entropy(model(torch.ones(2, 1, 2, 2)), y).backward()
    >>> chart.step(torch.tensor(0.7), y)
    >>> round(chart.losses[0], 2), len(chart.gradients[0])
    (0.7, 1)
    """

    def __init__(self, model: nn.Module):
        self.model, self.predict = model, None
        self.layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        self.losses, self.train_hits, self.gradients, self.updates = [], [], [], []
        self.cosines, self.dead, self.valid_losses, self.valid_accuracies = [], [], [], []
        self.seen, self.inputs, self.careless = None, {}, False
        self._weights = self._gradient = self._batch = None
        self._zeros: list[float] = []
        self._train, self._valid, self._targets = [], [], []
        self._hooks = [model.register_forward_pre_hook(lambda *_: self._zeros.clear())]
        self._hooks += [model.register_forward_hook(self._watch)]
        self._hooks += [
            m.register_forward_hook(self._count) for m in model.modules() if isinstance(m, nn.ReLU)
        ]

    def step(self, loss: torch.Tensor, yb: torch.Tensor) -> None:
        """Note a training step: call it between ``backward`` and the optimizer's step."""
        self.losses.append(loss.item())
        images, scores = self._batch
        self.seen = self.seen or (images, yb.clone())
        self._targets.append(yb)
        self.train_hits.append(float((scores.argmax(1) == yb).float().mean()))
        self.dead.append(sum(self._zeros) / max(1, len(self._zeros)))
        grads = [torch.zeros_like(m.weight) if m.weight.grad is None else m.weight.grad for m in self.layers]
        self.gradients.append([float(g.norm()) for g in grads])
        self._compare(torch.cat([g.flatten() for g in grads]).clone())

    def epoch(self, scores: torch.Tensor, y: torch.Tensor) -> None:
        """Note what the model says of the validation pictures: scores (N, K) against classes (N,)."""
        self.valid_losses.append(nn.functional.cross_entropy(scores, y).item())
        self.valid_accuracies.append(float((scores.argmax(1) == y).float().mean()))

    def close(self, predict) -> Chart:
        """End the watch; ``predict`` is what goes into use."""
        self.predict = predict
        for hook in self._hooks:
            hook.remove()
        return self

    def names(self) -> list[str]:
        """The layers with weights, as a reader counts them: ``["conv 1", "conv 2", "linear 3"]``."""
        kinds = ("conv" if isinstance(m, nn.Conv2d) else "linear" for m in self.layers)
        return [f"{kind} {k}" for k, kind in enumerate(kinds, 1)]

    def trained_on(self) -> torch.Tensor:
        """The targets of all training steps, ``(steps · batch,)``."""
        return torch.cat(self._targets)

    def pictures(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the model saw: the training pictures of the first epoch and the last validation pictures."""
        return torch.cat(self._train), self._valid

    def _compare(self, gradient: torch.Tensor) -> None:
        weights = [m.weight.detach().clone() for m in self.layers]
        if self._weights is not None:
            pairs = zip(weights, self._weights, strict=True)
            self.updates.append([float((w - old).norm() / old.norm()) for w, old in pairs])
            cosine = nn.functional.cosine_similarity(gradient, self._gradient, dim=0)
            self.cosines.append(float(cosine))
        self._weights, self._gradient = weights, gradient

    def _watch(self, _, inputs, scores) -> None:
        images, training = inputs[0].detach(), torch.is_grad_enabled()
        self.inputs["training" if training else "validation"] = float(images.mean()), float(images.std())
        if training:
            self._batch = images, scores.detach()
            if not self.valid_losses:
                self._train.append(images)
        else:
            self._valid, self.careless = images, self.model.training

    def _count(self, module, inputs, out) -> None:
        highest = out.detach().flatten(2).amax((0, 2)) if out.ndim > 2 else out.detach().amax(0)
        self._zeros.append(float((highest <= 0).float().mean()))
