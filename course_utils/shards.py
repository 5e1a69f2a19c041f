"""More pictures than memory holds: tar files in the WebDataset format, read from front to back as a stream.

One large file costs a disk, and a network disk even more, fewer requests than thousands of small ones; what that gains is measured
by ``benchmarks/shards.py``. Needs the extra ``shards``. See ``notebooks/on_a_cluster.md``.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from tqdm.auto import tqdm

from course_utils.data.folders import EXTENSIONS, ImageFolder, read_square
from course_utils.errors import CourseError, DataError, TrainingError
from course_utils.loaders import BatchLoader, stream

INDEX = "index.json"


def write_shards(pictures: ImageFolder, folder: str | Path, per_shard: int = 1000, seed: int = 0) -> Path:
    """Copy the files of ``pictures`` unchanged into tar files of ``per_shard`` pictures; return the index's path.

    The order is drawn at random once: neighbours in a file on disk should not be of one class. The index is written
    last, so a folder without one was not finished.

    Raises :class:`DataError` if ``folder`` holds anything already, :class:`CourseError` for a ``per_shard`` below 1.

    >>> from course_utils.data.folders import image_folder
    >>> write_shards(image_folder("photos"), "photos_shards")  # doctest: +SKIP
    PosixPath('photos_shards/index.json')
    """
    webdataset = _webdataset()
    if per_shard < 1:
        raise CourseError(f"per_shard is {per_shard}. Valid: a whole number of pictures from 1.")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} is there already and not empty. Name a new folder, so that nothing is lost."
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows = tqdm(torch.randperm(len(pictures), generator=stream(seed)).tolist(), unit="picture", leave=False)
    shards = []
    for number, group in enumerate(_groups(rows, per_shard)):
        shards.append({"name": f"shard-{number:06d}.tar", "pictures": len(group)})
        # Opened here, not by webdataset, which takes "C:" for the scheme of an address and "pipe:" for a command.
        with open(folder / shards[-1]["name"], "wb") as file, webdataset.TarWriter(file) as writer:
            for row in group:
                path = pictures.paths[row]
                kind = path.suffix.lower().removeprefix(".")
                label = str(int(pictures.targets[row])).encode()
                writer.write({"__key__": f"{row:09d}", kind: path.read_bytes(), "cls": label})
    index = folder / INDEX
    index.write_text(
        json.dumps({"classes": list(pictures.classes), "shards": shards}, indent=1), encoding="utf-8"
    )
    return index


class ShardLoader(BatchLoader):
    """Batches ``(images, targets)`` from the shards that :func:`write_shards` wrote, for ``Trainer.fit``.

    images: (N, 3, size, size) float, ``(x / 255 - mean) / std`` after ``augment(images, generator)``; targets:
    (N,) int64. N is ``batch_size``, or of several processes the part of each. Each epoch draws a new order of shards; a buffer of ``shuffle`` pictures (0: none) mixes
    what they hold. The epoch's stream is cut into equal parts, one for each process and each of its ``workers``, so
    that within an epoch no picture comes twice, all processes take the same number of steps, and only what does not
    fill a last batch in each is left out (others in each epoch). Order and augmentation follow from ``seed``, the epoch
    and the number of processes and workers: with the same numbers a run is resumed exactly.

    ``ordered()`` gives every picture once, without augmentation: ``Trainer.evaluate`` and ``predict`` use it.

    Raises :class:`DataError` for a folder without a usable index and for a shard that is damaged or is not what the
    index says, :class:`TrainingError` if there is no full batch.

    >>> loader = ShardLoader("photos_shards", 64, size=128)  # doctest: +SKIP
    >>> trainer.fit(loader, epochs=10, checkpoint="run1", checkpoint_every=500)  # doctest: +SKIP
    """

    def __init__(
        self,
        folder: str | Path,
        batch_size: int = 64,
        *,
        size: int = 224,
        shuffle: int = 1000,
        augment=None,
        mean=0.0,
        std=1.0,
        workers: int = 0,
        seed: int | None = None,
    ):
        for name, value, least in (("batch_size", batch_size, 1), ("size", size, 1), ("shuffle", shuffle, 0),
                                   ("workers", workers, 0)):  # fmt: skip
            if value < least:
                raise TrainingError(f"{name} is {value}. Valid: a whole number from {least}.")
        super().__init__(augment, mean, std, seed)
        self.folder, self.batch_size, self.size, self.shuffle = Path(folder), batch_size, size, shuffle
        self.workers, self.device = workers, torch.device("cpu")
        self.classes, self.shards = _index(self.folder)
        self.pictures = sum(count for _, count in self.shards)
        self.order_depends_on = {"batch_size": batch_size, "shuffle": shuffle, "workers": workers}
        self.shard(0, 1)

    def __len__(self) -> int:
        """The number of batches of an epoch, the same in each process."""
        return self.pictures // self.batch_size

    def batches(self, epoch: int, start: int = 0):
        """The batches of epoch ``epoch`` from the ``start``-th on."""
        source = DataLoader(_Epoch(self, epoch, start), batch_size=None, num_workers=self.workers,
                            generator=torch.Generator())  # fmt: skip
        for batch, (images, targets) in enumerate(source, start):
            first = batch * self.batch_size + self.rank
            generator = stream(self.seed, epoch, first) if self.augment else None
            yield self.ready(images.to(self.device), generator), targets.to(self.device)

    def ordered(self):
        """Every picture once, in the order of the shards, without augmentation."""
        for group in _groups(self.read(range(len(self.shards)), 0, self.pictures), self.batch_size):
            images, targets = self.decode(group)
            yield self.ready(images.to(self.device), None), targets.to(self.device)

    def to(self, device) -> ShardLoader:
        """Give batches on ``device`` from now on."""
        self.device = torch.device(device)
        return super().to(device)

    def shard(self, rank: int, world: int) -> ShardLoader:
        """Read only the ``rank``-th of ``world`` equal parts of each epoch; raises :class:`TrainingError` if there are none."""
        if self.batch_size % world:
            raise TrainingError(
                f"batch_size is {self.batch_size}, which {world} processes cannot divide among them. Use a multiple of {world}."
            )
        self.rank, self.share = rank, self.batch_size // world
        if len(self) == 0:
            raise TrainingError(
                f"{self.pictures} pictures in {self.folder} give no full batch of {self.batch_size}. Use a smaller batch_size."
            )
        return self

    def order(self, epoch: int) -> list[int]:
        """In which order the shards of this epoch are read."""
        if not self.shuffle:
            return list(range(len(self.shards)))
        return torch.randperm(len(self.shards), generator=stream(self.seed, epoch)).tolist()

    def read(self, order, first: int, count: int):
        """``count`` samples, not decoded, from the ``first``-th on, where shards are read in this ``order``."""
        for index in order:
            name, pictures = self.shards[index]
            skipped, first = min(first, pictures), max(first - pictures, 0)
            wanted = min(pictures - skipped, count)
            if wanted:
                yield from islice(_samples(self.folder / name, pictures), skipped, skipped + wanted)
                count -= wanted

    def decode(self, samples) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples as (N, 3, size, size) uint8 and (N,) int64; each picture is resized to a square, as ``in_memory`` does."""
        images, targets = np.empty((len(samples), self.size, self.size, 3), np.uint8), []
        for i, sample in enumerate(samples):
            where = f"{Path(sample['__url__']).name}, picture {sample['__key__']}"
            kind = next((k for k in sample if f".{k}" in EXTENSIONS), None)
            label = sample.get("cls", b"")
            if kind is None or not label.isdigit() or int(label) >= len(self.classes):
                found = ", ".join(k for k in sample if not k.startswith("__"))
                raise DataError(
                    f"{where} in {self.folder} has the parts {found} and the class {label.decode(errors='replace')!r}. Needed: "
                    f"a picture and a class from 0 to {len(self.classes) - 1}. Write the shards again."
                )
            try:
                images[i] = read_square(io.BytesIO(sample[kind]), self.size)
            except DataError as error:
                raise DataError(
                    f"{where} in {self.folder} cannot be read. Write the shards again."
                ) from error
            targets.append(int(label))
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.tensor(targets)


