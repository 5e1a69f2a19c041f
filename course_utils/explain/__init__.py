"""What a network saw: maps of the places that decide, and pictures of what a channel looks for. Lesson 12.

Every method in :data:`METHODS` has one signature: ``method(model, images, targets=None, **options)`` with ``images``
``(N, C, H, W)`` float, prepared as for the model, and ``targets`` ``(N,)`` classes, by default the predicted ones. It
returns ``(N, H, W)`` float32 on the CPU, larger where more speaks for the class; the map of an image does not depend on
the rest of its batch. The model's weights, gradients, hooks and train/eval mode stay as they were; it gets the images
in the dtype of its weights. A model with one logit has the classes 0 and 1. Methods that draw random numbers take a
``seed``.

>>> sorted(METHODS)
['grad_cam', 'gradient', 'guided_backprop', 'integrated_gradients', 'occlusion', 'rise', 'smooth_grad']
"""

from course_utils.explain.common import outputs_of
from course_utils.explain.curves import deletion, heat_share, insertion, randomised, rank_likeness
from course_utils.explain.features import activations, atlas, maximal_patches, visualise
from course_utils.explain.gradients import (
    grad_cam,
    gradient,
    guided_backprop,
    integrated_gradients,
    last_grad_cam,
    smooth_grad,
)
from course_utils.explain.perturb import occlusion, rise

METHODS = {
    "gradient": gradient,
    "smooth_grad": smooth_grad,
    "guided_backprop": guided_backprop,
    "integrated_gradients": integrated_gradients,
    "grad_cam": last_grad_cam,
    "occlusion": occlusion,
    "rise": rise,
}

__all__ = [
    "METHODS",
    "activations",
    "atlas",
    "deletion",
    "grad_cam",
    "gradient",
    "guided_backprop",
    "heat_share",
    "insertion",
    "integrated_gradients",
    "last_grad_cam",
    "maximal_patches",
    "occlusion",
    "outputs_of",
    "randomised",
    "rank_likeness",
    "rise",
    "smooth_grad",
    "visualise",
]
