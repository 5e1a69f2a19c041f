"""What can be wrong with the pictures themselves, whatever is said about them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping

from course_utils.inspection.findings import Finding, Place, count
from course_utils.inspection.pictures import FAULTS, FORMATS, Picture
from course_utils.upright import ONE_FACTOR, mixed_ranges

TINY, LONG = 16, 4  # times smaller in area, or longer in shape, than the middle picture
ADVICE = {
    "corrupt": "Copy it again from its source, or remove it with its label.",
    "not-a-picture": "Open it in a text editor to see what it is (often a saved error page); replace or remove it.",
    "empty-file": "Copy it again from its source, or remove it with its label.",
    "huge": "Scale it down, or cut it into tiles; a file made to fill the memory should be deleted.",
    "no-decoder": "Install one (for DICOM: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg), or export it uncompressed.",
    "unreadable": "Give yourself the right to read it (chmod u+r FILE), mend the link, or remove it.",
}


def whole(pictures: Mapping[str, Picture]) -> Iterator[Finding]:
    """Files that cannot be decoded, by kind of fault."""
    for fault in FAULTS:
        bad = [p for p in pictures.values() if p.fault == fault]
        if bad:
            title = f"{count(len(bad), 'picture')} cannot be read: {FAULTS[fault]}"
            yield Finding(fault, "error", title, ADVICE[fault], tuple(Place(p.file, p.reason) for p in bad))


def kinds(pictures: Mapping[str, Picture]) -> Iterator[Finding]:
    """Colour modes, ranges of deep pictures, endings that lie, EXIF orientation, several frames in a file."""
    good = [p for p in pictures.values() if p.look is not None]
    modes = Counter(p.mode for p in good)
    usual = modes.most_common(1)[0][0] if modes else ""
    if len(modes) > 1:
        odd = [Place(p.file, f"{p.mode} instead of {usual}") for p in good if p.mode != usual]
        words = ", ".join(f"{mode} {n:,}" for mode, n in modes.most_common())
        yield Finding(
            "mixed-modes",
            "warning",
            f"colour modes are mixed: {words}",
            "Convert all to one mode when loading (read_image gives RGB): the number of channels must not change.",
            tuple(odd),
        )
    tops = Counter(p.top for p in good if p.top)
    if len(tops) > 1:
        usual = tops.most_common(1)[0][0]
        odd = [
            Place(p.file, f"its values are taken to reach {p.top:g}")
            for p in good
            if p.top and p.top != usual
        ]
        yield Finding("mixed-ranges", "error", mixed_ranges(tops), ONE_FACTOR, tuple(odd))
    yield from _list(
        "wrong-ending",
        "warning",
        "whose ending does not say what it is",
        "Rename it after its content: some loaders choose the decoder by the ending.",
        [
            Place(p.file, f"its content is {p.format}")
            for p in good
            if p.format not in FORMATS.get(_ending(p.file), (p.format,))
        ],
    )
    yield from _list(
        "exif",
        "warning",
        "that a camera stored turned (EXIF orientation)",
        "Turn when loading (read_image does) or store them upright: OpenCV, PIL and label tools do not agree on it.",
        [Place(p.file, f"orientation {p.orientation}") for p in good if p.orientation != 1],
    )
    yield from _list(
        "frames",
        "warning",
        "with several frames or pages",
        "Save the frame that the label is about as a picture of its own: only the first one is read.",
        [Place(p.file, count(p.frames, "frame")) for p in good if p.frames > 1],
    )


def looks(pictures: Mapping[str, Picture]) -> Iterator[Finding]:
    """Pictures of one colour, and pictures far smaller or longer than the others."""
    good = [p for p in pictures.values() if p.look is not None]
    yield from _list(
        "blank",
        "warning",
        "of one colour only",
        "Look at it: a camera failed, or a file was cut. Remove it with its label unless nothing is what it should show.",
        [Place(p.file, f"grey {int(p.look.mean())}") for p in good if p.look.max() - p.look.min() <= 1],
    )
    if len(good) < 5:
        return
    area = statistics.median(p.size[0] * p.size[1] for p in good)
    shape = statistics.median(p.upright[0] / p.upright[1] for p in good)
    yield from _list(
        "tiny",
        "warning",
        f"more than {TINY} times smaller than the middle picture",
        "Look at it: thumbnails and icons slip into collections. Replace it by the large one, or remove it.",
        [Place(p.file, "{}×{}".format(*p.size)) for p in good if p.size[0] * p.size[1] * TINY < area],
    )
    yield from _list(
        "long",
        "warning",
        f"more than {LONG} times longer or narrower than the middle picture",
        "Crop or pad it: squeezed to the size of the net, its content is distorted beyond recognition.",
        [
            Place(p.file, "{}×{}".format(*p.upright))
            for p in good
            if not 1 / LONG <= p.upright[0] / p.upright[1] / shape <= LONG
        ],
    )


def _list(code: str, level: str, words: str, advice: str, places: list[Place]) -> Iterator[Finding]:
    if places:
        yield Finding(code, level, f"{count(len(places), 'picture')} {words}", advice, tuple(places))


def _ending(file: str) -> str:
    return "." + file.lower().rpartition(".")[2]
