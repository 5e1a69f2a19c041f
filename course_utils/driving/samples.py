"""Frames and what is known about them, as training samples of :class:`~course_utils.driving.model.DriveNet`."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course_utils.detection import detection_loss
from course_utils.driving.model import DriveNet
from course_utils.meter import eval_mode
from course_utils.processes import total
from course_utils.segmentation import pixel_cross_entropy
from course_utils.segmentation.metrics import IGNORE

PARTS = ("pixels", "lane", "boxes", "tags")
CURVE = 2  # the group of tags whose values left and right change places in a mirror


class Samples(torch.utils.data.Dataset):
    """Each frame twice, as it is and mirrored: ``self[i]`` is ``(row, target)``, the row being what ``net`` has packed, (D,).

    ``target``: ``masks`` (H/2, W/2) uint8; ``lanes`` (H/2, W/2) float, the share of each pixel, 255 where unknown; ``boxes`` (M, 5) float, filled up with rows
    of -1; ``tags`` (4,) int64, -1 where unknown. ``images`` (N, 3, H, W) uint8 takes the place of the pictures of ``data``, a
    :class:`~course_utils.driving.own.DrivingSet` or a :class:`~course_utils.driving.film.Film`, for instance changed copies. ``room``: rows of boxes
    for each picture, to be joined with other samples; by default as many as the picture with most boxes has.
    """

    def __init__(self, net: DriveNet, data, images: torch.Tensor | None = None, room: int = 1):
        images = data.images if images is None else images
        self.rows = torch.cat([packed(net, images), packed(net, images.flip(-1))])
        masks, lanes = data.masks, getattr(data, "lanes", torch.full_like(data.masks, IGNORE))
        self.masks = torch.cat([masks, masks.flip(-1)])[:, 1::2, 1::2].contiguous()
        self.lanes = F.avg_pool2d(
            torch.cat([lanes, lanes.flip(-1)]).float(), 2
        )  # no shift, and edges stay sharp
        boxes = padded(data.boxes, data.labels, room)
        self.boxes = torch.cat([boxes, mirrored(boxes, images.shape[-1])])
        tags = getattr(data, "tags", torch.full((len(data), len(net.tags)), -1))
        turned = tags.clone()
        if tags.shape[1] > CURVE:
            turned[:, CURVE] = torch.where(tags[:, CURVE] < 0, -1, 2 - tags[:, CURVE])
        self.tags = torch.cat([tags, turned])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int):
        known = {"masks": self.masks, "lanes": self.lanes, "boxes": self.boxes, "tags": self.tags}
        return self.rows[index], {name: values[index] for name, values in known.items()}


def packed(net: DriveNet, images: torch.Tensor, batch: int = 16) -> torch.Tensor:
    """What Lite0 makes of ``images`` (N, 3, H, W) uint8, one row each, (N, D) float32 on the CPU."""
    device, rows = next(net.parameters()).device, []
    with eval_mode(net), torch.no_grad():
        for part in images.split(batch):
            x = part.to(device).float().div(255).contiguous(memory_format=torch.channels_last)
            rows.append(net.packed(x).float().cpu())
    return torch.cat(rows)


def padded(boxes, labels, room: int = 1) -> torch.Tensor:
    """Boxes and labels of N pictures as one tensor (N, M, 5), filled up with rows of -1; M is at least ``room``.

    >>> padded([torch.tensor([[0.0, 0, 2, 3]]), torch.zeros(0, 4)], [torch.tensor([1]), torch.zeros(0)])[:, 0].tolist()
    [[0.0, 0.0, 2.0, 3.0, 1.0], [-1.0, -1.0, -1.0, -1.0, -1.0]]
    """
    most = max([room, *map(len, boxes)])
    rows = (torch.cat([b, n[:, None].float()], dim=1) for b, n in zip(boxes, labels, strict=True))
    return torch.stack([F.pad(row, (0, 0, 0, most - len(row)), value=-1.0) for row in rows])


def mirrored(boxes: torch.Tensor, width: int) -> torch.Tensor:
    """Padded boxes (N, M, 5) of pictures that are ``width`` wide, in the mirror.

    >>> mirrored(torch.tensor([[[1.0, 0, 4, 5, 2]]]), 10).tolist()
    [[[6.0, 0.0, 9.0, 5.0, 2.0]]]
    """
    turned = boxes.clone()
    turned[..., 0], turned[..., 2] = width - boxes[..., 2], width - boxes[..., 0]
    return torch.where(boxes[..., 4:] < 0, boxes, turned)


def class_weights(counts: torch.Tensor, least: float = 1e-3, most: float = 6.0) -> torch.Tensor:
    """Weights (K,) for cross-entropy: one over the square root of a class's share, 1 for the mean pixel, up to ``most``.

    ``counts`` (N, K): pixels of each class in each picture. The root is between no weights, with which a net forgets poles,
    and one over the share, with which it sees them everywhere. Lesson 18.

    >>> [round(weight, 2) for weight in class_weights(torch.tensor([[90, 10]])).tolist()]
    [0.83, 2.5]
    """
    share = counts.sum(0).double() / counts.sum()
    weights = share.clamp(min=least).rsqrt()
    return (weights / (weights * share).sum()).clamp(max=most).float()


def task_losses(
    says: dict, target: dict, net: DriveNet, weight: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The loss of each head that spoke; what a target does not know (255, or -1) has no part in it.

    ``pixels``: cross-entropy with class ``weight`` (K,); ``lane``: binary cross-entropy; ``boxes``: the loss of lesson 14; ``tags``: the
    mean cross-entropy of the groups. Lesson 18.
    """
    losses = {}
    if "pixels" in says:
        logits = sized(says["pixels"], target["masks"].shape[-2:])
        losses["pixels"] = pixel_cross_entropy(logits, target["masks"], weight)
    if "lane" in says:
        logits, lanes = sized(says["lane"], target["lanes"].shape[-2:])[:, 0], target["lanes"]
        known = (lanes <= 1).float()
        loss = F.binary_cross_entropy_with_logits(
            logits, lanes.float() * known, weight=known, reduction="sum"
        )
        losses["lane"] = total(loss) / total(known.sum()).clamp(min=1)
    if "boxes" in says:
        losses["boxes"] = detection_loss(says["boxes"], target["boxes"], net.size, net.strides)
    if "tags" in says:
        groups = says["tags"].split(net.tags, dim=1)
        each = [
            F.cross_entropy(group, target["tags"][:, i], ignore_index=-1, reduction="sum")
            for i, group in enumerate(groups)
        ]
        losses["tags"] = total(sum(each)) / total((target["tags"] >= 0).sum()).clamp(min=1)
    return losses


def sized(maps: torch.Tensor, size) -> torch.Tensor:
    """Maps (N, C, h, w), enlarged to ``size`` by bilinear interpolation."""
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
