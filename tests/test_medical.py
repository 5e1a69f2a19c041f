"""DICOM, patients and numbers of lesson 17: against pydicom, scikit-learn and cases whose answer is known."""

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from sklearn.metrics import roc_auc_score

from course_utils.errors import CourseError, DataError
from course_utils.medical import (
    agreement,
    auroc,
    deidentify,
    group_interval,
    predictive_values,
    read_cohort,
    read_slice,
    sensitivity_specificity,
    threshold_for_specificity,
    window,
)

KEY = b"sixteen bytes or more"
CT = get_testdata_file("CT_small.dcm")
NAMED = get_testdata_file("examples_overlay.dcm")


def test_auroc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        targets = rng.integers(0, 2, 60)
        scores = rng.integers(0, 8, 60) / 8 + 0.2 * targets
        assert auroc(targets, scores) == pytest.approx(roc_auc_score(targets, scores), abs=1e-12)


def test_numbers_refuse_what_they_cannot_judge():
    with pytest.raises(CourseError, match=r"got 3 positives and 0 negatives"):
        auroc([1, 1, 1], [0.1, 0.2, 0.3])
    with pytest.raises(CourseError, match=r"targets hold \[0, 1, 2\]"):
        auroc([0, 1, 2], [0.1, 0.2, 0.3])
    with pytest.raises(CourseError, match=r"shape \(2,\) and scores \(3,\)"):
        auroc([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(CourseError, match=r"specificity is 95\. Valid"):
        threshold_for_specificity([0, 1], [0.1, 0.2], 95)
    with pytest.raises(CourseError, match=r"no negative case"):
        threshold_for_specificity([1, 1], [0.1, 0.2], 0.9)
    with pytest.raises(CourseError, match=r"decisions hold \[0\.1, 0\.2, 0\.9\].*scores >= threshold"):
        sensitivity_specificity([1, 0, 0], [0.9, 0.1, 0.2])
    for judge in (auroc, sensitivity_specificity, lambda y, x: threshold_for_specificity(y, x, 0.9)):
        with pytest.raises(CourseError, match=r"hold NaN"):
            judge([1, 0], [1, np.nan])
    with pytest.raises(CourseError, match=r"confidence is 95"):
        group_interval(["a", "b"], lambda rows: 1.0, confidence=95)
    with pytest.raises(CourseError, match=r"n_resamples is 0"):
        group_interval(["a", "b"], lambda rows: 1.0, n_resamples=0)
    with pytest.raises(CourseError, match=r"prevalence is 3"):
        predictive_values(0.9, 0.9, 3)
    with pytest.raises(CourseError, match=r"got 1 group"):
        group_interval(["a", "a"], lambda rows: 1.0)
    with pytest.raises(CourseError, match=r"no draw"):
        group_interval(["a", "b"], lambda rows: auroc([1, 1], [1, 1]))
    assert np.isnan(group_interval(["a", "b"], lambda rows: np.nan)).all()
    with pytest.raises(CourseError, match=r"N at least 2"):
        agreement([1], [1])


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95, 1.0])
def test_a_threshold_keeps_its_promise_where_it_was_chosen(wanted):
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(size=300) + targets, 1)  # with ties
    limit = threshold_for_specificity(targets, scores, wanted)
    assert sensitivity_specificity(targets, scores >= limit)[1] >= wanted
    below = scores[(targets == 0) & (scores < limit)].max()
    assert sensitivity_specificity(targets, scores >= below)[1] < wanted or wanted == 0.5


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int64])
@pytest.mark.parametrize("wanted", [1e-12, 0.9, 1.0])
def test_a_threshold_keeps_its_promise_in_every_dtype(kind, wanted):
    rng = np.random.default_rng(4)
    for _ in range(20):
        targets, scores = rng.integers(0, 2, 100), (100 * rng.random(100)).astype(kind)
        limit = threshold_for_specificity(targets, scores, wanted)
        reached = sensitivity_specificity(targets, scores >= limit)[1]
        assert wanted <= reached < wanted + 0.2