class _Epoch(IterableDataset):
    """What one process reads in one epoch, from batch ``start`` on; a worker reads its part of it."""

    def __init__(self, loader: ShardLoader, epoch: int, start: int):
        self.loader, self.epoch, self.start = loader, epoch, start

    def __iter__(self):
        own, info, total = self.loader, get_worker_info(), len(self.loader)
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        part = (worker + self.start) % workers  # the workers are asked in turn, from the first one on
        sizes = [len(range(k, total, workers)) for k in range(workers)]
        done = len(range(part, self.start, workers))
        first = (own.rank * total + sum(sizes[:part])) * own.share
        samples = own.read(own.order(self.epoch), first, sizes[part] * own.share)
        if own.shuffle:
            rng = random.Random(f"{own.seed} {self.epoch} {own.rank} {part}")
            samples = _webdataset().shuffle(own.shuffle, initial=own.shuffle, rng=rng)(samples)
        for group in _groups(islice(samples, done * own.share, None), own.share):
            yield own.decode(group)


def _index(folder: Path) -> tuple[list[str], list[tuple[str, int]]]:
    path = folder / INDEX
    if not path.is_file():
        there = "its index is missing, so it was not finished" if folder.is_dir() else "it is not there"
        raise DataError(
            f"{folder} cannot be read as shards: {there}. Write it with: course shards PICTURES {folder}"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        classes = [str(name) for name in found["classes"]]
        shards = [(Path(shard["name"]).name, int(shard["pictures"])) for shard in found["shards"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not an index of shards ({error!r}). Write the shards again.") from None
    missing = [name for name, _ in shards if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {len(missing)} of its {len(shards)} shards, first {missing[0]}. Copy them, or write the shards again."
        )
    return classes, shards


def _samples(path: Path, pictures: int):
    """What one shard holds. Opened here, not by webdataset: a name must never be taken for a command or an address."""
    read = _webdataset().tariterators
    count, last = 0, None
    try:
        with open(path, "rb") as file:
            for sample in read.group_by_keys(read.tar_file_expander([{"url": str(path), "stream": file}])):
                count += 1
                if count > pictures:
                    break
                if last is not None:
                    yield last
                last = sample  # held back until the end is seen: who takes as many as there should be, asks for no more
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise DataError(
            f"the shard {path} is damaged after {count} pictures ({error}). Copy it again, or write the shards again."
        ) from error
    if count != pictures:
        raise DataError(
            f"the shard {path} holds {'more' if count > pictures else count} pictures where the index says {pictures}. Copy it again, or write the shards again."
        )
    if last is not None:
        yield last


def _webdataset():
    try:
        import webdataset
    except ImportError:
        raise CourseError(
            'shards need the extra "shards". In the folder of the course: pip install ".[shards]"'
        ) from None
    return webdataset


def _groups(items, size: int):
    """Lists of ``size`` items, the last one perhaps shorter (``itertools.batched`` needs Python 3.12)."""
    items = iter(items)
    while group := list(islice(items, size)):
        yield group
