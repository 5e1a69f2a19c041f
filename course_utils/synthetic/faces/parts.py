"""The parts of a face, from back to front. Each function paints on ``sheet`` (N, H, W), tones from 0 to 1, in place."""

from __future__ import annotations

import numpy as np

from course_utils.synthetic.faces.pose import PROTRUDES, SMILE, Pose, mouth


def drawn(p: Pose) -> np.ndarray:
    """The tones of the scene, light included, (N, H, W) float32."""
    t = p.traits
    sheet = t["background"] * (1 + 0.12 * p.x) + 0 * p.y
    outline = _round(
        p.x / (t["head_width"] * (1 - t["jaw"] * np.clip(p.y, 0, 1.1) ** 2)),
        p.y / t["head_height"],
        t["square"],
    )
    beyond = (outline - 1) * t["head_width"]
    head = p.soft(beyond)
    solid = np.maximum(head, _behind(sheet, p))
    _lay(sheet, head, t["skin"])
    _eyes(sheet, p)
    _brows(sheet, p)
    bump = _nose(sheet, p)
    _where(t["beard"], sheet, p, _beard, head)
    _where(t["moustache"], sheet, p, _moustache)
    _mouth(sheet, p)
    _where(t["mole"], sheet, p, _mole)
    _hair(sheet, p, beyond)
    sheet *= 1 + solid * (_light(p, bump) - 1)
    _where(t["spectacles"] * t["spectacles_on"], sheet, p, _spectacles)
    for number, part in enumerate((_dark_glasses, _scarf, _hand), 1):
        _where(t["occlusion"] == number, sheet, p, part)
    return sheet


def _lay(sheet, cover, tone):
    sheet += cover * (tone - sheet)


def _where(chosen, sheet, p, part, *planes):
    """Paint a part on those pictures that have it."""
    rows = np.flatnonzero(chosen[:, 0, 0])
    if len(rows):
        some = sheet[rows]
        part(some, p.some(rows), *(plane[rows] for plane in planes))
        sheet[rows] = some


def _round(a, b, square):
    """Like a radius, 1 on the outline: between an ellipse (``square`` 0) and a rounded box (1)."""
    a, b = a * a, b * b
    return np.sqrt((1 - square) * (a + b) + square * np.sqrt(a * a + b * b))


def _light(p, bump):
    """How bright a surface is by where it faces: a head is round and its nose a ridge (Lambert, 1760)."""
    t = p.traits
    x, y = p.x / (1.12 * t["head_width"]), p.y / 1.25
    z = np.sqrt(np.clip(1 - x * x - y * y, 0.03, None))
    side, up = t["light_side"], t["light_up"]
    towards = x * (np.sin(side) * np.cos(up)) - y * np.sin(up) + z * (np.cos(side) * np.cos(up))
    towards += bump * np.sin(side)
    return 1 - t["light_hard"] + t["light_hard"] * 1.35 * np.clip(towards, 0, None)


def _behind(sheet, p):
    """Hair behind the head, neck, clothes and ears; what is round and takes light."""
    t = p.traits
    volume = np.where(t["bald"] > 0, -0.1, t["hair_volume"] + t["hair_change"])
    across, above = p.x / (t["head_width"] + 0.8 * volume), np.minimum(p.y, 0) / (t["head_height"] + volume)
    below = np.maximum(p.y - np.where(t["long_hair"] > 0, 0.9, 0.05), 0) / 0.25
    hair = p.soft((np.sqrt(across * across + above * above + below * below) - 1) * 0.7)
    _lay(sheet, hair, t["hair"])
    neck = p.soft(np.maximum(np.abs(p.x) - 0.62 * t["head_width"], 0.5 - p.y))
    _lay(sheet, neck, 0.72 * t["skin"])
    _lay(
        sheet,
        p.soft(1.16 + 0.16 * np.cos(2.4 * np.clip(p.x, -1.3, 1.3)) * np.sign(0.62 - np.abs(p.x)) - p.y),
        t["clothes"],
    )
    a, b = (
        (np.abs(p.x) - t["head_width"] * 0.98) / (0.7 * t["ear"]),
        (p.v - t["eye_y"] - 0.1) / (1.5 * t["ear"]),
    )
    ears = p.soft((np.sqrt(a * a + b * b) - 1) * 0.8 * t["ear"])
    _lay(sheet, ears, 0.86 * t["skin"])
    return np.maximum(np.maximum(hair, neck), ears)


