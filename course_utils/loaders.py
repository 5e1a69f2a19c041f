"""Batches out of tensors in memory: a slice instead of a Python call per image."""

from __future__ import annotations

import numpy
import torch

from course_utils import runtime
from course_utils.errors import TrainingError


class BatchLoader:
    """What loaders share: epochs that are counted, and pictures made ready as a whole batch."""

    def __init__(self, augment, mean, std, seed: int | None):
        self.augment = augment
        self.mean, self.std = (
            torch.as_tensor(v, dtype=torch.float32).cpu().view(-1, 1, 1) for v in (mean, std)
        )
        self.normalise = bool((self.mean != 0).any() or (self.std != 1).any())
        self.seed = runtime.current().seed if seed is None else seed
        self.epoch = 0

    def __iter__(self):
        self.epoch += 1
        return self.batches(self.epoch - 1)

    def to(self, device):
        """Make batches on ``device`` from now on."""
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def ready(self, images: torch.Tensor, generator) -> torch.Tensor:
        """``images`` as floats, augmented if there is a ``generator``, and normalised."""
        images = images.float().div_(255) if images.dtype == torch.uint8 else images
        if generator is not None:
            images = self.augment(images, generator)
        if self.normalise:
            self._need_numbers_to_normalise(images)
        return (images - self.mean).div_(self.std) if self.normalise else images

    def _need_numbers_to_normalise(self, images) -> None:
        if not images.is_floating_point():
            raise TrainingError(
                f"the images are {images.dtype}, whose range is not known. Valid: uint8 (0 to 255), or float. "
                "Scale them first, such as images.float() / 65535."
            )
        for name in ("mean", "std"):
            if getattr(self, name).numel() not in (1, images.shape[-3]):
                raise TrainingError(
                    f"{name} has {getattr(self, name).numel()} numbers for images of {images.shape[-3]} channels. "
                    "Valid: one, or one for each channel."
                )


class TensorLoader(BatchLoader):
    """Batches ``(images, targets)`` cut from tensors; each is float, augmented and normalised as a whole.

    ``data``: a dataset with ``images`` and ``targets`` (as ``course_utils.load`` gives), or a tensor
    ``(N, C, H, W)`` beside ``targets``. uint8 images become float in [0, 1]; float images stay as they are.
    ``augment(images, generator)`` comes next (see :mod:`course_utils.augment`), then ``(images - mean) / std``, where
    ``mean`` and ``std`` are a number or one per channel. The order of epoch e and the augmentation of its b-th batch
    follow from ``(seed, e, b)`` and ``batch_size`` alone, so training can be resumed anywhere; each ``for`` loop over the loader is
    the next epoch. On a GPU the tensors themselves are moved there (``to(device)``; the trainer does it).

    ``ordered()`` gives every image once, in order, without augmentation: ``Trainer.evaluate`` and ``predict`` use
    it. Raises :class:`TrainingError` if there is no image, or not as many targets as images.

    >>> loader = TensorLoader(torch.zeros(5, 1, 8, 8, dtype=torch.uint8), torch.arange(5), batch_size=2)
    >>> [y.tolist() for x, y in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        data,
        targets: torch.Tensor | None = None,
        batch_size: int = 256,
        *,
        shuffle: bool = False,
        augment=None,
        mean=0.0,
        std=1.0,
        drop_last: bool = False,
        seed: int | None = None,
    ):
        if targets is None and hasattr(data, "images"):
            data, targets = data.images, data.targets
        if not isinstance(data, torch.Tensor | numpy.ndarray | list | tuple):
            raise TrainingError(
                f"the loader got a {type(data).__name__}. Valid: a tensor (N, C, H, W), or a dataset with images and "
                "targets. For any other dataset: torch.utils.data.DataLoader."
            )
        self.images = torch.as_tensor(data)
        self.targets = None if targets is None else torch.as_tensor(targets)
        if len(self.images) == 0:
            raise TrainingError("the loader got no image. Check the split or the indices that chose them.")
        if self.targets is not None and len(self.targets) != len(self.images):
            raise TrainingError(
                f"the loader got {len(self.images)} images and {len(self.targets)} targets. Give one target an image."
            )
        if batch_size < 1:
            raise TrainingError(f"batch_size is {batch_size}. Valid: a whole number from 1.")
        super().__init__(augment, mean, std, seed)
        super().to(self.images.device)
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        if len(self) == 0:
            raise TrainingError(
                f"{len(self.images)} images give no full batch of {batch_size}. Use drop_last=False or a smaller batch."
            )

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        n = len(self.images)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def batches(self, epoch: int, start: int = 0):
        """The batches of epoch ``epoch`` from the ``start``-th on."""
        order = None
        if self.shuffle:
            order = torch.randperm(len(self.images), generator=stream(self.seed, epoch)).to(
                self.images.device
            )
        for batch in range(start, len(self)):
            first = batch * self.batch_size
            generator = stream(self.seed, epoch, first) if self.augment else None
            yield self._batch(first, order, generator)

    def ordered(self):
        """Every image once, in the order given, without augmentation."""
        for first in range(0, len(self.images), self.batch_size):
            yield self._batch(first, None, None)

    def to(self, device) -> TensorLoader:
        """Move the tensors to ``device``; batches are cut there from then on."""
        self.images = self.images.to(device)
        self.targets = None if self.targets is None else self.targets.to(device)
        return super().to(device)

    def _batch(self, first: int, order, generator):
        rows = slice(first, first + self.batch_size)
        if order is None:
            # Copies, as the rows in another order are: a layer may work in place.
            images = self.images[rows].clone()
            targets = None if self.targets is None else self.targets[rows].clone()
        else:
            images = self.images.index_select(0, order[rows])
            targets = None if self.targets is None else self.targets.index_select(0, order[rows])
        images = self.ready(images, generator)
        return images if targets is None else (images, targets)


def stream(*key: int) -> torch.Generator:
    """A CPU generator whose numbers follow from ``key`` alone; other keys give independent numbers.

    >>> torch.rand(1, generator=stream(0, 3)).equal(torch.rand(1, generator=stream(0, 3)))
    True
    """
    seed = numpy.random.SeedSequence((len(key), *key)).generate_state(1, numpy.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> 1))
