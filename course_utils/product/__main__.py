"""``python -m course_utils.product serve|demo|card|watch MODEL.onnx``: what lesson 20 builds, from the command line."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.product.session import Classifier


def main(arguments: list[str] | None = None) -> int:
    """Run one of the four; returns the exit code: 0, 1 for a drift alarm, or 2 with a message for what cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.product", description=__doc__)
    parser.add_argument("what", choices=("serve", "demo", "card", "watch"))
    parser.add_argument("model", help="an ONNX file that lesson 20 wrote")
    parser.add_argument("--host", default="127.0.0.1", help="serve: the address to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--run", type=Path, help="card: a file of runs, such as results/20_from_notebook_to_product.json"
    )
    parser.add_argument(
        "--metric", help="card: the accuracy of this file in the run, where it has another name"
    )
    parser.add_argument(
        "--reference", type=Path, help="watch: a folder of pictures that the model was judged on"
    )
    parser.add_argument("--new", type=Path, help="watch: a folder of pictures from use")
    options = parser.parse_args(arguments)
    try:
        classifier = Classifier(options.model)
        if options.what == "card":
            print(_card(classifier.about, options.run, options.metric))
        elif options.what == "watch":
            return _watch(classifier, options.reference, options.new)
        else:
            _keep(classifier, options)
    except (CourseError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _card(about, path: Path | None, metric: str | None) -> str:
    from course_utils import results
    from course_utils.data.cards import cards
    from course_utils.product.card import model_card

    if path is None:
        raise CourseError(
            "a card needs the numbers of a run: --run FILE, as `course run --json FILE` writes it."
        )
    if about.data not in cards():
        raise CourseError(
            f"the model was trained on {about.data!r}, and a model card passes on what its data's card says. "
            f"Cards: {', '.join(cards())}. For data of your own write the card by hand."
        )
    run = results.read(path)[-1]
    metrics = metric and {key: key.replace("_", " ") for key in (metric, *run["metrics"])}
    return model_card(about, run, cards()[about.data], path.stem, metrics)


def _watch(classifier, reference: Path | None, new: Path | None) -> int:
    from course_utils.product.drift import Monitor

    if reference is None or new is None:
        raise CourseError("watch compares two folders of pictures: --reference FOLDER --new FOLDER.")
    before, now = (
        Monitor.describe(classifier, _pictures(folder, classifier.about)) for folder in (reference, new)
    )
    verdict = Monitor(before)(now)
    print(f"{len(now[0])} new pictures against {len(before[0])}")
    for name, p in verdict.p_value.items():
        print(f"{name:10} p = {p:.3f}{'  DIFFERENT' if verdict.alarm[name] else ''}")
    return int(verdict.any)


def _pictures(folder: Path, about):
    """The PNG and JPEG files of a folder, at the model's size: (N, size, size, C) uint8; bad files are named."""
    import numpy as np
    from PIL import Image

    from course_utils.product.uploads import UploadError, read_upload

    if not folder.is_dir():
        raise CourseError(f"{str(folder)!r} is no folder. Give one that holds PNG or JPEG files.")
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg")):
        try:
            pixels = read_upload(path.read_bytes(), about.channels)
        except (OSError, UploadError) as error:
            print(f"left out {path.name}: {error}", file=sys.stderr)
            continue
        picture = Image.fromarray(pixels.squeeze(2) if about.channels == 1 else pixels)
        small = np.asarray(picture.resize((about.size, about.size), Image.Resampling.BILINEAR))
        found.append(small.reshape(about.size, about.size, about.channels))
    if not found:
        raise CourseError(f"{str(folder)!r} holds no picture that can be read. Give PNG or JPEG files.")
    return np.stack(found)


def _keep(classifier, options) -> None:
    if options.what == "serve":
        from course_utils.product.service import Service

        try:
            service = Service(classifier, options.host, options.port)
        except (OSError, OverflowError) as error:
            where = f"{options.host}:{options.port}"
            raise CourseError(f"cannot listen on {where}: {error}. Give another --port or --host.") from None
        with service:
            print(f"listening on {service.url}; stop with Ctrl-C", flush=True)
            try:
                service.serve_forever()
            except KeyboardInterrupt:
                pass
        return
    from course_utils.product.demo import demo_running

    with demo_running(classifier, port=options.port) as url:
        print(f"open {url}; stop with Ctrl-C", flush=True)
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    sys.exit(main())
