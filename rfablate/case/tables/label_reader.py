"""Reader of label images: NIfTI, NRRD and MetaImage files. Pure.

SimpleITK reads them, as in 3D Slicer and ITK-SNAP; the position of an image is the same in all three. It returns LPS
coordinates (x to the left, y to posterior) for every format; RAS has the opposite sign of x and y.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from rfablate.case.tables.label_image import LabelArray, LabelImage
from rfablate.case.tables.user_file import read_user_file
from rfablate.errors import CaseError, Fault
from rfablate.isolation import ReaderCrashed, isolated

READERS = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
"""Reader of SimpleITK by the end of a file's name: no other format is tried."""
MOST_VOXELS = 500_000_000
"""Largest number of voxels: 1 GB with 2 bytes each."""
LARGEST_IMAGE = 1 << 33
"""Largest size of a file [B]."""
SMALLEST_SPACING, LARGEST_SPACING = 0.02, 20.0
"""Range of voxel sizes of anatomical images [mm]; values outside are probably in another unit."""
_DECIMALS = 6
"""Decimals of spacing, origin [mm] and directions: NIfTI stores 32 bits; results must not depend on the format."""
_NIFTI_TYPES = {2: 1, 256: 1, 4: 2, 512: 2, 8: 4, 768: 4, 16: 4, 64: 8, 1024: 8, 1280: 8}
"""Bytes per voxel by the data type number of NIfTI, for integer and floating-point types."""
FLIP = np.array([-1.0, -1.0, 1.0])
"""Factors that convert LPS to RAS and back."""


class LabelSource(Protocol):
    """A reference to voxels of an image: a structure of kind "label"."""

    file: str
    values: tuple[int, ...]
    coordinates: Literal["RAS", "LPS"]


def image_suffix(file: str | Path) -> str:
    """Return the end of the file's name that determines its format; '' for other names."""
    name = Path(file).name.lower()
    return next((suffix for suffix in sorted(READERS, key=len, reverse=True) if name.endswith(suffix)), "")


def own_coordinates(file: str | Path) -> str:
    """Return the coordinate system of an image's format: RAS for NIfTI, LPS for the other formats."""
    return "RAS" if image_suffix(file).startswith(".nii") else "LPS"


def read_label_image(file: str | Path, coordinates: str) -> LabelImage:
    """Return the labels of a file in a case's coordinates, "RAS" or "LPS"; cached after the first reading.

    Raises:
        CaseError: the file does not exist, is not an image, is truncated or too large, or contains no labels.
    """
    path = Path(file)
    try:
        found = path.stat()
    except OSError as error:
        raise image_error(path, error.strerror or str(error), "a label image (.nii.gz, .nrrd, .mha)") from None
    return _read(str(path), coordinates, found.st_mtime_ns, found.st_size)


def label_image(shape: LabelSource) -> LabelImage:
    """Return the image of a structure; see `read_label_image`."""
    return read_label_image(shape.file, shape.coordinates)


def image_digest(file: str | Path) -> str:
    """Return a hash of the file's bytes, or of its name where it cannot be read."""
    try:
        return hashlib.sha256(read_user_file(file, LARGEST_IMAGE)).hexdigest()
    except OSError:
        return str(file)


def image_error(file: str | Path, found: str, expected: str, hint: str = "") -> CaseError:
    """Return the error of a label image."""
    return CaseError([Fault(str(file), found, expected, hint)], "label image")


def itk() -> Any:
    """Return SimpleITK with its warnings switched off; raises CaseError where it is not installed."""
    try:
        import SimpleITK

        toolkit: Any = SimpleITK
    except ModuleNotFoundError:
        expected = "an installed SimpleITK, which reads and writes label images"
        raise CaseError(
            [Fault("SimpleITK", "not installed", expected, 'pip install "rfablate[labels]"')], "label image"
        ) from None
    toolkit.ProcessObject.GlobalWarningDisplayOff()
    return toolkit


@lru_cache(maxsize=8)
def _read(file: str, coordinates: str, _changed: int, size: int) -> LabelImage:
    """Return the image that SimpleITK reads in a child process."""
    itk()  # once, in this process
    try:
        return isolated(lambda: _read_image(file, coordinates, size))
    except ReaderCrashed as error:
        raise image_error(file, str(error), "a complete image", "save it again from the program that made it") from None


def _read_image(file: str, coordinates: str, size: int) -> LabelImage:
    path, suffix, toolkit = Path(file), image_suffix(file), itk()
    if not suffix:
        raise image_error(path, f'found "{path.name}"', f"a name that ends with one of {', '.join(READERS)}")
    if size == 0:
        raise image_error(path, "an empty file", "a label image")
    reader = toolkit.ImageFileReader()
    reader.SetImageIO(READERS[suffix])
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
        _refuse_header(path, reader)
        if suffix.startswith(".nii"):
            _refuse_short_nifti(path)
        image = reader.Execute()
    except RuntimeError as error:
        raise image_error(
            path, _reason(error), f"a complete {suffix} image", "save it again from the program that made it"
        ) from None
    except MemoryError:
        raise image_error(path, "found too little memory for its voxels", "a smaller image", "crop it") from None
    scale = 1e-3 * (np.ones(3) if coordinates == "LPS" else FLIP)
    origin = np.round(reader.GetOrigin(), _DECIMALS) * scale
    steps = np.round(np.array(reader.GetDirection()).reshape(3, 3), _DECIMALS) * np.round(
        reader.GetSpacing(), _DECIMALS
    )
    labels = _whole_numbers(path, np.transpose(toolkit.GetArrayViewFromImage(image)))
    return LabelImage(labels, origin, steps * scale[:, None], _segments(reader))


