"""``course faces enrol | verify | forget``: lesson 16's network on the reader's own people."""

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
GalleryFile = Annotated[Path, typer.Option("--gallery", help="what enrol wrote")]
GALLERY = Path("gallery.safetensors")


def _recogniser(net: Path | None):
    from course_utils.faces import gallery

    return gallery.load_recogniser(net or gallery.default_net())


@faces_app.command("enrol")
def faces_enrol(
    folder: Annotated[
        Path, typer.Argument(help="one sub-folder for each person, with pictures of their face")
    ],
    out: Annotated[Path, typer.Option(help="the gallery to write")] = GALLERY,
    add: Annotated[bool, typer.Option("--add", help="add to the people who are in it already")] = False,
    net: NetFile = None,
) -> None:
    """Enrol people who agreed to it: one template each, no picture is kept.

    Example: course faces enrol people --out gallery.safetensors
    """
    from course_utils.faces import gallery

    if not out.parent.is_dir() or out.is_dir() or out.resolve() == (net or gallery.default_net()).resolve():
        raise CourseError(
            f"{str(out)!r} cannot be written. Give a file of its own in a folder that is there."
        )
    if out.exists() and not add:
        raise CourseError(
            f"{str(out)!r} is there already. Add to it with --add, or give another file with --out."
        )
    recogniser = _recogniser(net)
    before = gallery.load_gallery(out, recogniser) if add else None
    enrolled, skipped = gallery.enrol(folder, recogniser)
    for _, reason in skipped:
        print(f"skipped: {reason}")
    gallery.save_gallery(gallery.joined(before, enrolled) if before else enrolled, out)
    who = "person" if len(enrolled.names) == 1 else "people"
    print(f"enrolled {len(enrolled.names)} {who} in {out}: {', '.join(enrolled.names)}")


@faces_app.command("verify")
def faces_verify(
    picture: Annotated[Path, typer.Argument(help="a picture of one upright face that fills it")],
    name: Annotated[str | None, typer.Argument(help="who it should be; without it, who it may be")] = None,
    gallery_file: GalleryFile = GALLERY,
    net: NetFile = None,
) -> None:
    """Say whether a picture shows this person, or who of the enrolled it shows; exit code 1 for "no" and "unknown".

    A print of a face is accepted like the face: nothing here asks whether somebody is there.

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


@faces_app.command("forget")
def faces_forget(
    name: Annotated[str, typer.Argument(help="who withdraws")], gallery_file: GalleryFile = GALLERY
) -> None:
    """Take a person out of a gallery; copies of the file elsewhere still hold them.

    Example: course faces forget anna --gallery gallery.safetensors
    """
    from course_utils.faces import gallery

    left = gallery.without(gallery.load_gallery(gallery_file, None), name)
    if left.names:
        gallery.save_gallery(left, gallery_file)
    else:
        gallery_file.unlink()
    print(
        f"forgot {name}; {gallery_file} {f'holds {len(left.names)} more' if left.names else 'held nobody else and is deleted'}"
    )
