"""Each disease of the clinic stays ill in the way that lesson 19 says, and each repair brings recovery."""

import copy
import difflib
import math
from functools import cache

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import clinic
from course_utils.clinic.scripts import FAULTS, TREATMENTS
from course_utils.errors import CourseError
from course_utils.exercises import bank
from course_utils.exercises.checker import judge
from course_utils.paths import NOTEBOOKS

CASES = list(clinic.DISEASES)
SEEDS = (0, 1, 2)


@cache
def visited(case: str, seed: int, cured: bool = False):
    ward, exam = clinic.digits()
    data = clinic.admit(case, ward, seed)
    script = clinic.function(clinic.cured(case) if cured else clinic.sick(case))
    chart = clinic.train(script, data, seed)
    return chart, clinic.signs(chart, data, exam), clinic.Recovery(case, chart, data, exam)


@cache
def healthy_signs(seed: int):
    ward, exam = clinic.digits()
    return clinic.signs(clinic.train(clinic.function(clinic.HEALTHY), ward, seed), ward, exam)


def test_every_case_has_all_that_it_needs():
    assert CASES == list(FAULTS) == list(TREATMENTS) == list(clinic.GOALS)
    assert sorted(clinic.DISEASES.values()) == sorted(clinic.RULES)
    assert all(sign in clinic.SIGNS for rule in clinic.RULES.values() for sign in rule)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES)
def test_the_chart_shows_this_disease_and_no_other(case, seed):
    found = visited(case, seed)[1]
    assert [d for d in clinic.RULES if clinic.fits(d, found)] == [clinic.DISEASES[case]], found
    assert not visited(case, seed)[2].well


@pytest.mark.parametrize("seed", SEEDS)
def test_the_healthy_run_shows_no_disease(seed):
    found = healthy_signs(seed)
    assert [d for d in clinic.RULES if clinic.fits(d, found)] == []
    assert found["in_use"] > 0.95 and set(found) == set(clinic.SIGNS)
    assert found["first_loss"] == pytest.approx(1, abs=0.1) and 0.01 < found["first_update"] < 0.2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES)
def test_the_treatment_brings_recovery(case, seed):
    recovery = visited(case, seed, cured=True)[2]
    assert recovery.well, recovery.report


@pytest.mark.parametrize("seed", SEEDS)
class TestTheSymptomsThatTheTextNames:
    def test_too_high_a_rate_starts_at_log_c_and_moves_a_layer_by_half_its_size(self, seed):
        chart, found, _ = visited("A", seed)
        assert chart.losses[0] == pytest.approx(math.log(10), rel=0.2) and found["first_update"] > 0.4
        assert found["dead"] < 0.3 and found["in_use"] < 0.2

    def test_shuffled_labels_lower_the_training_loss_alone(self, seed):
        chart, found, _ = visited("B", seed)
        assert found["last_loss"] < chart.losses[0] - 0.2 and chart.valid_losses[-1] > math.log(10)
        assert found["in_use"] < 0.25 and found["input_shift"] < 0.2

    def test_softmax_twice_has_a_floor_and_right_answers(self, seed):
        chart, found, _ = visited("C", seed)
        assert min(chart.losses) >= math.log(math.e + 9) - 1 - 1e-6
        assert found["in_use"] > 0.9 and found["still_layers"] == 0

    def test_dead_relus_give_no_gradient_from_the_first_step_on(self, seed):
        chart, found, _ = visited("D", seed)
        assert max(map(max, chart.gradients)) == 0 and found["dead"] > 0.6
        assert chart.losses[0] == pytest.approx(math.log(10), rel=0.02)

    def test_leakage_reports_more_than_it_keeps(self, seed):
        _, found, _ = visited("E", seed)
        assert found["valid_accuracy"] > found["in_use"] + 0.02 and found["twins"] > 0.8

    def test_a_mismatch_fails_on_the_training_pictures_too(self, seed):
        _, found, _ = visited("F", seed)
        assert found["train_accuracy"] > 0.99 and found["known_accuracy"] < 0.6 and found["input_shift"] > 0.5

    def test_forgotten_gradients_are_parallel_and_grow(self, seed):
        chart, found, _ = visited("G", seed)
        assert found["cosine"] > 0.9 > 0.5 > healthy_signs(seed)["cosine"]
        assert sum(chart.gradients[9]) > 2 * sum(chart.gradients[0])

    def test_false_augmentation_keeps_training_and_use_below_the_healthy_run(self, seed):
        _, found, _ = visited("H", seed)
        assert found["altered"] > 0.7 and healthy_signs(seed)["altered"] < 0.02
        assert found["train_accuracy"] < 0.95 and 0.4 < found["in_use"] < healthy_signs(seed)["in_use"] - 0.1

    def test_frozen_layers_get_gradients_and_do_not_move(self, seed):
        chart, found, _ = visited("I", seed)
        assert chart.gradients[-1][0] > 0 and max(update[0] for update in chart.updates) == 0
        assert found["still_layers"] == 3 and 0.3 < found["in_use"] < 0.93

    def test_training_mode_makes_an_answer_depend_on_its_company(self, seed):
        _, found, _ = visited("J", seed)
        assert found["valid_accuracy"] > 0.95 and found["in_use"] < 0.6 and found["company"] > 0.3

    def test_exploding_gradients_show_before_any_step(self, seed):
        chart, found, _ = visited("K", seed)
        assert (
            chart.losses[0] > 10 * math.log(10) and found["last_loss"] > 2.29
        )  # infinite, or all ReLUs dead
        assert found["in_use"] < 0.2

    def test_imbalance_costs_the_rare_classes_alone(self, seed):
        chart, found, _ = visited("L", seed)
        by_class = clinic.recalls(chart, clinic.digits()[1])
        assert found["valid_accuracy"] > 0.9 and found["worst_class"] == min(by_class[-2:]) < 0.5
        assert min(by_class[:-2]) > 0.85


