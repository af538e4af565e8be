"""The templates of the pages: Jinja2 with automatic escaping. Only the output of templates is not escaped again."""

from __future__ import annotations

import base64
import re
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

SCRIPTS = ("print.js", "histories.js", "scene.js", "study.js")
"""The scripts of the pages; each is an element of its own, whose text is that of the file."""


def render(name: str, **values: Any) -> Markup:
    """Return the page or part of a page from template `name` with `values`; text in `values` is escaped."""
    return Markup(_environment().get_template(name).render(**values))


def element(name: str, *arguments: Any, **named: Any) -> Markup:
    """Return an element of elements.html; text in the arguments is escaped."""
    return Markup(getattr(_elements(), name)(*arguments, **named))


def unbroken(text: str) -> str:
    """Return the text with non-breaking spaces between numbers and units."""
    return re.sub(r"(?<=\d) (?=(?:mm|°C|degC|%|s|min|W|V|G|mA|A|K)\b|%)", "\u00a0", text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rfablate.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    environment.policies["json.dumps_kwargs"] = {}  # keys in their order, which Bokeh requires
    environment.filters["unbroken"] = unbroken
    environment.globals["script"] = _own_text
    environment.globals["policy"] = _policy
    environment.globals["own"] = Markup  # the text of an installed package
    environment.globals["sheet"] = lambda: Markup(files("rfablate.report").joinpath("page.css").read_text("utf-8"))
    return environment


@cache
def _elements() -> Any:
    return _environment().get_template("elements.html").module


def _own_text(name: str) -> Markup:
    """Return a script of the package, which is not escaped."""
    return Markup(files("rfablate.report").joinpath("templates").joinpath(name).read_text("utf-8"))


def _policy(scene: Any, library: str = "") -> str:
    """Return the content security policy of a page: its own scripts by their hashes, no connection, no other source.

    library: text of a drawing library that is a script of the page, by its hash as the others.

    The drawing library of an interactive `scene` is part of the page as text and needs 'unsafe-eval'; script elements
    with any other text remain forbidden. Its style sheet names fonts beside the page, which need not exist.
    """
    texts = [*map(_own_text, SCRIPTS), *([library] if library else [])]
    hashes = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in texts]
    sources = " ".join(f"'sha256-{each}'" for each in hashes)
    sources += " 'unsafe-eval'" if scene else ""
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; font-src data:{' file:' if scene else ''}; base-uri 'none'; form-action 'none'"
    )
