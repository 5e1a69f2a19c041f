"""Export to ``torch.export`` and ONNX, and the comparison of what comes out with what went in."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from course_utils.errors import CourseError
from course_utils.product.about import KEY, About

INPUT, OUTPUTS = "pixels", ("probabilities", "embedding")


def export_program(product):
    """Trace a :class:`~course_utils.product.model.Product` into a ``torch.export`` graph for any N, H and W.

    The graph needs no Python class any more: ``torch.export.save`` writes it, ``torch.export.load(path).module()``
    runs it.
    """
    import torch

    any_length = torch.export.Dim.DYNAMIC
    example = torch.zeros(2, 40, 56, product.about.channels, dtype=torch.uint8)
    with torch.no_grad(), quiet():
        return torch.export.export(
            product, (example,), dynamic_shapes=({0: any_length, 1: any_length, 2: any_length},)
        )


def save_onnx(program, path: str | Path, about: About) -> Path:
    """Write an exported program as one ONNX file; ``about`` goes into its metadata. Returns the path."""
    import torch

    shapes = ({0: "batch", 1: "height", 2: "width"},)
    with quiet():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            verbose=False,
        )
    exported.save(str(path))
    write_about(path, about)
    return Path(path)


def write_about(path: str | Path, about: About) -> None:
    """Put ``about`` into an ONNX file, in place of what its metadata said before."""
    import onnx

    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: about.to_json()})
    onnx.save(model, str(path))


@dataclass(frozen=True)
class Parity:
    """How far two models differ on ``n`` pictures.

    ``difference``: the largest between their probabilities, from 0 to 1; ``agreement``: the share of the same class.
    """

    difference: float
    agreement: float
    n: int

    def __str__(self):
        return (
            f"largest difference {self.difference:.1e}, same class {self.agreement:.3f}, of {self.n} pictures"
        )


def parity(reference, candidate) -> Parity:
    """Compare probabilities (N, K) of a reference with those of a candidate.

    Raises :class:`CourseError` for shapes that differ and for values that are not finite. Lesson 20.

    >>> parity([[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.6, 0.4]])
    Parity(difference=0.2, agreement=0.5, n=2)
    """
    reference, candidate = (np.asarray(p, dtype=np.float64) for p in (reference, candidate))
    if reference.shape != candidate.shape or reference.ndim != 2 or not len(reference):
        raise CourseError(
            f"shapes {reference.shape} and {candidate.shape}. Valid: two equal (N, K), N from 1."
        )
    if not (np.isfinite(reference).all() and np.isfinite(candidate).all()):
        raise CourseError("a probability is not finite. Look for the first layer whose output is not.")
    same = (reference.argmax(1) == candidate.argmax(1)).mean()
    return Parity(round(float(np.abs(reference - candidate).max()), 12), float(same), len(reference))


def quantise(
    source: str | Path, target: str | Path, pictures, per_channel: bool = True, bits: int = 7, keep: int = 5
) -> Path:
    """Turn a float ONNX file into one whose convolutions compute in 8 bits; returns ``target``.

    Weights become int8, one scale for each output channel or, without ``per_channel``, one for the whole layer.
    Activations become uint8 with ranges seen on ``pictures``, a list of batches (n, H, W, C) uint8. The first ``keep``
    convolutions, preparation, classifier and softmax stay in float. ``bits`` of the weights: 7 or 8. With 8, processors
    that add two products in 16 bits (x86 without VNNI) overflow: another processor, another answer.
    Raises :class:`CourseError` for other bits. Jacob et al., 2018; lesson 20.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter(pictures)

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: np.asarray(batch)}

    if bits not in (7, 8):
        raise CourseError(f"bits is {bits}. Valid: 7, right on every processor, or 8.")
    model = onnx.load(str(source))
    about = read_about(model)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    with quiet():
        quantize_static(
            str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=per_channel,
            reduce_range=bits == 7, op_types_to_quantize=["Conv", "Add", "Clip"], nodes_to_exclude=convolutions[:keep],
            weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
        )  # fmt: skip
    write_about(target, replace(about, precision="int8"))
    return Path(target)


def read_about(model) -> About:
    """The description inside a loaded ONNX model. Raises :class:`CourseError` when it has none."""
    stored = {entry.key: entry.value for entry in model.metadata_props}
    if KEY not in stored:
        raise CourseError(f"this ONNX file has no {KEY!r} in its metadata. Write it with save_onnx().")
    return About.from_json(stored[KEY])


@contextmanager
def quiet():
    """Keep the exporters' progress notes and advice out of a lesson; errors still come through."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