def recovery_of_l(*changes, given=None):
    ward, exam = clinic.digits()
    given = given or clinic.admit("L", ward)
    script = clinic.function(clinic.edit(clinic.sick("L"), *changes))
    return clinic.Recovery("L", clinic.train(script, given), given, exam)


NO_DECAY = (", weight_decay=0.03", "")


@pytest.mark.parametrize("change", [("lr=0.01", "lr=0.03"), ("lr=0.01", "lr=0.1"), NO_DECAY])
def test_neither_the_rate_nor_the_decay_alone_loses_the_rare_classes(change):
    recovery = recovery_of_l(change)
    assert not recovery.well and recovery.signs["worst_class"] < 0.3


def test_case_l_is_well_on_balanced_classes_and_at_a_high_rate_without_decay():
    assert recovery_of_l(given=clinic.digits()[0]).well
    assert recovery_of_l(("lr=0.01", "lr=0.1"), NO_DECAY).well


@pytest.mark.parametrize("case", CASES)
def test_a_sick_script_is_the_healthy_one_with_few_lines_changed(case):
    sick = clinic.sick(case).splitlines()
    changes = [line for line in difflib.ndiff(clinic.HEALTHY.splitlines(), sick) if line[0] in "+-"]
    assert len(changes) <= 11 and len(sick) <= 21, changes


def test_an_edit_that_finds_nothing_says_so():
    with pytest.raises(CourseError, match="does not stand in the script"):
        clinic.edit(clinic.HEALTHY, ("lr=7", "lr=1"))
    with pytest.raises(CourseError, match="case"):
        clinic.sick("Z")


def test_the_chart_notes_what_the_optimizer_does():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    chart, optimizer = clinic.Chart(model), torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(6, 1, 4, 4), torch.arange(6) % 2
    for _ in range(2):
        before = [model[0].weight.detach().clone(), model[3].weight.detach().clone()]
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        chart.step(loss, y)
        grads = [model[0].weight.grad.clone(), model[3].weight.grad.clone()]
        if len(chart.losses) == 1:
            first = before, grads
        optimizer.step()
    (w, _), (g, _) = first
    assert chart.names() == ["conv 1", "linear 2"]
    assert chart.gradients[0] == pytest.approx([float(g.norm()) for g in first[1]])
    assert chart.updates[0][0] == pytest.approx(0.1 * float(g.norm() / w.norm()), rel=1e-4)
    both = [torch.cat([t.flatten() for t in pair]) for pair in (first[1], grads)]
    assert chart.cosines == pytest.approx([float(F.cosine_similarity(*both, dim=0))])


def test_a_closed_chart_leaves_no_hook():
    model = clinic.small_net()
    clinic.Chart(model).close(model)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_dead_channels_are_counted_on_a_known_case():
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    nn.init.ones_(model[0].weight)
    model[0].bias.data = torch.tensor([1.0, -9.0, -9.0, -9.0])
    chart, y = clinic.Chart(model), torch.tensor([0, 1])
    loss = F.cross_entropy(model(torch.ones(2, 1, 1, 1)), y)
    loss.backward()
    chart.step(loss, y)
    assert chart.dead == [0.75]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("            chart.step(loss, yb)\n", ""), "saw 0: call chart.step"),
        (("batches(x, y)", "batches(x, y, 2000)"), "saw 0: .* no larger a size"),
        (("chart.epoch(model((x_valid - mean) / std), y_valid)", "pass"), "no validation: call chart.epoch"),
        (("with torch.no_grad()", "if True"), "under torch.no_grad"),
    ],
)
def test_a_chart_that_lacks_something_names_the_line(change, says):
    ward, exam = clinic.digits()
    script = clinic.edit(clinic.HEALTHY, ("range(12)", "range(1)"), change)
    chart = clinic.train(clinic.function(script), ward)
    with pytest.raises(CourseError, match=says):
        clinic.Recovery("A", chart, ward, exam)


