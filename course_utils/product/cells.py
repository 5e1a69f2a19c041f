"""Lesson 13's classifier of solar cells, as functions: the same cut, split and training, at any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import runtime
from course_utils.data import card
from course_utils.data.fetch import package_folder
from course_utils.errors import CourseError
from course_utils.loaders import TensorLoader
from course_utils.models import backbone
from course_utils.product.about import About, fingerprint
from course_utils.product.model import Product

TWINS = 0.96  # correlation of the fine structure from which two cells count as twins


def split_cells(data, seed: int, parts: int = 4, rows=None) -> tuple[np.ndarray, np.ndarray]:
    """Split ``rows`` (all, if None) into the rest and one of ``parts``, stratified by label and cell type; ascending.

    No twins are torn apart. With the defaults these are the training and the test set of lesson 13. ``data``: ELPV as
    :func:`course_utils.load` gives it.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.arange(len(data)) if rows is None else np.asarray(rows)
    detail = torch.cat([_fine_structure(part) for part in data.images[torch.as_tensor(rows)].split(256)])
    pairs = []
    for start in range(0, len(rows), 1024):
        likeness = detail[start : start + 1024] @ detail[start:].T
        pairs.append((likeness.triu(1) > TWINS).nonzero() + start)
    pairs = torch.cat(pairs).numpy()
    links = coo_matrix((np.ones(len(pairs)), pairs.T.reshape(2, -1)), shape=(len(rows), len(rows)))
    group = connected_components(links, directed=False)[1]
    kinds = zip(data.targets.numpy()[rows], np.asarray(data.extra["module_type"])[rows], strict=True)
    strata = np.unique([f"{label} {kind}" for label, kind in kinds], return_inverse=True)[1]
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    rest, part = next(folds.split(strata, strata, group))
    return rows[rest], rows[part]


def cell_files(rows) -> list[Path]:
    """The picture files of some rows of ELPV, as they came from the camera: PNG, 300×300, grey.

    >>> cell_files([0])[0].name
    'cell0001.png'
    """
    pictures = sorted((package_folder(card("elpv")) / "images").glob("*.png"))
    return [pictures[row] for row in rows]


