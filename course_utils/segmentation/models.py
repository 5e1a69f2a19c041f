"""A U-Net whose encoder has learned from photographs, without a network."""

from __future__ import annotations

from torch import nn

from course_utils.models import backbone

DECODER = (128, 64, 48, 32, 16)


def lite0_unet(num_classes: int, in_chans: int = 3, pretrained: bool = True, decoder=DECODER) -> nn.Module:
    """segmentation-models-pytorch's U-Net on EfficientNet-Lite0, with the packaged ImageNet weights if ``pretrained``.

    x: (N, in_chans, H, W) float, normalised by ``model.input_stats``, H and W multiples of 32 → logits (N, num_classes, H, W).
    ``decoder``: channels of its five stages, coarse to fine. ``in_chans=1`` sums the first kernels over colour.
    Lesson 15; Ronneberger et al., 2015; Tan and Le, 2019.

    >>> import torch
    >>> lite0_unet(2, in_chans=1, pretrained=False)(torch.zeros(2, 1, 64, 96)).shape
    torch.Size([2, 2, 64, 96])
    """
    import segmentation_models_pytorch as smp

    encoder = backbone("efficientnet_lite0", pretrained=pretrained, in_chans=in_chans)
    model = smp.Unet(
        "tu-tf_efficientnet_lite0",  # not "timm-": that one takes the same tensors, pads otherwise, and computes other features
        encoder_weights=None,
        in_channels=in_chans,
        classes=num_classes,
        decoder_channels=decoder,
    )
    own = (
        model.encoder.model.state_dict()
    )  # all of timm's network but its last convolution and its classifier
    model.encoder.model.load_state_dict({name: encoder.state_dict()[name] for name in own})
    model.input_stats = encoder.input_stats
    return model
