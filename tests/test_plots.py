"""Every plot: labelled axes, alt text, the palette, clear errors; and what show() puts into a notebook."""

import base64
import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from course_utils import plots
from course_utils.errors import CourseError
from course_utils.plots.style import png

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 12, 16), np.uint8)
COLOUR = RNG.random((5, 3, 12, 16)).astype(np.float32)
TARGETS = np.array([0, 1, 1, 0, 1])
SCORES = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.95, 0.05]])

PLOTS = {
    "image": lambda: plots.image(COLOUR[0], title="noise"),
    "image_grid": lambda: plots.image_grid(GREY, list("abcde"), columns=3),
    "feature_maps": lambda: plots.feature_maps(COLOUR[0]),
    "feature_maps shared": lambda: plots.feature_maps(COLOUR[0], shared=True),
    "overlay": lambda: plots.overlay(COLOUR[0], RNG.random((3, 4))),
    "annotated_matrix": lambda: plots.annotated_matrix(np.eye(3), title="kernel", highlight=(0, 0, 2, 2)),
    "curves": lambda: plots.curves(
        {"a": ([1, 2], [3, 4]), "b": [5, 6]}, xlabel="x (s)", ylabel="y", logy=True
    ),
    "bars": lambda: plots.bars(["a", "b"], [1, 2], [0.1, 0.2], xlabel="model", ylabel="accuracy"),
    "bars in groups": lambda: plots.bars(
        ["a", "b"], {"p": [1, 2], "q": [2, 3]}, {"p": [0.1, 0.1]}, xlabel="model", ylabel="accuracy"
    ),
    "bars lying": lambda: plots.bars(["a very long label", "b"], [1, 2], xlabel="model", ylabel="accuracy"),
    "histogram": lambda: plots.histogram({"a": GREY[0], "b": GREY[1]}, xlabel="pixel value"),
    "bars lying in groups": lambda: plots.bars(
        ["a very long label", "b"], {"p": [1, 2], "q": [2, 3]}, xlabel="model", ylabel="accuracy"
    ),
    "boxes": lambda: plots.boxes(
        COLOUR[0], [[1, 0, 5, 6], [14, 3, 16, 9]], [1, 7], list("abcdefgh"), [0.9, 0.8], title="two"
    ),
    "confusion": lambda: plots.confusion([[3, 1], [0, 4]], ["cat", "dog"]),
    "reliability": lambda: plots.reliability(SCORES, TARGETS),
    "most_wrong": lambda: plots.most_wrong(GREY, TARGETS, SCORES, ["cat", "dog"]),
    "most_wrong of none": lambda: plots.most_wrong(GREY, SCORES.argmax(1), SCORES, ["cat", "dog"]),
}
CHARTS = [n for n in PLOTS if n.startswith(("curves", "bars", "histogram", "confusion"))]


def axes_of(result):
    return np.ravel(np.asarray(result, dtype=object))


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_returns_axes_with_alt_text_that_fit_in_the_figure(name):
    axes = axes_of(PLOTS[name]())
    figure = axes[0].figure
    assert all(isinstance(ax, matplotlib.axes.Axes) for ax in axes)
    assert "." in " ".join(getattr(ax, "alt_text", "") for ax in axes)
    figure.canvas.draw()
    assert all(t.get_fontsize() >= 10 for t in figure.findobj(matplotlib.text.Text) if t.get_text())
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, (
        f"{box} of {width} × {height}"
    )


@pytest.mark.parametrize("name", CHARTS)
def test_charts_have_labelled_axes(name):
    ax = PLOTS[name]()
    assert ax.get_xlabel() and ax.get_ylabel()


def test_reliability_has_labelled_axes():
    top, bottom = PLOTS["reliability"]()
    assert (
        top.get_ylabel() == "accuracy"
        and bottom.get_xlabel().startswith("confidence")
        and bottom.get_ylabel()
    )
    positives = plots.reliability(SCORES[:, 1], TARGETS)[0]
    assert positives.get_ylabel() == "share of positives"
    assert "share of positives against confidence" in positives.alt_text


