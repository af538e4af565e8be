"""The keys of case and study files: JSON Schema and descriptions. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from rfablate.case.describe.file_schema import file_schema
from rfablate.case.describe.key_text import explain_key
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.study.study_tables import StudyFile

_FILES: dict[str, type[BaseModel]] = {"case": Case, "study": StudyFile}
_STUDY = "study"


def schema(file: Literal["case", "study"] = "case") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a case or study file, in the units of the file.

    Raises:
        CaseError: there is no such file.
    """
    if file not in _FILES:
        raise CaseError([Fault("schema", f"found {file!r}", '"case" or "study"')], "schema")
    return file_schema(_FILES[file])


def explain(key: str = "", *, study: bool = False) -> str:
    """Return the meaning of a key of a case file with unit, range, default and an example, as text to print.

    Args:
        key: path of the key, `generator.ramp_s` or `applicators.0.tip_mm`; a table, `generator`, for its keys; empty
            for the tables of the file. With `study.` before it, it is a key of a study file.
        study: the key is one of a study file.

    Raises:
        CaseError: there is no such key; the message has the nearest ones.
    """
    if key == _STUDY or key.startswith(f"{_STUDY}."):
        key, study = key[len(_STUDY) + 1 :], True
    what = _STUDY if study else "case"
    return explain_key(key, _FILES[what], what)