def test_predictive_values_are_those_of_a_counted_crowd():
    ppv, npv = predictive_values(0.8, 0.9, 0.1)  # of 1,000: 80 found, 20 missed, 90 false alarms, 810 cleared
    assert ppv == pytest.approx(80 / 170) and npv == pytest.approx(810 / 830)


def test_intervals_over_patients_are_wider_than_over_pictures():
    rng = np.random.default_rng(2)
    level = np.repeat(rng.normal(size=12), 20)
    values, patients = level + 0.1 * rng.normal(size=240), np.repeat(np.arange(12), 20)
    by_patient = group_interval(patients, lambda rows: values[rows].mean())
    by_picture = group_interval(np.arange(240), lambda rows: values[rows].mean())
    assert np.ptp(by_patient) > 3 * np.ptp(by_picture)


def test_the_interval_over_single_rows_has_the_width_of_the_standard_error():
    values = np.random.default_rng(5).normal(size=400)
    width = np.ptp(group_interval(np.arange(400), lambda rows: values[rows].mean()))
    assert width == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_agreement_finds_bias_and_spread():
    rng = np.random.default_rng(3)
    truth = rng.uniform(5, 30, 4000)
    bias, low, high = agreement(truth + 2 + rng.normal(size=4000), truth)
    assert bias == pytest.approx(2, abs=0.1) and high - low == pytest.approx(2 * 1.96, abs=0.2)


def test_window_is_the_standard_one():
    from pydicom.pixels import apply_modality_lut, apply_windowing

    ct = read_slice(CT)
    header = pydicom.dcmread(CT)
    assert np.array_equal(ct.values, apply_modality_lut(header.pixel_array, header))
    for level, width in ((40, 400), (-600, 1500), (300, 2)):
        header.WindowCenter, header.WindowWidth = level, width
        theirs = apply_windowing(ct.values.copy(), header)
        low, high = (
            -(2.0**15) - 1024,
            2.0**15 - 1 - 1024,
        )  # pydicom spreads the window over all that 16 bits can hold
        assert np.allclose(window(ct.values, level, width), (theirs - low) / (high - low), atol=1e-5)
    with pytest.raises(CourseError, match=r"width is 0"):
        window(ct.values, 40, 0)


def test_a_file_that_is_no_slice_is_told(tmp_path):
    (tmp_path / "no.dcm").write_text("hello")
    with pytest.raises(DataError, match=r"no\.dcm is not a DICOM file"):
        read_slice(tmp_path / "no.dcm")
    with pytest.raises(DataError, match=r"is not there"):
        read_slice(tmp_path / "gone.dcm")
    with pytest.raises(DataError, match=r"Valid: one grey slice"):
        read_slice(get_testdata_file("SC_rgb_rle_2frame.dcm"))


def changed_ct(folder, **attributes):
    header = pydicom.dcmread(CT)
    for word, value in attributes.items():
        setattr(header, word, value)
    header.save_as(folder / "changed.dcm")
    return folder / "changed.dcm"


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"RescaleSlope": None}, "RescaleSlope None and RescaleIntercept -1024"),
        ({"RescaleIntercept": ""}, "RescaleIntercept None"),
        ({"RescaleSlope": [1, 2]}, r"RescaleSlope \[1.0, 2.0\]"),
        ({"PixelSpacing": 0.5}, "PixelSpacing 0.5. Valid: .* two numbers"),
        ({"ModalityLUTSequence": [pydicom.Dataset()]}, "ModalityLUTSequence"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR. Valid: one grey slice"),
    ],
)
def test_stored_values_that_have_no_greys_are_told(tmp_path, attributes, words):
    with pytest.raises(DataError, match=words):
        read_slice(changed_ct(tmp_path, **attributes))


def test_a_palette_is_no_grey():
    with pytest.raises(DataError, match="PALETTE COLOR"):
        read_slice(get_testdata_file("examples_palette.dcm"))


