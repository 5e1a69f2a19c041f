"""A picture file's pixels as the course sees them, in training and in use; without torch."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened picture as RGB: turned as its EXIF orientation says, transparency on white, more than 8 bits scaled down.

    Such values carry no range of their own. It is taken to be the least of those in use that holds them: 8, 12 or 16 bits;
    of floats 0 to 1, which resizing may overshoot a little, 0 to 255 or 16 bits.

    >>> upright_rgb(Image.fromarray(np.full((1, 1), 4095, np.uint16))).getpixel((0, 0))
    (255, 255, 255)
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float64)).clip(0)  # PIL would clip them at 255
        tops, slack = ((1.0, 255.0, 65535.0), 1.05) if image.mode == "F" else ((255.0, 4095.0, 65535.0), 1)
        top = next((top for top in tops if values.max() <= slack * top), values.max())
        return Image.fromarray((values * (255 / top)).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