def cut(net: nn.Module, frozen_stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The trunk (stem and early stages, frozen) and the tail (later stages, pooling, classifier) of a Lite0."""
    trunk = nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:frozen_stages])
    head = [net.conv_head, net.bn2, net.global_pool, nn.Dropout(0.2), net.classifier]
    return trunk.eval().requires_grad_(False), nn.Sequential(*net.blocks[frozen_stages:], *head)


def train_cells(data, rows, frozen_stages: int, epochs: int, mirrors=((),), device="cpu") -> Product:
    """Train lesson 13's classifier on ``rows`` of ``data``, with soft labels and a trunk that is computed once.

    ``frozen_stages``: of the seven; with all seven only the last convolution and the classifier learn. ``mirrors``:
    the axes along which pictures are mirrored, as in lesson 13. The result is on the CPU.
    """
    from course_utils.optim import cosine, layer_groups
    from course_utils.trainer import Trainer

    seed = runtime.current().seed
    torch.manual_seed(seed)
    net = backbone("efficientnet_lite0", num_classes=len(data.classes), in_chans=data.images.shape[1])
    about = _about(data, rows, net.input_stats)
    trunk, tail = (half.to(device, memory_format=torch.channels_last) for half in cut(net, frozen_stages))
    for parameter in tail[-1].parameters():
        nn.init.zeros_(parameter)
    rows = torch.as_tensor(rows)
    with torch.no_grad():
        maps = torch.stack([_maps(trunk, data.images[rows], axes, about, device) for axes in mirrors])

    def at_random(places, generator):
        places = places.cpu()
        which = torch.randint(len(mirrors), places.shape, generator=generator)
        return maps[which, places].permute(0, 3, 1, 2).float()

    probability = torch.from_numpy(np.asarray(data.extra["probability"])).float()[rows]
    soft = torch.stack([1 - probability, probability], dim=1)
    loader = TensorLoader(
        torch.arange(len(rows)), soft, 32, shuffle=True, augment=at_random, drop_last=True, seed=seed
    )
    optimizer = torch.optim.AdamW(layer_groups(tail, lr=1e-3, decay=1.0, weight_decay=0.02))
    trainer = Trainer(tail, optimizer, F.cross_entropy, scheduler=cosine(warmup=0.2), device=device)
    trainer.fit(loader, epochs, progress=False)
    return product_of(nn.Sequential(trunk, tail), about)


def product_of(whole: nn.Sequential, about: About) -> Product:
    """Split lesson 13's ``Sequential(trunk, tail)`` into features and classifier, on the CPU."""
    trunk, tail = whole.cpu().eval()
    return Product(nn.Sequential(*trunk, *tail[:-1]), tail[-1], about)


def stored_size(path: str | Path) -> int:
    """The side in pixels for which lesson 13 trained a file ``classifier.safetensors``.

    Raises :class:`CourseError` when the file is missing or is not one of lesson 13's.
    """
    return int(_stored(path)[0]["size"])


def read_weights(path: str | Path, data, rows) -> Product:
    """Load the file ``classifier.safetensors`` that lesson 13 writes; ``rows`` of ``data`` are what it was trained on.

    Raises :class:`CourseError` when the file is missing, is not one of lesson 13's, or is for other data.
    """
    stored, weights = _stored(path)
    names, size = tuple(stored["classes"].split("\n")), int(stored["size"])
    if (size, names) != (data.images.shape[-1], data.classes):
        raise CourseError(
            f"{path} is for {list(names)} at {size} pixels, the data are {list(data.classes)} at "
            f"{data.images.shape[-1]}. Load the data with size={size}."
        )
    net = backbone("efficientnet_lite0", False, len(names), int(stored["channels"]))
    whole = nn.Sequential(*cut(net, int(stored["frozen_stages"])))
    whole.load_state_dict(weights)
    return product_of(whole, _about(data, rows, net.input_stats))


def _stored(path) -> tuple[dict, dict]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            stored, names = file.metadata() or {}, list(file.keys())
            weights = {name: file.get_tensor(name) for name in names}
        if missing := {"classes", "size", "channels", "frozen_stages"} - set(stored):
            raise KeyError(", ".join(sorted(missing)))
    except (OSError, SafetensorError, KeyError) as error:
        raise CourseError(
            f"WEIGHTS {str(path)!r} cannot be used ({type(error).__name__}: {str(error)[:120]}). "
            "Valid: the classifier.safetensors that lesson 13 writes, or an empty text to train here."
        ) from None
    return stored, weights


def _about(data, rows, stats) -> About:
    digest = fingerprint(data.images[rows], data.targets[rows])
    return About(
        data.classes,
        data.images.shape[-1],
        data.images.shape[1],
        stats.mean[0],
        stats.std[0],
        data.name,
        digest,
    )


def _maps(trunk, images, axes, about, device) -> torch.Tensor:
    """The trunk's maps (N, h, w, C) in 16 bits, computed in parts that fit the processor's cache."""
    parts = []
    for part in images.split(4 if str(device) == "cpu" else 64):
        x = (part.flip(axes).to(device).float() / 255 - about.mean) / about.std
        parts.append(trunk(x.contiguous(memory_format=torch.channels_last)).permute(0, 2, 3, 1).half().cpu())
    return torch.cat(parts)


def _fine_structure(images, side: int = 96) -> torch.Tensor:
    """Vectors of length 1 that hold the details without shading, rows and columns: lesson 13."""
    grey = F.interpolate(images.float().mean(1, keepdim=True), (side, side), mode="area")
    detail = grey - F.avg_pool2d(grey, 9, stride=1, padding=4, count_include_pad=False)
    detail = detail - detail.mean(2, keepdim=True) - detail.mean(3, keepdim=True)
    return F.normalize(detail[..., 6:-6, 6:-6].flatten(1), dim=1)
