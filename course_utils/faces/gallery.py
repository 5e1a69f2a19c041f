"""Enrol people and verify pictures, with files that hold numbers and text alone (safetensors)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from course_utils.data.archives import digest
from course_utils.data.folders import shown
from course_utils.errors import CourseError, DataError, choice
from course_utils.faces.model import Embedder, embed
from course_utils.faces.own import read_face
from course_utils.faces.verify import unit


def default_net() -> Path:
    """The newest network of lesson 16 below this folder: from a project or by hand, from ``course run``, from JupyterLab."""
    places = [
        Path(p, "runs", "16_facial_recognition", "embedder.safetensors") for p in ("", "runs", "notebooks")
    ]
    return max(filter(Path.is_file, places), key=lambda file: file.stat().st_mtime, default=places[0])


@dataclass(frozen=True)
class Recogniser:
    """A network with its mean embedding (dim,), the threshold that goes with it, the false accept rate that the threshold was
    chosen for, and the hash of its file.
    """

    net: Embedder
    mean: np.ndarray
    threshold: float
    far: float
    sha256: str = ""

    def vectors(self, images: torch.Tensor) -> np.ndarray:
        """Embeddings (N, dim) of length 1 for uint8 pictures (N, 1, 112, 92), the training people's mean taken out."""
        return unit(embed(self.net, images) - self.mean)


@dataclass(frozen=True)
class Gallery:
    """Enrolled people: ``templates`` (G, dim) of length 1, their ``names``, and the hash of the network that made them."""

    templates: np.ndarray
    names: tuple[str, ...]
    net: str


def save_recogniser(recogniser: Recogniser, path: str | Path) -> None:
    """Write the network's weights with all that they need to be used."""
    weights = {name: value.detach().cpu().contiguous() for name, value in recogniser.net.state_dict().items()}
    weights["mean_embedding"] = torch.from_numpy(np.asarray(recogniser.mean, np.float32))
    net = recogniser.net
    about = {"dim": net.dim, "frozen": net.frozen, "height": net.height}
    about |= {"threshold": float(recogniser.threshold), "far": float(recogniser.far)}
    _write(weights, path, about)


def load_recogniser(path: str | Path) -> Recogniser:
    """Read what :func:`save_recogniser` wrote. Raises :class:`DataError` for a file that is not there or not such a file."""
    needed = ("dim", "frozen", "height", "threshold", "far")
    tensors, about = _read(path, "mean_embedding", needed, "network", "Run lesson 16 once: it writes one")
    mean = tensors.pop("mean_embedding").numpy()
    try:
        net = Embedder(about["dim"], about["frozen"], about["height"], pretrained=False)
        net.load_state_dict(tensors)
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the network {path} is not of this version ({reason}). Run lesson 16 once more."
        ) from None
    return Recogniser(net.eval(), mean, about["threshold"], about["far"], digest(path))


def enrol(folder: str | Path, recogniser: Recogniser) -> tuple[Gallery, list[tuple[Path, str]]]:
    """Enrol everybody who has a sub-folder of ``folder``, with all their pictures; returns the gallery and what was left out, with
    its reason.

    Raises :class:`DataError` where no picture can be read, :class:`CourseError` for a network that was not read from a file: the
    gallery could not say which one made it.
    """
    if not recogniser.sha256:
        raise CourseError(
            "this network has no file. Write it with save_recogniser() and read it with load_recogniser()."
        )
    root = Path(folder).expanduser()
    images, people, skipped = [], [], []
    for file in sorted(f for f in root.glob("*/**/*") if f.is_file() and shown(f.relative_to(root))):
        try:
            images.append(read_face(file))
            people.append(file.relative_to(root).parts[0])
        except DataError as error:
            skipped.append((file, str(error)))
    if not images:
        raise DataError(
            f"{str(folder)!r} holds nobody's picture. Give a folder with one sub-folder for each person."
        )
    vectors = recogniser.vectors(torch.from_numpy(np.stack(images))[:, None])
    names, person = np.unique(people, return_inverse=True)
    means = np.stack([vectors[person == k].mean(0) for k in range(len(names))])
    return Gallery(unit(means), tuple(names.tolist()), recogniser.sha256), skipped


