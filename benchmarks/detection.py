"""The course's suppression and average precision against torchvision's NMS and the COCO evaluator.

    python benchmarks/detection.py [--rounds 7] [--boxes 4000] [--pictures 300] [--json FILE]

Both get the same generated boxes and must give the same answer, or the benchmark stops. Suppression: as many random
boxes as a detector gives for a picture, a threshold of 0.5; lesson 14 prints the ratio for a million. Average precision:
detections near the true boxes of generated pictures, all ten thresholds of COCO, boxes of all sizes; the COCO evaluator's
time includes making its dictionaries and its index of the tensors, as every use of it does.
"""

import argparse
import contextlib
import io
import sys

import torch
from timing import report, rows, save, take_turns
from torchvision import ops

from course_utils.detection import Detections
from course_utils.detection.boxes import nms
from course_utils.detection.judge import average_precision


def random_boxes(n: int, extent: float, generator: torch.Generator) -> torch.Tensor:
    corner = torch.rand(n, 2, generator=generator) * extent
    return torch.cat([corner, corner + 4 + 60 * torch.rand(n, 2, generator=generator)], 1)


def suppression(n: int, rounds: int) -> list[dict]:
    generator, table = torch.Generator().manual_seed(0), []
    for case, extent in {"crowded": 30 * n**0.5 / 4, "sparse": 30 * n**0.5}.items():
        boxes, scores = random_boxes(n, extent, generator), torch.rand(n, generator=generator)
        ways = {
            "torchvision.ops.nms": lambda b=boxes, s=scores: ops.nms(b, s, 0.5),
            "course": lambda b=boxes, s=scores: nms(b, s, 0.5),
        }
        if not torch.equal(ways["course"](), ways["torchvision.ops.nms"]()):
            raise SystemExit(f"the two suppressions of {n} {case} boxes differ")
        table += rows(f"NMS of {n:,} {case} boxes", take_turns(ways, rounds), "torchvision.ops.nms")
    return table


def pictures(n: int, classes: int = 3):
    """True boxes and labels of ``n`` pictures, and detections: moved copies, some missed, some invented."""
    generator = torch.Generator().manual_seed(1)
    truth, labels, found = [], [], []
    for _ in range(n):
        boxes = random_boxes(12, 300, generator)
        label = torch.randint(classes, (12,), generator=generator)
        moved = boxes[:10] + 3 * torch.randn(10, 2, generator=generator).repeat(1, 2)
        extra = random_boxes(10, 300, generator)
        everything = torch.cat([moved, extra])
        guess = torch.cat([label[:10], torch.randint(classes, (10,), generator=generator)])
        truth.append(boxes)
        labels.append(label)
        found.append(Detections(everything, torch.rand(20, generator=generator), guess))
    return truth, labels, found


def evaluator(truth, labels, found, classes: int = 3) -> float:
    """The COCO evaluator's mean average precision."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def wide(box):
        return [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]

    known, answers = COCO(), []
    known.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(truth))],
        "categories": [{"id": k, "name": str(k)} for k in range(classes)],
        "annotations": [],
    }
    for i, (boxes, kinds, one) in enumerate(zip(truth, labels, found, strict=True)):
        for box, kind in zip(boxes, kinds.tolist(), strict=True):
            entry = {
                "id": len(known.dataset["annotations"]) + 1,
                "image_id": i,
                "category_id": kind,
                "iscrowd": 0,
            }
            known.dataset["annotations"].append(
                entry | {"bbox": wide(box), "area": float((box[2:] - box[:2]).prod())}
            )
        answers += [
            {"image_id": i, "category_id": k, "bbox": wide(box), "score": s}
            for box, s, k in zip(one.boxes, one.scores.tolist(), one.labels.tolist(), strict=True)
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        judge = COCOeval(known, known.loadRes(answers), "bbox")
        judge.params.areaRng, judge.params.areaRngLbl, judge.params.maxDets = [[0, 1e10]], ["all"], [100]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    return float(precision[precision > -1].mean())


def precision(n: int, rounds: int) -> list[dict]:
    truth, labels, found = pictures(n)
    ways = {
        "COCO evaluator": lambda: evaluator(truth, labels, found),
        "course": lambda: average_precision(found, truth, labels, 3).mean,
    }
    gap = abs(ways["course"]() - ways["COCO evaluator"]())
    if not gap < 1e-6:
        raise SystemExit(f"the two average precisions differ by {gap}")
    boxes = sum(map(len, truth)) + sum(len(one.boxes) for one in found)
    return rows(f"mAP of {n} pictures, {boxes:,} boxes", take_turns(ways, rounds), "COCO evaluator")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--boxes", type=int, default=4000)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    table = suppression(options.boxes, options.rounds) + precision(options.pictures, options.rounds)
    report("Suppression and average precision", table)
    save(options.json, "Suppression and average precision", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
