"""DICOM slices: from stored integers to physical values, from values to grey, and a copy without names. Lesson 17."""

from __future__ import annotations

import copy
import hashlib
import hmac
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_utils.errors import CourseError, DataError

EMPTIED_KINDS = ("DA", "DT", "PN", "TM")  # every date, time and name of a person
EMPTIED = (  # more of the basic profile in DICOM PS3.15, annex E: what pictures of one modality usually carry
    "AccessionNumber", "AcquisitionComments", "AdditionalPatientHistory", "AdmissionID", "AdmittingDiagnosesDescription",
    "Allergies", "CassetteID", "ClinicalTrialSubjectID", "CommentsOnThePerformedProcedureStep", "CountryOfResidence",
    "CurrentPatientLocation", "DetectorID", "DeviceSerialNumber", "EthnicGroup", "FillerOrderNumberImagingServiceRequest",
    "FrameComments", "GantryID", "ImageComments", "ImagingServiceRequestComments", "InstitutionAddress", "InstitutionName",
    "InstitutionalDepartmentName", "InsurancePlanIdentification", "IssuerOfPatientID", "MedicalAlerts", "MedicalRecordLocator",
    "MilitaryRank", "Occupation", "OrderCallbackPhoneNumber", "OtherPatientIDs", "OtherPatientIDsSequence", "PatientAddress",
    "PatientAge", "PatientBirthDateInAlternativeCalendar", "PatientComments", "PatientDeathDateInAlternativeCalendar",
    "PatientInstitutionResidence", "PatientInsurancePlanCodeSequence", "PatientReligiousPreference", "PatientSex",
    "PatientSize", "PatientState", "PatientTelecomInformation", "PatientTelephoneNumbers", "PatientWeight",
    "PerformedProcedureStepDescription", "PerformedProcedureStepID", "PerformedStationName", "PersonAddress",
    "PersonTelephoneNumbers", "PlacerOrderNumberImagingServiceRequest", "PregnancyStatus", "ProtocolName", "ReasonForStudy",
    "ReasonForTheImagingServiceRequest", "ReasonForTheRequestedProcedure", "ReferringPhysicianAddress",
    "ReferringPhysicianTelephoneNumbers", "RegionOfResidence", "RequestAttributesSequence", "RequestedProcedureComments",
    "RequestedProcedureDescription", "RequestedProcedureID", "RequestingService", "ResponsibleOrganization",
    "ScheduledProcedureStepDescription", "ScheduledProcedureStepID", "SeriesDescription", "ServiceEpisodeDescription",
    "ServiceEpisodeID", "SmokingStatus", "StationAETitle", "StationName", "StudyComments", "StudyDescription", "StudyID",
    "VisitComments",
)  # fmt: skip
REMOVED = ("DigitalSignaturesSequence", "EncryptedAttributesSequence", "IconImageSequence")
DRAWN = ((0x5000, 0x50FF), (0x6000, 0x60FF))  # groups of curves and overlay planes, which may show a name
STANDARD = "1.2.840.10008."  # identifiers of DICOM itself, such as that of a kind of picture, tell nothing of a patient


class Slice(NamedTuple):
    """``values`` (H, W) float32 in ``unit`` (HU for a CT, "stored" without a rescale); ``spacing``: height and width of a pixel in mm, or ``None``."""

    values: np.ndarray
    unit: str
    spacing: tuple[float, float] | None
    header: object