def test_lines_differ_in_colour_style_and_marker():
    ax = plots.curves({str(i): [1, 2, i] for i in range(8)}, xlabel="x", ylabel="y")
    lines = ax.get_lines()
    assert [line.get_color() for line in lines] == list(plots.COLOURS)
    assert len({line.get_marker() for line in lines}) == 8
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 8


def test_the_ninth_series_is_not_like_the_first():
    def looks(ax):
        return {
            (line.get_color(), str(line._unscaled_dash_pattern), line.get_marker()) for line in ax.get_lines()
        }

    assert len(looks(plots.curves({str(i): [1, i] for i in range(20)}, xlabel="x", ylabel="y"))) == 20
    ax = plots.bars(["a"], {str(i): [1] for i in range(9)}, xlabel="x", ylabel="y")
    assert ax.patches[0].get_facecolor() == ax.patches[8].get_facecolor()
    assert ax.patches[0].get_hatch() != ax.patches[8].get_hatch()
    ax = plots.histogram({str(i): [1, i] for i in range(9)}, xlabel="x")
    assert ax.patches[0].get_linestyle() != ax.patches[8].get_linestyle()


def test_the_palette_is_told_apart_by_the_colour_blind():
    # Okabe and Ito's hexadecimal values.
    assert set(plots.COLOURS) == {
        "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    }  # fmt: skip


def test_images_of_any_layout_and_library():
    import torch

    for picture in (GREY[0], GREY[0][None], COLOUR[0], COLOUR[0].transpose(1, 2, 0), torch.tensor(COLOUR[0])):
        drawn = plots.image(picture).images[0].get_array()
        assert drawn.shape[:2] == (12, 16)
    for images in (
        GREY,
        GREY[:, None],
        COLOUR,
        COLOUR.transpose(0, 2, 3, 1),
        list(COLOUR),
        torch.tensor(COLOUR),
    ):
        assert plots.image_grid(images, columns=2).shape == (3, 2)
    mixed = [GREY[0], COLOUR[0], torch.zeros(3, 40, 10, dtype=torch.uint8), np.zeros((7, 7), bool)]
    assert plots.image_grid(mixed).shape == (1, 4)
    shown = plots.image(torch.tensor(COLOUR[0])).images[0].get_array()
    assert np.allclose(shown, COLOUR[0].transpose(1, 2, 0), atol=1e-6)


def test_grey_pictures_share_their_scale():
    for high, scale in ((0.5, (0.0, 1.0)), (9.0, (0.0, 9.0))):
        axes = plots.image_grid(np.stack([np.zeros((4, 4)), np.full((4, 4), high)]))
        assert {ax.images[0].get_clim() for ax in axes.flat} == {scale}
    axes = plots.feature_maps(np.stack([np.zeros((4, 4)), np.full((4, 4), 9.0)]), shared=True)
    assert {ax.images[0].get_clim() for ax in axes.flat} == {(0.0, 9.0)}


def test_whole_numbers_and_floats_have_a_scale_each():
    pictures = [GREY[0], GREY[1] / 255, GREY[0].astype(int) * 2 % 256, np.full((4, 4), 0.5)]
    clims = [ax.images[0].get_clim() for ax in plots.image_grid(pictures).flat]
    assert clims == [(0, 255), (0, 1), (0, 255), (0, 1)]
    clims = [ax.images[0].get_clim() for ax in plots.image_grid(pictures, value_range=(0, 2)).flat]
    assert set(clims) == {(0, 2)}


@pytest.mark.parametrize(
    ("picture", "scale"),
    [
        (np.array([[0, 40]]), (0, 255)),
        (np.array([[0, 15]]), (0, 15)),
        (np.array([[0, 0.4]]), (0, 1)),
        (np.array([[0.5, -3]]), (-3, 0.5)),
        (np.array([[0.5, np.nan, -3, np.inf]]), (-3, 0.5)),
        (np.full((2, 2), np.nan), (0, 1)),
    ],
)
def test_the_scale_of_grey_values(picture, scale):
    assert plots.image(picture).images[0].get_clim() == scale


def test_what_is_not_finite_leaves_the_rest_to_be_seen():
    maps = np.stack([[[0, 1]], [[np.nan, 3]], [[-np.inf, 2]]])
    axes = plots.feature_maps(maps, shared=True)
    assert {ax.images[0].get_clim() for ax in axes.flat} == {(0, 3)}
    assert [t.get_color() for t in plots.annotated_matrix([[np.nan, 0, 1]]).texts] == [
        "black",
        "white",
        "black",
    ]


def test_equal_channels_look_equal_under_a_shared_scale():
    axes = plots.feature_maps(np.full((3, 2, 2), 5), shared=True)
    assert {ax.images[0].get_clim() for ax in axes.flat} == {(5, 6)}


@pytest.mark.parametrize(
    ("values", "fmt", "texts"),
    [
        ([[1, 2], [3, 4]], None, {(0, 0): "1", (1, 0): "2", (0, 1): "3", (1, 1): "4"}),
        ([[-0.005, -0.0625]], ".4g", {(0, 0): "-0.005", (1, 0): "-0.0625"}),
        ([[-0.0, -0.001]], ".2f", {(0, 0): "0.00", (1, 0): "0.00"}),
        ([[-0.001, -0.01]], ".0%", {(0, 0): "0%", (1, 0): "-1%"}),
        ([[-0.0, -0.04]], ".1f", {(0, 0): "0.0", (1, 0): "0.0"}),
    ],
)
def test_numbers_stand_in_their_cells(values, fmt, texts):
    ax = plots.annotated_matrix(values, fmt=fmt)
    assert {t.get_position(): t.get_text() for t in ax.texts} == texts


def place(patch):
    return (*patch.get_xy(), patch.get_width(), patch.get_height())


def test_frames_boxes_and_heat_lie_where_they_belong():
    ax = plots.annotated_matrix(np.eye(4), highlight=(0, 1, 1, 2))
    assert place(ax.patches[0]) == (0.5, -0.5, 2, 1)
    ax = plots.boxes(COLOUR[0], [[1, 2, 5, 9]])
    assert place(ax.patches[0]) == (0.5, 1.5, 4, 7)
    picture, heat = plots.overlay(COLOUR[0], [[0, 1]]).images
    assert heat.get_extent() == picture.get_extent() == [-0.5, 15.5, 11.5, -0.5]


def test_a_score_is_read_on_the_colour_of_its_class():
    ax = plots.boxes(COLOUR[0], [[1, 5, 5, 6]] * 8, range(8), scores=[0.5] * 8)
    assert "".join(t.get_color()[0] for t in ax.texts) == "wwwbbbwb"
    assert not len(plots.boxes(COLOUR[0], []).patches)


@pytest.mark.parametrize("box", [[0, 0, 9, 9], [14, 3, 20, 9], [-5, -5, 3, 3], [14, 0, 16, 4]])
def test_a_score_stands_in_the_picture(box):
    ax = plots.boxes(COLOUR[0], [box], scores=[0.5])
    ax.figure.canvas.draw()
    text, inside = ax.texts[0].get_window_extent(), ax.get_window_extent()
    assert inside.x0 <= text.x0 and text.x1 <= inside.x1 and inside.y0 <= text.y0 and text.y1 <= inside.y1


@pytest.mark.parametrize("counts", [[[3, 1], [0, 4]], [[0.3, 0.1], [0, 0.4]]])
def test_a_cell_of_a_confusion_matrix_has_its_count_and_share_of_the_row(counts):
    ax = plots.confusion(counts, ["cat", "dog"])
    texts = {t.get_position(): t.get_text() for t in ax.texts}
    assert texts == {
        (j, i): f"{counts[i][j]:g}\n{share}"
        for i, row in enumerate([["75%", "25%"], ["0%", "100%"]])
        for j, share in enumerate(row)
    }
    assert ax.images[0].get_array().tolist() == pytest.approx(np.array([[0.75, 0.25], [0, 1]]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert not plots.confusion(np.zeros((2, 2)), "ab").images[0].get_array().any()


@pytest.mark.parametrize(
    "classes",
    [["functional", "defective"], ["a functional solar cell", "a defective solar cell"], ["a long name"] * 4],
)
def test_the_names_under_a_confusion_matrix_stand_apart(classes):
    ax = plots.confusion(np.eye(len(classes)), classes)
    ax.figure.canvas.draw()
    names = ax.get_xticklabels()
    turned = names[0].get_rotation() == 45
    assert turned == (classes[0] != "functional")
    assert turned or names[0].get_window_extent().x1 < names[1].get_window_extent().x0


@pytest.mark.parametrize("labels", [["a long label 0", "b"], ["a long label 0", "b", "c"], ["a\nb", "c"]])
def test_the_legend_of_grouped_bars_covers_no_label(labels):
    values = {"p": range(len(labels)), "q": range(len(labels))}
    ax = plots.bars(labels, values, xlabel="x", ylabel="y", horizontal="\n" not in labels[0])
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0
    assert ax.alt_text.endswith(", each for p and q.")


def test_lying_bars_have_the_labels_on_the_left_and_their_errors():
    values, errors = [1, 2], [[0.1, 0.2], [0.3, 0.4]]
    ax = plots.bars(["a", "b"], values, errors, xlabel="model", ylabel="accuracy", horizontal=True)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("accuracy", "model")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"] and ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == values
    segments = np.array(ax.collections[0].get_segments())
    assert segments[:, :, 0] == pytest.approx(np.array([[0.9, 1.3], [1.8, 2.4]]))


def test_upright_bars_in_groups_stand_side_by_side_with_their_errors():
    groups, errors = {"p": [1, 2], "q": [3, 4]}, {"q": [0.5, 0.25]}
    ax = plots.bars(["a", "b"], groups, errors, xlabel="model", ylabel="accuracy")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("model", "accuracy")
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 3, 4]
    assert [bar.get_x() for bar in ax.patches] == pytest.approx([-0.4, 0.6, 0, 1])
    assert np.array(ax.collections[0].get_segments())[:, :, 1].tolist() == [[2.5, 3.5], [3.75, 4.25]]


def test_reliability_bars_and_dots():
    top, bottom = plots.reliability([[0.2, 0.8], [0.3, 0.7], [0.6, 0.4], [0.1, 0.9]], [1, 0, 0, 1], bins=4)
    assert [bar.get_height() for bar in top.patches] == pytest.approx([0.5, 1])
    dots = top.get_lines()[1]
    assert dots.get_xdata() == pytest.approx([0.65, 0.85]) and dots.get_ydata() == pytest.approx([0.5, 1])
    assert [bar.get_height() for bar in bottom.patches] == [0, 0, 0.5, 0.5]
    assert "accuracy against confidence" in top.alt_text


@pytest.mark.parametrize(
    ("x", "shown"),
    [([0.7, 4.3], ["1", "2"]), ([0.02, 0.3], ["0.02", "0.05", "0.1", "0.2"]), ([1, 30], ["1", "2", "5", "10", "20"])],
)  # fmt: skip
def test_a_short_log_axis_has_plain_numbers(x, shown):
    ax = plots.curves({"": (x, [1, 2])}, xlabel="ms", ylabel="share", logx=True)
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    labels = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    assert [label.get_text() for at, label in labels if low <= at <= high] == shown
    assert not any(label.get_text() for label in ax.get_xticklabels(minor=True))


def test_curves_have_the_scales_and_the_band_that_were_asked_for():
    series, bands = {"a": ([1, 10], [3, 2])}, {"a": ([2, 1], [5, 4])}
    ax = plots.curves(series, bands=bands, xlabel="x", ylabel="y", logy=True)
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    (path,) = ax.collections[0].get_paths()
    assert {tuple(point) for point in path.vertices} == {(1, 2), (1, 5), (10, 1), (10, 4)}
    assert plots.curves(series, xlabel="x", ylabel="y", logx=True).get_xscale() == "log"


def test_histograms_over_each_other_share_their_edges():
    ax = plots.histogram({"a": [0, 1], "b": [2, 3]}, bins=3, xlabel="x")
    assert {x for patch in ax.patches for x in patch.get_xy()[:, 0]} == {0, 1, 2, 3}
    assert [set(patch.get_xy()[:, 0]) for patch in ax.patches] == [{0, 1, 2, 3}] * 2


def test_a_histogram_says_how_many_values_it_leaves_out():
    ax = plots.histogram([1, np.nan, 2, -np.inf], xlabel="loss", bins=2)
    assert ax.get_xlabel() == "loss (2 of 4 not finite)"
    assert plots.histogram([1, 2], xlabel="loss").get_xlabel() == "loss"


def test_most_wrong_starts_with_the_worst():
    axes = plots.most_wrong(GREY, TARGETS, SCORES, ["cat", "dog"], n=2)
    assert [ax.get_title() for ax in axes.flat] == ["dog\n→ cat 0.95", "dog\n→ cat 0.70"]
    assert np.array_equal(axes[0, 0].images[0].get_array(), GREY[4])
    assert "the least probability, worst first" in axes[0, 0].alt_text


def test_a_colour_kernel_is_drawn_with_the_layout_that_was_named():
    kernel = RNG.random((3, 3, 3))
    first, last = (plots.image(kernel, layout=layout).images[0].get_array() for layout in ("CHW", "HWC"))
    assert np.allclose(first, kernel.transpose(1, 2, 0))
    assert np.allclose(last, kernel)


def test_a_plot_draws_into_given_axes():
    left, right = plots.panels(1, 2)[0]
    assert plots.curves({"a": [1, 2]}, xlabel="x", ylabel="y", ax=left) is left
    assert plots.annotated_matrix(np.eye(2), ax=right) is right
    assert len(left.figure.axes) == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.image(np.zeros((2, 2, 2, 2))), r"\(2, 2, 2, 2\)"),
        (lambda: plots.image(np.zeros((5, 8, 8))), r"\(5, 8, 8\)"),
        (lambda: plots.image(np.zeros((0, 8))), "not empty"),
        (
            lambda: plots.image_grid(np.zeros((4, 3, 3, 3))),
            r"images\[0\] has shape \(3, 3, 3\).*layout='CHW'",
        ),
        (lambda: plots.image(np.zeros((3, 8, 8)), layout="NCHW"), "'NCHW'.*'HWC'"),
        (lambda: plots.image_grid(np.zeros((8, 8))), r"\(N, H, W\)"),
        (lambda: plots.image_grid([]), "nothing to draw"),
        (lambda: plots.image_grid(GREY, ["one"]), "1 titles for 5 pictures"),
        (lambda: plots.image_grid(["a.png"]), "not numbers"),
        (lambda: plots.image_grid(GREY, columns=0), "columns is 0"),
        (lambda: plots.feature_maps(COLOUR[0], columns=-1), "columns is -1"),
        (lambda: plots.boxes(GREY[0], np.ones((4, 5))), r"\(4, 5\).*\(n, 4\)"),
        (lambda: plots.boxes(GREY[0], [1, 1, 5, 6]), r"\(4,\).*\(n, 4\)"),
        (lambda: plots.boxes(GREY[0], [[1, 1, 5, 6]], [0, 1]), "2 labels for 1 boxes"),
        (lambda: plots.boxes(GREY[0], [[1, 1, 5, 6]], scores=[]), "0 scores for 1 boxes"),
        (lambda: plots.boxes(GREY[0], [[1, 1, 5, 6]], [2], ["a", "b"]), "labels holds 2. Valid: 0 to 1"),
        (lambda: plots.boxes(GREY[0], [[1, 1, 5, 6]], [-1]), "labels holds -1. Valid: from 0"),
        (lambda: plots.feature_maps(np.zeros((2, 3, 8, 8))), r"\(C, H, W\)"),
        (lambda: plots.overlay(GREY[0], np.zeros((1, 2, 2))), r"\(h, w\)"),
        (lambda: plots.annotated_matrix(np.zeros((64, 64))), "400 cells"),
        (
            lambda: plots.curves({"a": ([1, 2], [1, 2, 3])}, xlabel="x", ylabel="y"),
            r"\(2,\) and y of shape \(3,\)",
        ),
        (lambda: plots.curves({}, xlabel="x", ylabel="y"), "empty"),
        (lambda: plots.curves({"a": [0, -1]}, xlabel="x", ylabel="y", logy=True), "no positive value"),
        (lambda: plots.bars(["a"], [1, 2], xlabel="x", ylabel="y"), "1 labels"),
        (lambda: plots.bars(["a"], {}, xlabel="x", ylabel="y"), "values is empty"),
        (lambda: plots.bars(["a"], [1], [1, 2], xlabel="x", ylabel="y"), "errors has shape"),
        (lambda: plots.histogram([], xlabel="x"), "empty"),
        (
            lambda: plots.histogram({"a": [np.nan], "b": [np.inf]}, xlabel="x"),
            "none of the 2 values is finite",
        ),
        (lambda: plots.confusion(np.zeros((2, 3)), ["a", "b"]), r"\(2, 3\) for 2 classes"),
        (lambda: plots.reliability([[2.0, -1.0]], [0]), "softmax"),
        (lambda: plots.most_wrong(GREY, TARGETS, SCORES, ["a"]), "1 classes"),
        (lambda: plots.most_wrong(GREY, TARGETS, SCORES, ["a", "b"], n=0), "n is 0"),
        (lambda: plots.show(None), "show\\(\\) got None"),
    ],
)
def test_wrong_use_is_told(call, words):
    with pytest.raises(CourseError, match=words):
        call()


