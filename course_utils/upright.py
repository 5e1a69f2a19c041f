"""A picture file's pixels as the course sees them, in training and in use; without torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageOps

ONE_FACTOR = (
    "A picture of more than 8 bits does not say how far its values reach, so that is taken from the picture itself, and the same "
    "thing would be bright in one file and dark in another. Export all to 8 bits by one factor."
)


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened picture as RGB: turned as its EXIF orientation says, transparency on white, more than 8 bits scaled down.

    >>> upright_rgb(Image.fromarray(np.full((1, 1), 4095, np.uint16))).getpixel((0, 0))
    (255, 255, 255)
    """
    image = ImageOps.exif_transpose(image)
    if (top := value_range(image)) is not None:
        values = np.nan_to_num(np.asarray(image, np.float64))  # PIL would clip them at 255
        return Image.fromarray((values * (255 / top)).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def value_range(image: Image.Image) -> float | None:
    """What the largest value of a picture of more than 8 bits can be; ``None`` where 8 bits hold all.

    Such values carry no range of their own. It is taken to be the least of those in use that holds them: 8, 12 or 16 bits;
    of floats 0 to 1, which resizing may overshoot a little, 0 to 255 or 16 bits.

    >>> value_range(Image.fromarray(np.full((1, 1), 300, np.uint16))), value_range(Image.new("L", (1, 1)))
    (4095.0, None)
    """
    if not image.mode.startswith("I") and image.mode != "F":
        return None
    largest = np.nan_to_num(np.asarray(image, np.float64)).max()
    tops, slack = ((1.0, 255.0, 65535.0), 1.05) if image.mode == "F" else ((255.0, 4095.0, 65535.0), 1)
    return next((top for top in tops if largest <= slack * top), float(largest))


def mixed_ranges(tops: Mapping[float, int]) -> str:
    """How many pictures have which :func:`value_range`, in words.

    >>> mixed_ranges({4095.0: 7, 255.0: 1})
    'pictures of more than 8 bits are scaled by different ranges: up to 255 in 1, up to 4095 in 7'
    """
    told = ", ".join(f"up to {top:g} in {n:,}" for top, n in sorted(tops.items()))
    return f"pictures of more than 8 bits are scaled by different ranges: {told}"
