"""A model card whose numbers are all read from a recorded run: none is typed."""

from __future__ import annotations

import re

from course_utils.errors import CourseError
from course_utils.paths import CARDS
from course_utils.product.about import About

CARD = """---
license: {license}
library_name: onnxruntime
pipeline_tag: image-classification
datasets:
- {data}
metrics:
- accuracy
model-index:
- name: {name}
  results:
  - task:
      type: image-classification
    dataset:
      name: {pretty}
      type: {data}
    metrics:
    - type: accuracy
      value: {accuracy:.4f}
---

# {name}

Sorts pictures into {classes}. Version {version}, {precision}.

- **Input** `pixels`: (N, H, W, {channels}) uint8, any size; the graph resizes to {size}×{size} and normalises.
- **Output** `probabilities` (N, {number}) in the order of the classes, and `embedding` (N, D) to watch for drift.

## Results

Profile {profile}, seeds {seeds}, device {device}; data: {sources}.

| metric | value | 95 % interval | n |
|---|---|---|---|
{rows}

## Training data

{pretty}; pictures and labels have the SHA-256 `{digest}`.

{description}

## Known errors and bias

{bias}

## What not to use it for

{warning}

## Cite

{citation}
"""


def model_card(about: About, run: dict, data_card, name: str, metrics: dict[str, str] | None = None) -> str:
    """Fill the card from a run as ``results/<lesson>.json`` stores it, with Hugging Face's front matter.

    ``data_card``: a :class:`course_utils.data.Card`; its licence, bias and warnings are passed on. ``metrics``: name in
    the run → words for the table; the first is the accuracy of the front matter. By default all, and first ``accuracy``, or
    ``accuracy_int8`` for a file in 8 bits. Raises :class:`CourseError` for a metric that the run does not have: a card is
    never half filled. Mitchell et al., 2019.
    """
    if metrics is None:
        first = "accuracy" if about.precision == "float32" else f"accuracy_{about.precision}"
        metrics = {key: key.replace("_", " ") for key in (first, *run["metrics"])}
    if missing := [key for key in metrics if key not in run["metrics"]]:
        raise CourseError(f"the run has no {', '.join(missing)}. It has: {', '.join(run['metrics'])}.")
    text = (CARDS / f"{data_card.name}.md").read_text(encoding="utf-8")
    precision = {"float32": "32-bit floating point", "int8": "8-bit integers"}
    return CARD.format(
        name=name, license=data_card.license, data=data_card.name, pretty=data_card.pretty_name,
        accuracy=run["metrics"][next(iter(metrics))]["value"], classes=" or ".join(about.classes),
        version=about.version, precision=precision.get(about.precision, about.precision), channels=about.channels,
        size=about.size, number=len(about.classes), digest=about.data_sha256 or "not recorded",
        profile=run["profile"], seeds=run["seeds"], device=run["device"],
        sources=", ".join(f"{k} ({v})" for k, v in run["data"].items()),
        rows="\n".join(_row(words, run["metrics"][key]) for key, words in metrics.items()),
        description=section(text, "What is in it"), bias=section(text, "Known errors and bias"),
        warning=section(text, "What not to use it for"), citation=data_card.citation,
    )  # fmt: skip


def section(markdown: str, heading: str) -> str:
    """What stands below a second-level heading; empty where there is none.

    >>> section("## A\\none\\n\\n## B\\ntwo", "A")
    'one'
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", markdown, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _row(words: str, metric: dict) -> str:
    unit = f" {metric['unit']}" if metric.get("unit") else ""
    interval = "–" if metric.get("low") is None else f"{metric['low']:.3f} to {metric['high']:.3f}"
    if unit == " ms" and interval != "–":
        interval = f"5 to 95 % of calls: {interval}"
    return f"| {words} | {metric['value']:.4g}{unit} | {interval} | {metric.get('n') or '–'} |"
