"""A page in the browser for people who do not write requests: the extra ``demo`` (Gradio)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.product.uploads import Limits, UploadError, read_upload


def build_demo(classifier, limits: Limits | None = None):
    """A Gradio page: a picture in, the classes with their probabilities out; a refused picture says why.

    ``classifier``: a :class:`~course_utils.product.session.Classifier`. The page reads files through
    :func:`~course_utils.product.uploads.read_upload`, like the HTTP service, but only after Gradio has opened them for its
    preview: what strangers may send belongs to the service. Raises :class:`CourseError` where Gradio is
    not installed.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio
    except ImportError:
        raise CourseError("the demo needs Gradio. Install it: pip install 'cnn-course[demo]'.") from None
    about, limits = classifier.about, limits or Limits()

    def classify(path):
        if path is None:
            raise gradio.Error("choose a picture first.", print_exception=False)
        try:
            pixels = read_upload(Path(path).read_bytes(), about.channels, limits)
        except UploadError as error:
            raise gradio.Error(str(error), print_exception=False) from None
        return dict(zip(about.classes, map(float, classifier(pixels)[0][0]), strict=True))

    return gradio.Interface(
        classify,
        gradio.Image(type="filepath", image_mode=None, sources=["upload"], label="picture"),
        gradio.Label(label="class"),
        title=f"{' or '.join(about.classes)}?",
        description=f"Model version {about.version}, {about.precision}, trained on {about.data}. A demo, not a verdict.",
        flagging_mode="never",
        api_name="predict",
    )


@contextmanager
def demo_running(classifier, limits: Limits | None = None, port: int | None = None):
    """Serve the page on this machine alone as long as the ``with`` block; gives its address."""
    limits = limits or Limits()
    page = build_demo(classifier, limits)
    _, url, _ = page.launch(
        server_name="127.0.0.1", server_port=port, share=False, prevent_thread_lock=True, quiet=True, inbrowser=False,
        max_file_size=limits.body, enable_monitoring=False, ssr_mode=False, footer_links=[],
    )  # fmt: skip
    try:
        yield url
    finally:
        page.close(verbose=False)