def read_slice(path: str | Path) -> Slice:
    """Read one grey DICOM file: stored values times slope plus intercept, MONOCHROME1 left as it is.

    Raises :class:`DataError` for a file that is none, has several frames or colours, rescales by a table or an empty number, or
    cannot be decoded. DICOM PS3.3, C.11.1.

    >>> from pydicom.data import get_testdata_file
    >>> ct = read_slice(get_testdata_file("CT_small.dcm"))
    >>> ct.values.shape, ct.unit, ct.spacing, float(ct.values.min())
    ((128, 128), 'HU', (0.661468, 0.661468), -896.0)
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path)
        stored = header.pixel_array
        slope, intercept = header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0)
    except InvalidDicomError:
        raise DataError(
            f"{path} is not a DICOM file: its header is missing. Give a file that a scanner wrote."
        ) from None
    except FileNotFoundError:
        raise DataError(f"{path} is not there. Check the path.") from None
    except Exception as error:  # pydicom raises many kinds for damaged pixels
        raise DataError(f"{path} cannot be decoded: {' '.join(str(error).split())[:160]}") from error
    colours = header.PhotometricInterpretation
    if stored.ndim != 2 or colours not in ("MONOCHROME1", "MONOCHROME2"):
        raise DataError(
            f"{path} holds pixels of shape {stored.shape}, {colours}. Valid: one grey slice, (H, W), MONOCHROME1 or MONOCHROME2."
        )
    if header.get("ModalityLUTSequence"):
        raise DataError(
            f"{path} rescales by a table, its ModalityLUTSequence. Valid: RescaleSlope and RescaleIntercept; "
            "apply pydicom.pixels.apply_modality_lut to its pixels first."
        )
    spacing = header.get("PixelSpacing")
    try:
        slope, intercept = float(slope), float(intercept)
        spacing = None if spacing is None else (float(spacing[0]), float(spacing[1]))
    except (TypeError, ValueError, IndexError):
        raise DataError(
            f"{path} has RescaleSlope {slope} and RescaleIntercept {intercept}, and PixelSpacing {spacing}. "
            "Valid: one number, one number, and two numbers; export the file again."
        ) from None
    values = stored.astype(np.float32) * slope + intercept
    unit = "stored"
    if "RescaleSlope" in header:
        unit = (
            header.get("RescaleType")
            or header.get("Units")
            or ("HU" if header.get("Modality") == "CT" else unit)
        )
    return Slice(values, str(unit), spacing, header)


def window(values, level: float, width: float) -> np.ndarray:
    """Grey from 0 to 1 for ``values`` in their physical unit: linear over ``width`` around ``level``, cut off beyond.

    The standard's LINEAR function (DICOM PS3.3, C.11.2.1.2). Raises :class:`CourseError` for a width of 1 or less. Lesson 17.

    >>> window(np.array([-1000.0, 39.5, 2000.0]), level=40, width=401).tolist()
    [0.0, 0.5, 1.0]
    """
    if not width > 1:
        raise CourseError(f"width is {width!r}. Valid: above 1, such as 400 HU for soft tissue.")
    return np.clip((np.asarray(values, np.float32) - (level - 0.5)) / (width - 1) + 0.5, 0, 1)


def deidentify(header, key: bytes):
    """A copy of a DICOM dataset without names, dates and private elements; also the keywords that were changed.

    The patient's name and number become one pseudonym that only the holder of ``key`` can compute again: from the number, however
    the name is spelled, or from the name where there is no number. Every other name of a person, date and time is emptied, and so
    are the attributes in ``EMPTIED``, a part of the profile's list. Every unique identifier is replaced consistently, so that slices
    of one study stay together. Private and unknown elements, overlays, curves, thumbnails, signatures and encrypted copies go, and
    so does what stands before the header. Nested sequences are searched too. It is a part of DICOM PS3.15's basic profile, chosen
    for slices: **it does not look into the pixels** or read free text, and it is no substitute for the profile. Raises
    :class:`CourseError` for a key that is not 16 bytes or more, and for a patient without name and number.

    >>> import pydicom
    >>> from pydicom.data import get_testdata_file
    >>> clean, changed = deidentify(pydicom.dcmread(get_testdata_file("CT_small.dcm")), key=b"a secret of the clinic")
    >>> str(clean.PatientName) == str(clean.PatientID), clean.PatientBirthDate, "PatientName" in changed
    (True, '', True)
    """
    size = len(key) if isinstance(key, bytes) else 0
    if size < 16:
        raise CourseError(
            f"the key has {size} bytes (its type is {type(key).__name__}). Use at least 16 random ones: os.urandom(16), kept in the "
            "clinic."
        )
    number, name = (str(header.get(word) or "").strip() for word in ("PatientID", "PatientName"))
    if not (number or name):
        raise CourseError(
            "PatientID and PatientName are both empty, so all such files would become one patient. Set header.PatientID first."
        )
    pseudonym = _code(key, "id\0" + number if number else "name\0" + name)[:12]
    clean, changed = copy.deepcopy(header), []
    clean.remove_private_tags()

    def visit(dataset, element):
        word = element.keyword
        if word in ("PatientName", "PatientID"):
            element.value = pseudonym
        elif (
            word in REMOVED
            or element.VR == "UN"
            or any(low <= element.tag.group <= high for low, high in DRAWN)
        ):
            del dataset[element.tag]
        elif (word in EMPTIED or element.VR in EMPTIED_KINDS) and not element.is_empty:
            element.clear()
        elif element.VR == "UI" and not element.is_empty:
            old = [element.value] if element.VM == 1 else list(element.value)
            new = [uid if str(uid).startswith(STANDARD) else _uid(key, str(uid)) for uid in old]
            if new == old:
                return
            element.value = new if len(new) > 1 else new[0]
        else:
            return
        changed.append(word or str(element.tag))

    clean.walk(visit)
    meta = getattr(clean, "file_meta", None)
    if meta is not None:
        if meta.get("MediaStorageSOPInstanceUID"):
            meta.MediaStorageSOPInstanceUID = _uid(key, str(meta.MediaStorageSOPInstanceUID))
        for word in (
            "PrivateInformation", "PrivateInformationCreatorUID", "ReceivingApplicationEntityTitle",
            "SendingApplicationEntityTitle", "SourceApplicationEntityTitle",
        ):  # fmt: skip
            meta.pop(word, None)
    if getattr(clean, "preamble", None):
        clean.preamble = bytes(128)
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "course_utils.medical: part of PS3.15 annex E, pixels unread"
    return clean, sorted(set(changed))


def _code(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _uid(key: bytes, old: str) -> str:
    """An identifier that the same old one always gets: 2.25 and a number of 128 bits (DICOM PS3.5, annex B)."""
    return f"2.25.{int(_code(key, old)[:32], 16)}"
