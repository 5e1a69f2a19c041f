"""``course faces enrol | verify``: lesson 16's network on the reader's own people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_utils.errors import CourseError

faces_app = typer.Typer(
    no_args_is_help=True, help="Enrol people and verify pictures, with lesson 16's network."
)

NetFile = Annotated[
    Path | None,
    typer.Option("--net", metavar="FILE", help="the network that lesson 16 wrote; by default runs/…"),
]


def _recogniser(net: Path | None):
    from course_utils.faces import gallery

    return gallery.load_recogniser(net or gallery.NET)


@faces_app.command("enrol")
def faces_enrol(
    folder: Annotated[
        Path, typer.Argument(help="one sub-folder for each person, with pictures of their face")
    ],
    out: Annotated[Path, typer.Option(help="the gallery to write")] = Path("gallery.safetensors"),
    net: NetFile = None,
) -> None:
    """Enrol people who agreed to it: one template each, no picture is kept.

    Example: course faces enrol people --out gallery.safetensors
    """
    from course_utils.faces import gallery

    if not out.parent.is_dir() or out.is_dir():
        raise CourseError(f"{str(out)!r} cannot be written. Give a file in a folder that is there.")
    enrolled, skipped = gallery.enrol(folder, _recogniser(net))
    for path, reason in skipped:
        print(f"skipped {path}: {reason}")
    gallery.save_gallery(enrolled, out)
    print(f"enrolled {len(enrolled.names)} people in {out}: {', '.join(enrolled.names)}")


@faces_app.command("verify")
def faces_verify(
    picture: Annotated[Path, typer.Argument(help="a picture of one upright face that fills it")],
    name: Annotated[str | None, typer.Argument(help="who it should be; without it, who it may be")] = None,
    gallery_file: Annotated[Path, typer.Option("--gallery", help="what enrol wrote")] = Path(
        "gallery.safetensors"
    ),
    net: NetFile = None,
) -> None:
    """Say whether a picture shows this person, or who of the enrolled it shows; exit code 1 for "no" and "unknown".

    Example: course faces verify door.jpg anna --gallery gallery.safetensors
    """
    from course_utils.faces import gallery

    recogniser = _recogniser(net)
    enrolled = gallery.load_gallery(gallery_file, recogniser)
    best, score = next(iter(gallery.scores(picture, enrolled, recogniser, name).items()))
    accepted = score >= recogniser.threshold
    answer = f"{'yes' if accepted else 'no'}: {best}" if name else best if accepted else "unknown"
    print(f"{answer} (score {score:.3f}, threshold {recogniser.threshold:.3f} for FAR {recogniser.far:g})")
    raise typer.Exit(0 if accepted else 1)