def test_pictures_are_reproducible_and_lean():
    first, second = png(PLOTS["curves"]()), png(PLOTS["curves"]())
    assert first == second
    picture = Image.open(io.BytesIO(first))
    assert not {"Software", "Creation Time", "date"} & set(picture.info)
    assert len(first) < 15_000


def test_photographs_keep_their_colours():
    smooth = np.linspace(0, 1, 200)[None, :, None] * np.ones((200, 1, 3)) * np.array([1, 0.5, 0.2])
    smooth[:, :, 2] = np.linspace(0, 1, 200)[:, None]
    axes = plots.image(smooth)
    buffer = io.BytesIO()
    axes.figure.savefig(buffer, format="png", dpi=100)
    before = np.asarray(Image.open(buffer).convert("RGB"), int)
    after = np.asarray(Image.open(io.BytesIO(png(axes))).convert("RGB"), int)
    assert np.abs(before - after).max() <= 32 and np.abs(before - after).mean() < 1.5


CELL = """
import matplotlib.pyplot as plt
from course_utils import plots
figure, ax = plt.subplots()
plots.curves({"a": [1, 2, 3]}, xlabel="x", ylabel="y", ax=ax)
plots.show(ax, alt="A rising line.")
"""
SECOND = """
from course_utils import plots
plots.show(plots.image_grid([[[0, 1], [1, 0]]], titles=["board"]))
"""


