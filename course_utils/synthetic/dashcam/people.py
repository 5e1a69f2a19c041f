"""People on foot and on bicycles, each in its own frame: x ahead, y to the left, z up, its middle on the ground at the origin."""

from __future__ import annotations

from functools import cache

import numpy as np

from course_utils.synthetic.dashcam.models import DARK, PAINT, RUBBER, darker
from course_utils.synthetic.dashcam.shapes import Kind, Label, Shapes, Solid

CLOTHES = ("#34363d", "#a33b35", "#3a63a0", "#7b7566", "#d9d2c2", "#4d7a50", "#9a78ad", "#e0ac42", "#59626e")
TROUSERS = ("#2c2f38", "#3a4d72", "#6a5c4c", "#84827c")
SKIN = ("#f0c8a4", "#c98f66", "#8a5a3c", "#e2ac85")
HAIR = ("#2a211b", "#5a3e28", "#8b6b42", "#1a1716", "#9a948c")


@cache
def _walker(number: int) -> tuple:
    look = np.random.default_rng([number, 2])
    return (*map(look.choice, (CLOTHES, TROUSERS, SKIN, HAIR)), look.uniform(0.88, 1.08))


@cache
def _rider(number: int) -> tuple:
    look = np.random.default_rng([number, 3])
    return tuple(map(look.choice, (CLOTHES, TROUSERS, PAINT, SKIN, PAINT)))


def pedestrian(number: int, phase: float) -> Solid:
    """A person who walks along x; ``phase`` (radians) is where in a stride they are."""
    coat, legs, skin, hair, tall = _walker(number)
    swing = 0.34 * np.sin(phase)
    shapes = Shapes(Label.PEDESTRIAN)
    for side in (-1, 1):
        foot = side * swing
        shapes.ribbon((0, side * 0.09, 0.88 * tall), (foot, side * 0.1, 0.06), 0.2, legs, 0.13)
        shapes.ribbon((foot - 0.05, side * 0.1, 0.05), (foot + 0.16, side * 0.1, 0.05), 0.1, DARK)
        hand = (-0.75 * foot, side * 0.27, 0.85 * tall)
        shapes.ribbon((0, side * 0.21, 1.42 * tall), hand, 0.13, darker(coat), 0.09)
    shapes.ribbon((0, 0, 0.78 * tall), (0, 0, 1.48 * tall), 0.36, coat, 0.42)
    shapes.disc((0.05, 0, 1.6 * tall), 0.105, skin, kind=Kind.ROUND)
    shapes.disc((-0.02, 0, 1.65 * tall), 0.125, hair, kind=Kind.ROUND)
    return shapes.solid()


def bicyclist(number: int, phase: float) -> Solid:
    """A person on a bicycle who rides along x; ``phase`` (radians) is the angle of the pedals."""
    coat, legs, helmet, skin, frame = _rider(number)
    shapes = Shapes(Label.BICYCLIST)
    for x in (-0.52, 0.52):
        shapes.disc((x, 0, 0.34), 0.34, RUBBER, (1, 0), Kind.ROUND)
        shapes.disc((x, 0.01, 0.34), 0.28, "#75787a", (1, 0), Kind.ROUND)
        shapes.disc((x, -0.01, 0.34), 0.28, "#75787a", (1, 0), Kind.ROUND)
        shapes.ribbon((x, 0, 0.01), (x, 0, 0.67), 0.07, RUBBER)
    saddle, crank, head = (-0.2, 0, 0.92), (-0.05, 0, 0.3), (0.42, 0, 0.86)
    for p, q in ((saddle, crank), (crank, head), ((-0.15, 0, 0.78), (0.4, 0, 0.78)), (head, (0.52, 0, 0.34))):
        shapes.ribbon(p, q, 0.06, frame)
    shapes.ribbon((0.42, -0.27, 1.02), (0.42, 0.27, 1.02), 0.05, DARK)
    for side in (-1, 1):
        turn = phase + (np.pi if side > 0 else 0)
        pedal = (-0.05 + 0.17 * np.cos(turn), side * 0.13, 0.3 + 0.17 * np.sin(turn))
        knee = (0.22 + 0.3 * (pedal[0] + 0.05), side * 0.13, 0.5 + 0.5 * pedal[2])
        shapes.ribbon((-0.2, side * 0.1, 0.97), knee, 0.19, legs, 0.15)
        shapes.ribbon(knee, pedal, 0.14, legs, 0.09)
        shapes.ribbon((0.14, side * 0.2, 1.4), (0.42, side * 0.24, 1.03), 0.12, darker(coat), 0.08)
    shapes.ribbon((-0.2, 0, 0.9), (0.14, 0, 1.46), 0.34, coat, 0.42)
    shapes.disc((0.25, 0, 1.6), 0.11, skin, kind=Kind.ROUND)
    shapes.disc((0.22, 0, 1.67), 0.125, helmet, kind=Kind.ROUND)
    shapes.ribbon((-0.55, 0, 0.72), (-0.55, 0, 0.78), 0.07, "#c2261e", glow=0.5)
    return shapes.solid()
