"""The JSON Schema of a file as the user writes it: its keys, ranges and defaults in the units of the file. Pure.

Pydantic derives a schema from the models. Here it is adapted to the file: defaults are converted from SI, keys that are
needed only together with others are not required, and null, which TOML does not have, is left out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from rfablate.case.tables.schema import Case
from rfablate.physics.library import applicator_names, damage_set_names, tissue_names

Node = dict[str, Any]

_INHERITED = "Where [generator] has the same kind, its value is the default."
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FROM_MODEL = ("outer_diameter_mm", "active_tip_mm")
"""Keys that are required in an applicator unless its `model` has them."""
_NAMED = {"tissue": tissue_names, "base": tissue_names, "metal": tissue_names, "shell_tissue": tissue_names,
          "set": damage_set_names}  # fmt: skip
"""Keys of a case that name an entry of the library or of the case itself: editors suggest the library's."""


def file_schema(file: type[BaseModel]) -> Node:
    """Return the JSON Schema (draft 2020-12) of the file that `file` models, in the units of the file.

    A file that satisfies it can still have faults: `rfablate check` also checks dependencies between tables.
    """
    raw = file.model_json_schema(by_alias=True)
    tables = {model.__name__: model for model in models_of(file)}
    definitions = raw.pop("$defs", {})
    for name, node in definitions.items():
        _put_defaults(node, tables[name])
    _put_defaults(raw, file)
    whole: Node = _cleaned({**raw, "$defs": definitions})
    for node in (whole, *whole["$defs"].values()):
        if "kind" in node.get("properties", {}) and "const" in node["properties"]["kind"]:
            node["required"] = ["kind", *node.get("required", [])]
    if file is Case:
        _adapt_case(whole["$defs"])
    return {"$schema": DIALECT, **whole}


def models_of(file: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a file's model and those of all its tables, through lists, options and unions, each once."""
    seen: list[type[BaseModel]] = [file]
    for model in seen:  # the list grows during the loop
        yield model
        for field in model.model_fields.values():
            seen += [each for each in dict.fromkeys(_models_in(field.annotation)) if each not in seen]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


def _put_defaults(node: Node, model: type[BaseModel]) -> None:
    """Replace the defaults of a table, in SI, by those of the file; a table as a whole has none."""
    defaults = model.model_construct().model_dump(mode="json", by_alias=True)
    for key, entry in node.get("properties", {}).items():
        if "default" in entry:
            entry["default"] = defaults[key]
        if "default" in entry and (entry["default"] is None or isinstance(entry["default"], dict)):
            del entry["default"]


def _cleaned(node: Any) -> Any:
    """Return a schema without generated titles, null and OpenAPI's discriminators, its texts without line breaks."""
    if isinstance(node, list):
        return [_cleaned(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in ("discriminator",) and not _is_title(key, value)}
    if "anyOf" in kept:
        choices = [each for each in kept.pop("anyOf") if each != {"type": "null"}]
        kept = {**kept, **(choices[0] if len(choices) == 1 else {"anyOf": choices})}
        kept.pop("discriminator", None)
    if isinstance(kept.get("description"), str):
        kept["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", kept["description"])
    return {key: value if key in ("default", "examples") else _cleaned(value) for key, value in kept.items()}


def _is_title(key: str, value: Any) -> bool:
    """Return whether this is a title of the schema, not a key of a table that is called title."""
    return key == "title" and isinstance(value, str)


def _adapt_case(definitions: dict[str, Node]) -> None:
    """Change the tables of a case to their form before library models and [generator] are merged into them."""
    applicator = definitions["Applicator"]
    tines, bend = (definitions[name].pop("required") for name in ("Tines", "Bend"))
    applicator["required"] = [key for key in applicator.get("required", []) if key not in _FROM_MODEL]
    if not applicator["required"]:
        del applicator["required"]
    applicator["if"] = {"not": {"required": ["model"]}}
    applicator["then"] = {
        "required": list(_FROM_MODEL),
        "properties": {"tines": {"required": tines}, "bend": {"required": bend}},
    }
    applicator["properties"]["model"]["enum"] = list(applicator_names())
    definitions["TissueOverride"]["properties"]["damage_set"]["enum"] = list(damage_set_names())
    for node in definitions.values():
        for key, names in _NAMED.items():
            entry = node.get("properties", {}).get(key, {})
            if entry.get("type") == "string":
                del entry["type"]
                entry["anyOf"] = [{"enum": list(names())}, {"type": "string"}]
    _adapt_channel(definitions)


def _adapt_channel(definitions: dict[str, Node]) -> None:
    """Make all keys of a channel's generator optional: keys that are not given have the value of [generator]."""
    generator = definitions["Channel"]["properties"]["generator"]
    parts = []
    for reference in (each["$ref"] for each in generator.pop("oneOf")):
        name = reference.rsplit("/", 1)[1]
        part = copy.deepcopy(definitions[name])
        part.pop("required", None)
        for key, node in part["properties"].items():
            if key != "kind":
                node["description"] += f" {_INHERITED}"
        definitions[f"Channel{name}"] = part
        parts.append({"$ref": f"#/$defs/Channel{name}"})
    generator["anyOf"] = parts
