"""Training pictures with their boxes, moved together by albumentations."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.errors import CourseError


def together(transforms):
    """An albumentations pipeline that moves boxes with their picture; a box of which one step leaves less than a third goes.

    Each step is held against what the step before it left: of a box that two crops halve in turn, a quarter stays.

    ``transforms``: a list of albumentations' transforms. The result is called with ``image`` (H, W, 3) uint8, ``bboxes`` (n, 4)
    as x1, y1, x2, y2 and ``labels``. Lesson 14; Buslaev et al., 2020.

    >>> import albumentations as A
    >>> flip = together([A.HorizontalFlip(p=1)])
    >>> flip(image=np.zeros((10, 20, 3), np.uint8), bboxes=np.array([[0, 0, 4, 6]]), labels=[0])["bboxes"].round(3).tolist()
    [[16.0, 0.0, 20.0, 6.0]]
    """
    import albumentations as A

    boxes = A.BboxParams(format="pascal_voc", label_fields=["labels"], min_visibility=1 / 3, clip=True)
    return A.Compose(transforms, bbox_params=boxes)


class Augmented(torch.utils.data.Dataset):
    """A detection set as (picture, boxes) for a ``DataLoader``: ``self[i]`` is ``(image, truth)``.

    ``image``: (3, H, W) float in [0, 1]; ``truth``: (M, 5) float as x1, y1, x2, y2, label, filled up to the M of the picture
    with most boxes by rows of -1, so that batches stack. ``transform`` comes from :func:`together`, or is ``None``; torch's
    generator seeds it for each picture, so that a resumed run draws what it would have drawn. Raises :class:`CourseError` if it
    does not give uint8.

    >>> from course_utils.data.detection import DetectionSet
    >>> data = DetectionSet(torch.zeros(1, 3, 8, 8).byte(), [torch.tensor([[0.0, 0, 4, 6]])], [torch.tensor([1])], ("a", "b"))
    >>> Augmented(data)[0][1].tolist()
    [[0.0, 0.0, 4.0, 6.0, 1.0]]
    """

    def __init__(self, data, transform=None):
        self.data, self.transform = data, transform
        self.most = max([1, *map(len, data.boxes)])

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, boxes, labels = self.data[index]
        if self.transform is not None:
            self.transform.set_random_seed(int(torch.randint(2**31, ())))
            picture = image.permute(1, 2, 0).numpy()
            moved = self.transform(image=picture, bboxes=boxes.numpy(), labels=labels.numpy())
            image = torch.from_numpy(np.ascontiguousarray(moved["image"])).permute(2, 0, 1)
            boxes = torch.as_tensor(moved["bboxes"], dtype=torch.float32).reshape(-1, 4)
            labels = torch.as_tensor(np.asarray(moved["labels"], dtype=np.float32))
        if image.dtype != torch.uint8:
            raise CourseError(
                f"the transform gives a picture of {image.dtype}. Valid: torch.uint8, 0 to 255. Augmented divides by 255, and the "
                "detector normalises: leave A.Normalize, A.ToFloat and the like out."
            )
        truth = torch.cat([boxes, labels[:, None].float()], dim=1)
        return image.float() / 255, F.pad(truth, (0, 0, 0, self.most - len(truth)), value=-1.0)
