"""Tissue and role that the name of a label, a mesh group or a file suggests, for cases of `new_case`. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Guess:
    """What a named part of the anatomy probably is."""

    tissue: str
    role: str
    known: bool
    """Whether the name suggests a tissue; otherwise the tissue is that of the surroundings."""


_WORDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("tumor", "tumour", "metast", "lesion", "gtv", "nodule", "cancer", "target"), "liver_tumour", "target"),
    (("cord", "myelon"), "spinal_cord", "protect"),
    (("nerve", "root", "plexus", "ganglion"), "nerve", "protect"),
    (("csf", "cerebrospinal", "liquor", "thecal"), "csf", "anatomy"),
    (("cortical", "cortex_bone", "shell"), "cortical_bone", "anatomy"),
    (("disc", "disk"), "disc", "anatomy"),
    (("vertebra", "cancellous", "spong", "bone", "femur", "sacrum", "rib", "pelvis"), "cancellous_bone", "anatomy"),
    (("cartilage",), "cartilage", "anatomy"),
    (("tendon", "ligament"), "tendon", "anatomy"),
    (("aorta", "vein", "artery", "vessel", "portal", "cava", "blood"), "blood", "anatomy"),
    (("liver", "hepat"), "liver", "anatomy"),
    (("pancrea",), "pancreas", "anatomy"),
    (("kidney", "renal"), "kidney", "anatomy"),
    (("lung", "pulmo"), "lung", "anatomy"),
    (("heart", "myocard"), "heart", "anatomy"),
    (("fat", "adipose"), "fat", "anatomy"),
    (("skin", "dermis"), "skin", "anatomy"),
    (("white",), "white_matter", "anatomy"),
    (("grey", "gray"), "grey_matter", "anatomy"),
    (("electrode", "needle", "cannula", "metal", "steel"), "stainless_steel", "anatomy"),
    (("muscle", "tissue", "body", "background"), "muscle", "anatomy"),
)
"""Parts of names, with tissue and role; the first that a name contains counts."""


def guess(name: str, around: str) -> Guess:
    """Return what a name suggests; without a suggestion the tissue is `around`, that of the surroundings."""
    lower = name.lower()
    for words, tissue, role in _WORDS:
        if any(word in lower for word in words):
            return Guess(tissue, role, known=True)
    return Guess(around, "anatomy", known=False)


def key_name(name: str, taken: Collection[str] = (), instead: str = "part") -> str:
    """Return a name that the case file allows, a letter followed by letters, digits or _, and that is not taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:40] or instead
    found = found if found[0].isalpha() else f"{instead}_{found}"
    unique, number = found, 2
    while unique in taken:
        unique, number = f"{found}_{number}", number + 1
    return unique