def test_a_unit_is_that_of_the_header(tmp_path):
    assert read_slice(changed_ct(tmp_path, Modality="PT", Units="BQML")).unit == "BQML"
    assert read_slice(changed_ct(tmp_path, RescaleType="US")).unit == "US"
    header = pydicom.dcmread(CT)
    del header.RescaleSlope, header.RescaleIntercept
    header.save_as(tmp_path / "plain.dcm")
    assert read_slice(tmp_path / "plain.dcm").unit == "stored"


@pytest.mark.parametrize("file", [CT, NAMED, get_testdata_file("MR_small.dcm")])
def test_deidentified_files_name_nobody_and_keep_their_pixels(file, tmp_path):
    header = pydicom.dcmread(file)
    clean, changed = deidentify(header, KEY)
    clean.save_as(tmp_path / "clean.dcm")
    again = pydicom.dcmread(tmp_path / "clean.dcm")
    assert not any(element.tag.is_private for element in again.iterall())
    text = str(again)
    for word in ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID"):
        assert word in changed and str(header[word].value) not in text
    for word in ("InstitutionName", "StudyDate", "PatientSex", "PatientAge"):
        assert not again.get(word)
    assert again.PatientIdentityRemoved == "YES"
    assert np.array_equal(again.pixel_array, header.pixel_array)
    assert str(header.PatientName) != str(clean.PatientName), "the original is not changed"


@pytest.mark.parametrize("path", [CT, NAMED, get_testdata_file("MR_small.dcm")])
def test_no_identifier_name_or_date_is_left(path):
    header = pydicom.dcmread(path)
    header.AcquisitionDateTime, header.PatientBirthName, header.ConsultingPhysicianName = (
        "20040119072730",
        "Roe^Jane",
        "Smith^A",
    )
    inner = pydicom.Dataset()
    inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    inner.ScheduledProcedureStepStartDate = "20040118"
    header.SourceImageSequence = [inner]
    header.RequestingService, header.PregnancyStatus = "ward 4", 2
    header.RequestedProcedureID, header.ReasonForStudy = "order 77", "fell off a ladder"
    header.file_meta.PrivateInformationCreatorUID, header.file_meta.PrivateInformation = "1.2.3", b"Roe^Jane"
    header.IconImageSequence = [pydicom.Dataset()]
    header.add_new(0x60003000, "OW", b"\1\0")
    header.PatientBirthDateInAlternativeCalendar, header.PersonAddress = "Showa 12", "1 Elm Street"
    header.ReasonForTheRequestedProcedure, header.FrameComments = "knee of Jane", "Jane moved"
    header.EncryptedAttributesSequence = header.DigitalSignaturesSequence = [pydicom.Dataset()]
    header.add_new(0x00189999, "UN", b"Roe^Jane")
    header.file_meta.SourceApplicationEntityTitle = "WARD4"
    header.preamble = b"Roe^Jane".ljust(128, b"\0")
    clean, changed = deidentify(header, KEY)
    own = {
        str(e.value)
        for e in header.iterall()
        if e.VR == "UI" and not str(e.value).startswith("1.2.840.10008.")
    }
    dates = {str(e.value) for e in header.iterall() if e.VR in ("DA", "DT") and e.value}
    text = str(clean) + str(clean.file_meta)
    own.discard(str(header.file_meta.ImplementationClassUID))
    names = {"Roe^Jane", "Jane", "Smith^A", "ward 4", "WARD4", "order 77", "ladder", "Showa", "Elm"}
    for word in {*own, *dates, *names}:
        assert word not in text
    assert clean.preamble == bytes(128) and 0x00189999 not in clean and "(0018,9999)" in changed
    assert "EncryptedAttributesSequence" not in clean and "DigitalSignaturesSequence" not in clean
    assert "IconImageSequence" not in clean and 0x60003000 not in clean and not clean.PregnancyStatus
    assert clean.SourceImageSequence[0].ReferencedSOPInstanceUID == clean.SOPInstanceUID, (
        "links within a study hold"
    )
    assert clean.SOPClassUID == header.SOPClassUID == clean.SourceImageSequence[0].ReferencedSOPClassUID
    assert {"AcquisitionDateTime", "ReferencedSOPInstanceUID"} <= set(changed)