def _eyes(sheet, p):
    t = p.traits
    a = np.abs(p.u) - t["eye_gap"]
    b = p.v - t["eye_y"] + t["eye_tilt"] * a
    wide, high = t["eye_width"], t["eye_height"] * t["eyes_open"]
    q = (a / wide) ** 2
    full = t["eye_height"]
    hollow = np.exp(-0.4 * q - ((b + 0.05) / (2.6 * full)) ** 2)
    bag = np.exp(-0.8 * q - ((b - 2.2 * full) / (0.55 * full)) ** 2)
    sheet *= 1 - 0.2 * hollow - t["bags"] * bag
    lid = high * (1 - q)
    opening = p.soft(np.abs(b + 0.15 * lid) - lid)
    _lay(sheet, opening, 0.45 + 0.5 * t["skin"])
    radius = np.sqrt(a * a + b * b)
    _lay(sheet, opening * p.soft(radius - 0.062), t["iris"])
    _lay(sheet, opening * p.soft(radius - 0.026), 0.02)
    lash = p.soft(np.abs(b + 1.15 * lid) - 0.014) * (q < 1.2)
    _lay(sheet, 0.8 * lash, 0.25 * t["skin"])
    crease = p.soft(np.abs(b + 1.15 * lid + 0.35 * full) - 0.006) * (q < 1)
    _lay(sheet, 0.35 * crease, 0.4 * t["skin"])


def _brows(sheet, p):
    t = p.traits
    a = (np.abs(p.u) - t["eye_gap"]) / t["brow_length"]
    b = (
        p.v
        - t["eye_y"]
        + t["brow_y"]
        + t["brow_raise"]
        + t["brow_tilt"] * (a * t["brow_length"])
        + t["brow_arch"] * (a * a - 0.4)
    )
    taper = t["brow_thick"] * (1 - 0.45 * np.clip(a, -1, 1))
    brow = p.soft(np.maximum(np.abs(b) - taper, (np.abs(a) - 1) * t["brow_length"]))
    _lay(sheet, 0.85 * brow, 0.75 * np.minimum(t["hair"], 0.75 * t["skin"]))


def _nose(sheet, p):
    """Returns how far the surface leans to the right, for the light."""
    t = p.traits
    along = np.clip((p.v - t["eye_y"]) / t["nose_length"], -0.2, 1.3)
    x = p.u - PROTRUDES * t["nose_depth"] * np.sin(t["yaw"]) * np.clip(along, 0, 1)
    wide = t["nose_width"] * (0.45 + 0.55 * np.clip(along, 0, 1) ** 2)
    q = x / wide
    ends = np.clip(4 * (along + 0.15), 0, 1) * np.clip(7 * (1.16 - along), 0, 1)
    ridge = ends * np.exp(-q * q)
    slope = q * ridge * t["nose_depth"]
    sheet *= 1 - 0.42 * np.abs(slope) * np.clip(along, 0.15, 1) + 0.10 * ridge * t["nose_depth"]
    tip = t["eye_y"] + t["nose_length"]
    a, b = (np.abs(x) - 0.5 * t["nose_width"]) / (0.34 * t["nose_width"]), (p.v - tip - 0.045) / 0.026
    _lay(sheet, 0.75 * p.soft((np.sqrt(a * a + b * b) - 1) * 0.026), 0.3 * t["skin"])
    under = np.exp(-((x / t["nose_width"]) ** 2) - ((p.v - tip - 0.075) / 0.03) ** 2)
    fold = np.abs(p.u) - 1.15 * t["nose_width"] - 0.5 * (p.v - tip)
    fold = np.exp(-((fold / 0.03) ** 2) - ((p.v - tip - 0.12) / 0.13) ** 2)
    cheek = np.exp(-(((np.abs(p.u) - 0.42) / 0.16) ** 2) - ((p.v - tip + 0.05) / 0.14) ** 2)
    sheet *= 1 - 0.22 * under - t["folds"] * (0.7 + 0.5 * t["smile"]) * fold + t["cheeks"] * cheek
    return 1.3 * slope