def joined(first: Gallery, second: Gallery) -> Gallery:
    """Both galleries as one. Raises :class:`CourseError` for a name that both have: it could be one person or two.

    >>> a, b = Gallery(np.eye(2)[:1], ("anna",), "n"), Gallery(np.eye(2)[1:], ("ben",), "n")
    >>> joined(a, b).names
    ('anna', 'ben')
    """
    if twice := sorted({*first.names} & {*second.names}):
        raise CourseError(
            f"enrolled already: {', '.join(twice)}. Take them out first (course faces forget), or rename their folders."
        )
    return Gallery(np.concatenate([first.templates, second.templates]), first.names + second.names, first.net)


def without(gallery: Gallery, name: str) -> Gallery:
    """The gallery of all others. Raises :class:`CourseError` for a name that is not enrolled.

    >>> without(Gallery(np.eye(2), ("anna", "ben"), "n"), "anna").names
    ('ben',)
    """
    choice(name, gallery.names, "person", CourseError)
    left = [k for k, other in enumerate(gallery.names) if other != name]
    return Gallery(gallery.templates[left], tuple(gallery.names[k] for k in left), gallery.net)


def save_gallery(gallery: Gallery, path: str | Path) -> None:
    """Write the gallery: templates and names, no picture. Templates are personal data all the same; keep the file as such."""
    tensors = {"templates": torch.from_numpy(gallery.templates.astype(np.float32))}
    _write(tensors, path, {"names": gallery.names, "net": gallery.net})


def load_gallery(path: str | Path, recogniser: Recogniser | None) -> Gallery:
    """Read a gallery. Raises :class:`DataError` for a file that is none, and for one that another network than ``recogniser`` made."""
    cure = "Make one: course faces enrol FOLDER"
    tensors, about = _read(path, "templates", ("names", "net"), "gallery", cure)
    if recogniser and about["net"] != recogniser.sha256:
        raise DataError(
            f"the gallery {path} was made by another network ({about['net'][:12]}, this one is {recogniser.sha256[:12]}). "
            "Templates of two networks cannot be compared: enrol again, or name the other network with --net."
        )
    return Gallery(tensors["templates"].numpy(), tuple(about["names"]), about["net"])


def scores(
    picture: str | Path, gallery: Gallery, recogniser: Recogniser, name: str | None = None
) -> dict[str, float]:
    """The cosine similarity of a picture with everybody enrolled, or with ``name`` alone, highest first.

    Raises :class:`DataError` for a picture that cannot be read, :class:`CourseError` for a name that is not enrolled.
    """
    if name is not None:
        choice(name, gallery.names, "person", CourseError)
    vector = recogniser.vectors(torch.from_numpy(read_face(picture))[None, None])[0]
    found = dict(zip(gallery.names, (gallery.templates @ vector).tolist(), strict=True))
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return {who: score for who, score in ordered if name in (None, who)}


def _write(tensors, path, about) -> None:
    part = Path(f"{path}.part")
    save_file(tensors, part, metadata={name: json.dumps(value) for name, value in about.items()})
    part.replace(path)  # a full disk costs no gallery


def _read(path, tensor, needed, what, cure):
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            about = {name: json.loads(metadata[name]) for name in needed}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return {tensor: tensors.pop(tensor)} | tensors, about
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        reason = (
            "it is not there"
            if not Path(path).exists()
            else f"it is no {what} of lesson 16 ({type(error).__name__})"
        )
        raise DataError(
            f"the {what} {path} cannot be read: {reason}. {cure}, or name another file."
        ) from None