def test_pseudonyms_hold_together_and_depend_on_the_key():
    header = pydicom.dcmread(CT)
    first, second = (deidentify(header, KEY)[0] for _ in range(2))
    other = deidentify(header, b"another key of the clinic")[0]
    assert first.PatientID == second.PatientID != other.PatientID
    assert first.StudyInstanceUID == second.StudyInstanceUID != other.StudyInstanceUID
    for key, words in ((b"key", "the key has 3 bytes"), (KEY.decode(), "its type is str")):
        with pytest.raises(CourseError, match=words):
            deidentify(header, key)


def test_the_meta_header_is_cleaned_without_a_picture_number():
    header = pydicom.dcmread(CT)
    header.file_meta.SourceApplicationEntityTitle = "WARD4"
    del header.SOPInstanceUID
    meta = deidentify(header, KEY)[0].file_meta
    assert meta.MediaStorageSOPInstanceUID != header.file_meta.MediaStorageSOPInstanceUID
    assert "SourceApplicationEntityTitle" not in meta


def test_a_pseudonym_is_that_of_the_number_then_of_the_name():
    def pseudonym(number, name):
        header = pydicom.dcmread(CT)
        header.PatientID, header.PatientName = number, name
        return deidentify(header, KEY)[0].PatientID

    assert pseudonym("12", "DOE^JANE") == pseudonym("12 ", "Doe^Jane^^") == pseudonym("12", None)
    assert len({pseudonym(*who) for who in (("12", "3"), ("1", "23"), ("", "12"), (None, "3"))}) == 4
    with pytest.raises(CourseError, match=r"Set header\.PatientID"):
        pseudonym("", " ")


