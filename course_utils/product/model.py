"""The network as it is shipped: bytes of a picture in, probabilities out, preparation included."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.product.about import About


class Product(nn.Module):
    """A classifier that prepares its pictures itself, so that no user can prepare them in another way.

    ``features``: prepared pictures (N, C, size, size) float → embedding (N, D); ``classifier``: embedding → logits.

    pixels: (N, H, W, C) uint8, any H and W from 1 → probabilities (N, K) float, embedding (N, D) float. Lesson 20.

    >>> about = About(("a", "b"), size=8, channels=1, mean=0.5, std=0.5)
    >>> product = Product(nn.Flatten(), nn.Linear(64, 2), about)
    >>> probabilities, embedding = product(torch.zeros(3, 20, 30, 1, dtype=torch.uint8))
    >>> probabilities.shape, embedding.shape, embedding.min().item()
    (torch.Size([3, 2]), torch.Size([3, 64]), -1.0)
    """

    def __init__(self, features: nn.Module, classifier: nn.Module, about: About):
        super().__init__()
        self.features, self.classifier, self.about = features, classifier, about
        self.eval()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities and embedding of the pictures ``pixels``."""
        embedding = self.features(prepared(pixels, self.about))
        return self.classifier(embedding).softmax(1), embedding


def prepared(pixels: torch.Tensor, about: About) -> torch.Tensor:
    """Resize (bilinear, antialiased) and normalise: (N, H, W, C) uint8 → (N, C, size, size) float.

    >>> about = About(("a", "b"), size=2, channels=1, mean=0.5, std=0.5)
    >>> prepared(torch.zeros(1, 4, 4, 1, dtype=torch.uint8), about).flatten().tolist()
    [-1.0, -1.0, -1.0, -1.0]
    """
    x = pixels.permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size=(about.size, about.size), mode="bilinear", antialias=True)
    return (x / 255 - about.mean) / about.std