def _refuse_header(path: Path, reader: Any) -> None:
    """Raise CaseError where the header shows that this is not a label image."""
    shape = tuple(int(n) for n in reader.GetSize())
    size = " x ".join(str(n) for n in shape)
    if len(shape) != 3:
        raise image_error(path, f"an image in {len(shape)} dimensions ({size})", "3", "save one volume of it")
    if reader.GetNumberOfComponents() != 1:
        found = f"{reader.GetNumberOfComponents()} numbers per voxel"
        hint = "if segments overlap: in 3D Slicer export them to a labelmap, or save each in its own file"
        raise image_error(path, found, "1, the label", hint)
    if math.prod(shape) > MOST_VOXELS:
        raise image_error(path, f"{size} voxels", f"at most {MOST_VOXELS:g} in all", "crop or resample it")
    if min(shape) < 2:
        raise image_error(path, f"{size} voxels", "at least 2 along each axis", "a volume, not a slice")
    spacing = np.array(reader.GetSpacing())
    if not ((spacing >= SMALLEST_SPACING) & (spacing <= LARGEST_SPACING)).all():
        found = f"voxels of {' x '.join(f'{step:.4g}' for step in spacing)} mm"
        hint = "check the unit of length, which must be mm (NIfTI: xyzt_units)"
        raise image_error(path, found, f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g} mm", hint)
    axes = np.array(reader.GetDirection()).reshape(3, 3)
    if not np.isfinite([*reader.GetOrigin(), *axes.ravel()]).all() or not np.allclose(
        axes.T @ axes, np.eye(3), atol=1e-3
    ):
        raise image_error(path, "axes that are not at right angles", "a rotated grid without shear", "resample it")


def _refuse_short_nifti(path: Path) -> None:
    """Raise CaseError where the file has fewer voxels than its header states; the library sets missing ones to 0."""
    try:
        with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as file:
            head = file.read(540)
            wanted, held = _nifti_bytes(head), len(head)
            while held < wanted and (block := file.read(1 << 22)):
                held += len(block)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise image_error(path, f"truncated or damaged: {error}", "a complete image", "copy it again") from None
    if held < wanted:
        raise image_error(path, f"truncated: {held} of {wanted} bytes", "a complete image", "copy it again")


def _nifti_bytes(head: bytes) -> int:
    """Return the size of a NIfTI file according to its header of version 1 or 2 [B]."""
    order = next((each for each in "<>" if struct.unpack(f"{each}i", head[:4])[0] in (348, 540)), "<")
    if struct.unpack(f"{order}i", head[:4])[0] == 540:
        code, offset = struct.unpack(f"{order}h", head[12:14]), struct.unpack(f"{order}q", head[168:176])
        voxels = math.prod(struct.unpack(f"{order}3q", head[24:48]))
    else:
        code, offset = struct.unpack(f"{order}h", head[70:72]), struct.unpack(f"{order}f", head[108:112])
        voxels = math.prod(struct.unpack(f"{order}3h", head[42:48]))
    return int(offset[0]) + int(_NIFTI_TYPES.get(code[0], 1) * voxels)


def _reason(error: RuntimeError) -> str:
    """Return the last line of the library's message, which has the cause."""
    lines = [line.strip().split("): ")[-1] for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if not line.startswith("Reason:")]
    return f"cannot be read: {causes[-1]}" if causes else "cannot be read"


def _whole_numbers(path: Path, values: npt.NDArray[Any]) -> LabelArray:
    if not np.issubdtype(values.dtype, np.integer):
        if not np.isfinite(values).all() or np.any(values != np.rint(values)):
            found = f"fractions ({values.dtype}): intensities or probabilities"
            raise image_error(path, found, "integers, the labels", "export the segmentation as a labelmap")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > np.iinfo(np.uint16).max:
        hint = "these are probably CT or MR intensities; export the segmentation, not the image"
        raise image_error(path, f"values from {low:g} to {high:g}", "labels from 0 to 65535", hint)
    if high == 0:
        raise image_error(path, "0 in every voxel", "at least one label")
    return np.ascontiguousarray(values, dtype=np.uint16)


def _segments(reader: Any) -> dict[str, tuple[int, ...]]:
    """Return the segment names of 3D Slicer's .seg.nrrd: Segment0_Name, Segment0_LabelValue."""
    keys = set(reader.GetMetaDataKeys())
    found: dict[str, tuple[int, ...]] = {}
    for key in sorted(keys):
        number = key.removeprefix("Segment").removesuffix("_Name")
        if key.startswith("Segment") and key.endswith("_Name") and number.isdigit():
            value = f"Segment{number}_LabelValue"
            text = reader.GetMetaData(value) if value in keys else str(int(number) + 1)
            if text.isdigit():
                found[reader.GetMetaData(key)] = (int(text),)
    return found


def read_label_names(file: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the values by name of a label description file of ITK-SNAP.

    Its lines are: value, red, green, blue, opacity, shown, shown in 3-D, "name".

    Raises:
        CaseError: it cannot be read, or is not a label description file.
    """
    try:
        lines = read_user_file(file).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "text that is not UTF-8"
        raise image_error(file, str(reason), "a label description file of ITK-SNAP") from None
    found: dict[str, tuple[int, ...]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        head, quote, name = line.partition('"')
        fields = head.split()
        if not quote or len(fields) != 7 or not fields[0].isdigit():
            raise image_error(file, f'line {number}: found "{line.strip()[:60]}"', 'value R G B A VIS MSH "name"')
        if int(fields[0]):
            found[name.rstrip().rstrip('"')] = (int(fields[0]),)
    return found