def _mouth(sheet, p):
    t = p.traits
    wide, corner = mouth(t)
    q = (p.u / wide) ** 2
    k = np.clip(1 - q, 0, 1)
    b = p.v - corner - SMILE * t["smile"] * (1 - q)
    open_ = 0.11 * t["mouth_open"] * k
    inside = (q < 1).astype(np.float32)
    _lay(
        sheet,
        inside
        * p.soft(np.maximum(-b - t["lip_upper"] * (k + 0.35 * k * (1 - k)), b - open_ - t["lip_lower"] * k)),
        t["skin"] * t["lip_tone"],
    )
    _lay(
        sheet,
        inside * p.soft(np.maximum(-b, b - open_)),
        0.06 + 0.5 * np.clip(t["smile"], 0, 1) * (b < 0.45 * open_),
    )
    _lay(sheet, 0.75 * (q < 1.1) * p.soft(np.abs(b) - 0.009), 0.3 * t["skin"])
    below = np.exp(-((p.u / 0.13) ** 2) - ((b - open_ - t["lip_lower"] - 0.04) / 0.025) ** 2)
    sheet *= 1 - 0.16 * below


def _moustache(sheet, p):
    t = p.traits
    wide, corner = mouth(t)
    a, b = p.u / (1.12 * wide), (p.v - corner + 0.085 - 0.09 * (p.u / wide) ** 2) / 0.05
    _lay(sheet, 0.85 * p.soft((np.sqrt(a * a + b * b) - 1) * 0.05), t["hair"])


def _beard(sheet, p, head):
    t = p.traits
    _, corner = mouth(t)
    start = corner + 0.11 - 2.1 * np.clip(np.abs(p.u) - 0.1, 0, 0.6) ** 2
    _lay(sheet, 0.8 * head * p.soft(0.5 * (start - p.v)), t["hair"])


def _mole(sheet, p):
    t = p.traits
    _lay(sheet, 0.85 * p.soft(np.hypot(p.u - t["mole_x"], p.v - t["mole_y"]) - 0.026), 0.3 * t["skin"])


def _hair(sheet, p, beyond):
    t = p.traits
    u = p.u - 0.3 * t["hair_part"] * t["head_width"]
    line = t["hair_line"] + t["hair_change"] + t["hair_round"] * u * u
    line = line + t["fringe"] * (0.16 + 0.02 * np.sin(38 * p.u)) - 3 * t["bald"]
    strands = 1 + 0.06 * np.sin(70 * u * (1.3 + p.v) + 20 * t["hair_part"]) - 0.25 * (p.v + 0.9) * (u + 0.4)
    _lay(sheet, p.soft(np.maximum(beyond - 0.03, 0.6 * (p.v - line))), t["hair"] * strands)


def _lens(p):
    t = p.traits
    a, b = (np.abs(p.u) - t["eye_gap"]) / t["frame_width"], (p.v - t["eye_y"] - 0.02) / t["frame_height"]
    return (_round(a, b, t["frame_round"]) - 1) * t["frame_height"]


def _arms(p, thick):
    """The bridge of spectacles and their arms: what lies at the height of the eyes outside both lenses."""
    t = p.traits
    across = np.abs(np.abs(p.u) - t["eye_gap"]) - t["frame_width"]
    return p.soft(
        np.maximum(
            np.abs(p.v - t["eye_y"] + 0.02) - thick, np.maximum(-across, np.abs(p.x) - t["head_width"])
        )
    )


def _spectacles(sheet, p):
    _lay(sheet, np.maximum(p.soft(np.abs(_lens(p)) - 0.016), _arms(p, 0.016)), p.traits["frame_tone"])


def _dark_glasses(sheet, p):
    _lay(sheet, np.maximum(p.soft(_lens(p) - 0.03), _arms(p, 0.02)), 0.05 + 0.05 * np.clip(-p.v, 0, 1))


def _scarf(sheet, p):
    t = p.traits
    edge = t["eye_y"] + t["nose_length"] - 0.03 + 0.12 * p.u * p.u
    tone = 1 - t["clothes"] + 0.08 * np.sign(np.sin(26 * p.v + 5 * p.u))
    _lay(
        sheet, p.soft(np.maximum(edge - p.v, np.abs(p.x) - 1.05 * t["head_width"])), np.clip(tone, 0.05, 0.95)
    )


def _hand(sheet, p):
    t = p.traits
    left = np.sign(t["yaw"] + 1e-6)
    x, y = 0.8 * (p.x * left - 0.36) + 0.6 * (p.y - 0.42), 0.8 * (p.y - 0.42) - 0.6 * (p.x * left - 0.36)
    fingers = 0.24 + 0.03 * np.cos(26 * y) * (x < 0)
    tone = t["skin"] * (0.88 - 0.2 * (np.cos(26 * y) < -0.8) * (x < 0.05))
    _lay(sheet, p.soft((_round(x / 0.55, y / fingers, 0.6) - 1) * 0.24), tone)
