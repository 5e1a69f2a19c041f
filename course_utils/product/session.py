"""Run an exported classifier with ONNX Runtime: no torch, no class of ours, only the file."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from course_utils.errors import CourseError
from course_utils.product.about import KEY, About


class Classifier:
    """An ONNX file written by :func:`course_utils.product.export.save_onnx`, ready to be called.

    ``classifier(pixels)``: (N, H, W, C) or (H, W, C) uint8 → probabilities (N, K), embedding (N, D), both float32.
    ``about`` says what its numbers mean. ``threads``: processor threads of one call. ``as_written`` runs the graph node by
    node: an int8 file is then computed in float on rounded numbers, as every processor should (slow; to check with).
    Raises :class:`CourseError` for a file that is none of ours and for pixels of another type or shape.
    """

    def __init__(self, path: str | Path, threads: int = 1, as_written: bool = False):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        if as_written:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own exceptions share no base class but this
            reason = str(error).splitlines()[0][:160]
            raise CourseError(f"{str(path)!r} is not an ONNX model that can be run: {reason}") from None
        stored = self.session.get_modelmeta().custom_metadata_map
        if KEY not in stored:
            raise CourseError(
                f"{str(path)!r} does not say what it was trained on; write it with save_onnx()."
            )
        self.path, self.about = Path(path), About.from_json(stored[KEY])

    def __call__(self, pixels) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and embedding."""
        pixels = np.asarray(pixels)
        pixels = pixels[None] if pixels.ndim == 3 else pixels
        if (
            pixels.dtype != np.uint8
            or pixels.ndim != 4
            or pixels.shape[3] != self.about.channels
            or not pixels.size
        ):
            raise CourseError(
                f"pixels are {pixels.dtype} {pixels.shape}. Valid: uint8 (N, H, W, {self.about.channels}), not empty; "
                "the model scales and normalises by itself."
            )
        return tuple(self.session.run(["probabilities", "embedding"], {"pixels": pixels}))

    def over(self, pixels, batch: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """The same for many pictures of one size, in batches."""
        parts = [self(pixels[i : i + batch]) for i in range(0, len(pixels), batch)]
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def latencies(call, inputs, warmup: int = 3) -> np.ndarray:
    """Milliseconds that ``call(x)`` takes for each of ``inputs``; the first ``warmup`` are made twice.

    >>> latencies(len, [[1], [2]], warmup=1).shape
    (2,)
    """
    for x in inputs[:warmup]:
        call(x)
    times = []
    for x in inputs:
        began = time.perf_counter()
        call(x)
        times.append(1000 * (time.perf_counter() - began))
    return np.array(times)