def test_in_a_real_kernel_show_gives_one_picture_with_alt_text():
    import nbformat
    from nbclient import NotebookClient

    check = "import types, sys\nfrom course_utils.exercises import bank, check\n"
    check += "m = types.ModuleType('course_utils.exercises.lesson_77')\nsys.modules[m.__name__] = m\n"
    check += "m.EXERCISES = [bank.Exercise('77.1', 't', reference=3)]\ncheck('77.1', 3)"
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (CELL, SECOND, check)]
    )
    NotebookClient(nb, timeout=120, kernel_name="python3").execute()
    first, second, third = (cell.outputs for cell in nb.cells)
    assert len(first) == len(second) == len(third) == 1
    assert (
        first[0].output_type == "display_data" and first[0].metadata["image/png"]["alt"] == "A rising line."
    )
    assert base64.b64decode(first[0].data["image/png"]).startswith(b"\x89PNG")
    assert second[0].metadata["image/png"]["alt"] == "1 pictures in a grid: board."
    assert third[0].data["application/vnd.cnn-course.check+json"]["status"] == "passed"


def test_outside_ipython_show_displays_nothing_and_closes(capsys):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    plots.show(plots.curves({"a": [1]}, xlabel="x", ylabel="y", ax=ax))
    assert not plt.fignum_exists(figure.number)
    assert capsys.readouterr().out == ""


def test_importing_plots_is_light():
    code = "import sys; import course_utils.plots; print(*{'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == ""