def test_a_report_shows_on_which_side_of_the_limit_it_lies():
    recovery = copy.copy(visited("A", 0)[2])
    recovery.signs = recovery.signs | {"in_use": 0.8996}
    assert recovery.report == "The run is still ill: in_use 0.8996; recovered means at least 0.9."


def test_admission_thins_out_what_the_case_asks_for():
    ward, _ = clinic.digits()
    counts = torch.bincount(clinic.admit("L", ward, 1).targets)
    assert counts[-2:].max() < 0.3 * counts[:-2].min() and torch.equal(
        counts[:-2], torch.bincount(ward.targets)[:-2]
    )
    assert len(clinic.admit("E", ward)) == 150 and clinic.admit("A", ward) is ward


def lesson_cells():
    return nbformat.read(NOTEBOOKS / "19_training_clinic.ipynb", as_version=4).cells


def test_the_lesson_shows_the_scripts_of_the_package():
    code = [c.source for c in lesson_cells() if c.cell_type == "code"]
    assert clinic.HEALTHY.rstrip() in code
    for case in "ABCDEFGHIJKL":
        (cell,) = (c for c in code if f"def case_{case.lower()}(" in c)
        script, _, last = cell.partition("\n\n\n")
        lines = script.splitlines()
        assert lines[1].lstrip().startswith("return ...") and last.startswith("check(")
        assert "\n".join(lines[:1] + lines[2:]) == clinic.sick(case).rstrip()


def test_the_stub_of_a_repair_trains_nothing():
    exercise = bank.find("19.13")
    space = {}
    exec("def case_a(data):\n    return ...\n    undefined()", space)  # noqa: S102
    assert judge(exercise, space["case_a"]).status == "not attempted"


def test_a_diagnosis_off_the_list_gets_the_list():
    result = judge(bank.find("19.1"), "bad luck")
    assert result.status == "wrong" and "leakage" in result.message and "not on the list" in result.message


def test_a_repair_says_what_it_reached():
    exercise = bank.find("19.13")
    result = judge(exercise, clinic.function(clinic.edit(clinic.sick("A"), ("lr=2.0", "lr=0.02"))))
    assert result.status == "passed" and "The run recovered: in_use" in result.printed
    result = judge(exercise, clinic.function(clinic.edit(clinic.sick("A"), ("lr=2.0", "lr=1.5"))))
    assert result.status == "wrong" and "still ill" in result.printed
    result = judge(exercise, lambda data: 3)
    assert result.status == "wrong" and "a run that recovered" in result.message


def small_chart(scale):
    """Six steps and two epochs of a net of two layers; its loss is multiplied by ``scale``."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    chart, optimizer = clinic.Chart(model), torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(8, 1, 4, 4), torch.arange(8) % 3
    for step in range(6):
        loss = scale * F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        chart.step(loss, y)
        optimizer.step()
        if step % 3 == 2:
            with torch.no_grad():
                chart.epoch(model(x), y)
    return chart.close(model)


def test_the_figure_shows_what_the_chart_holds():
    chart = small_chart(1)
    axes = clinic.draw(chart, [0.5, 1.0, 0.25])
    chance, training, validation = axes[0, 0].lines
    assert chance.get_ydata() == [math.log(3)] * 2 and training.get_ydata().tolist() == chart.losses
    assert validation.get_xydata().tolist() == [[3, chart.valid_losses[0]], [6, chart.valid_losses[1]]]
    for ax, measured in zip(axes[0, 1:], (chart.gradients, chart.updates), strict=True):
        columns = [list(column) for column in zip(*measured, strict=True)]
        assert [line.get_ydata().tolist() for line in ax.lines] == columns
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["conv 1", "linear 2"]
    assert [text.get_text() for text in axes[1, 0].texts] == ["0", "1", "2", "0", "1", "2", "0", "1"]
    assert [bar.get_height() for bar in axes[1, 2].patches] == [0.5, 1.0, 0.25]


@pytest.mark.parametrize(("scale", "word", "ticks"), [(0, "0", [0]), (math.nan, "not finite", [])])
def test_a_layer_without_a_positive_number_says_why(scale, word, ticks):
    ax = clinic.draw(small_chart(scale), [0.5, 1.0, 0.25])[0, 1]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [f"conv 1: {word}", f"linear 2: {word}"] and ax.get_yticks().tolist() == ticks


def test_dead_channels_are_counted_behind_a_linear_layer():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.ones_(model[1].weight)
    model[1].bias.data = torch.tensor([1.0, -9.0, -9.0, -9.0])
    chart, y = clinic.Chart(model), torch.tensor([0, 1])
    loss = F.cross_entropy(model(torch.ones(2, 1, 2, 2)), y)
    chart.step(loss, y)
    assert chart.dead == [0.75]