def write(folder, rows, header=("patient", "label", "path")):
    with open(folder / "patients.csv", "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def pictures(tmp_path):
    for i in range(4):
        Image.fromarray(np.full((20, 30, 3), 40 * i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "slice.dcm").write_bytes(open(CT, "rb").read())
    return tmp_path


def test_a_table_of_patients_with_png_and_dicom(pictures):
    write(
        pictures,
        [("A", "sick", "0.png"), ("A", "sick", "1.png"), ("B", "well", "2.png"), ("C", "well", "slice.dcm")],
    )
    cohort = read_cohort(pictures)
    assert cohort.problems == [] and cohort.classes == ("sick", "well")
    assert cohort.patients.tolist() == ["A", "A", "B", "C"] and cohort.targets.tolist() == [0, 0, 1, 1]
    data = cohort.in_memory(16)
    assert data.images.shape == (4, 3, 16, 16) and data.images[3].float().std() > 10
    assert data.extra["patient"].tolist() == ["A", "A", "B", "C"] and data.source == "own pictures"


def test_the_first_of_several_windows_is_used(pictures):
    (pictures / "slice.dcm").write_bytes(Path(NAMED).read_bytes())  # windows 450, 200 and 790, 443
    write(pictures, [("A", "sick", "slice.dcm"), ("B", "well", "1.png")])
    drawn = read_cohort(pictures).in_memory(484).images[0, 0]
    values = read_slice(NAMED).values
    wanted = np.asarray(
        Image.fromarray((255 * window(values, 450, 790)).round().astype(np.uint8)).resize((484, 484), 2)
    )
    assert np.array_equal(drawn, wanted)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_window_is_drawn_by_the_function_of_its_header(pictures, function):
    from pydicom.pixels import apply_windowing

    path = changed_ct(pictures, WindowCenter=40, WindowWidth=400, VOILUTFunction=function)
    write(pictures, [("A", "sick", path.name), ("B", "well", "1.png")])
    drawn = read_cohort(pictures).in_memory(128).images[0, 0].numpy()
    ct = read_slice(path)
    low, high = -(2.0**15) - 1024, 2.0**15 - 1 - 1024
    theirs = 255 * (apply_windowing(ct.values.copy(), ct.header) - low) / (high - low)
    assert np.abs(drawn - theirs).max() < 0.51


def test_monochrome1_is_drawn_with_its_greys_turned_round(pictures):
    (pictures / "turned.dcm").write_bytes(
        changed_ct(pictures, PhotometricInterpretation="MONOCHROME1").read_bytes()
    )
    write(pictures, [("A", "sick", "slice.dcm"), ("B", "well", "turned.dcm")])
    plain, turned = read_cohort(pictures).in_memory(128).images[:, 0].int()
    assert plain.min() == 0 and (plain + turned - 255).abs().max() <= 1


@pytest.mark.parametrize("value", [-2000, 63536])  # the same 16 bits, as a scanner may write them
def test_padding_takes_no_contrast(pictures, value):
    header = pydicom.dcmread(CT)
    values = header.pixel_array.copy()
    values[:20] = -2000
    header.PixelData = values.tobytes()
    del header.PixelPaddingValue
    header.add_new(0x00280120, "SS" if value < 0 else "US", value)
    header.save_as(pictures / "padded.dcm")
    write(pictures, [("A", "sick", "padded.dcm"), ("B", "well", "1.png")])
    drawn = read_cohort(pictures).in_memory(128).images[0, 0]
    assert (drawn[:20] == 0).all() and drawn[20:].min() == 0 and drawn[20:].max() == 255


def test_a_slice_that_cannot_be_drawn_does_not_stop_the_others(pictures):
    (pictures / "empty.dcm").write_bytes(changed_ct(pictures, RescaleSlope=None).read_bytes())
    (pictures / "table.dcm").write_bytes(
        changed_ct(pictures, VOILUTSequence=[pydicom.Dataset()]).read_bytes()
    )
    curve = {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "CURVE"}
    (pictures / "curve.dcm").write_bytes(changed_ct(pictures, **curve).read_bytes())
    rows = [("A", "sick", "0.png"), ("B", "well", "1.png")]
    write(pictures, rows + [(name, "sick", f"{name}.dcm") for name in ("empty", "table", "curve")])
    cohort = read_cohort(pictures)
    assert cohort.patients.tolist() == ["A", "B"]
    for line, words in ((4, "RescaleSlope None"), (5, "VOILUTSequence"), (6, "'CURVE'")):
        assert any(f"patients.csv:{line}:" in p and words in p for p in cohort.problems), cohort.problems


def test_each_faulty_row_is_told_by_line_and_left_out(pictures):
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    write(
        pictures,
        [("A", "sick", "0.png"), ("", "well", "1.png"), ("B", "", "2.png"), ("C", "well", "9.png"),
         ("D", "well", "broken.png"), ("E", "well", "3.png"), ("F", "well", "../secret.png")],
    )  # fmt: skip
    cohort = read_cohort(pictures)
    assert cohort.patients.tolist() == ["A", "E"]
    for line, words in ((3, "no patient"), (4, "label"), (5, "9.png"), (6, "broken.png"), (8, "secret")):
        assert any(f"patients.csv:{line}:" in p and words in p for p in cohort.problems), (
            line,
            cohort.problems,
        )


def test_a_folder_without_a_usable_table_says_what_is_expected(pictures):
    with pytest.raises(DataError, match=r"no table that names pictures\. Expected"):
        read_cohort(pictures)
    write(pictures, [("A", "sick", "0.png"), ("B", "sick", "1.png")])
    with pytest.raises(DataError, match=r"1 class\(es\): \['sick'\]"):
        read_cohort(pictures)
    write(pictures, [("sick", "0.png"), ("well", "1.png")], header=("label", "path"))
    with pytest.raises(DataError, match=r"no patient; left out"):
        read_cohort(pictures)


def test_times_and_curves_go():
    header = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    header.StudyTime = "072730"
    header.add_new(0x50003000, "OW", b"\1\0")
    clean, changed = deidentify(header, b"sixteen bytes or more")
    assert not clean.StudyTime and "StudyTime" in changed and 0x50003000 not in clean
