"""MkDocs hook: pages from files outside docs/, and links to repository files.

The repository is readable on its own: READMEs and pages of docs/ link to each other by relative paths. On the site the
READMEs in ORIGINS and those of the cases are pages, too. Links to them are rewritten; other files that pages link to
are copied to `files/`; a link to a folder without a page becomes plain text.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ORIGINS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "hpc/README.md": "hpc.md",
    "hpc/env/modules.md": "hpc_modules.md",
    "hpc/scaling/README.md": "scaling.md",
    "README.md": "index.md",
}
"""File of the repository -> its page; README.md itself is not a page; links to it lead to the home page."""
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(^```.*?^```[^\n]*$|`(?:(?!\n\n)[^`])+`)", flags=re.DOTALL | re.MULTILINE)


def cases() -> dict[str, str]:
    """Return the README of each case and its page."""
    found = sorted((ROOT / "cases").glob("*/README.md"))
    return {f"cases/{file.parent.name}/README.md": f"cases/{file.parent.name}.md" for file in found}


def pages() -> dict[str, str]:
    """Return the file in the repository of each page and folder with a page, and the page."""
    own = {f"docs/{uri}": uri for uri in _own_pages()}
    outside = {**ORIGINS, **cases()}
    folders = {posixpath.dirname(file): uri for file, uri in outside.items() if "/" in file}
    return {**own, **outside, **folders}


def _own_pages() -> list[str]:
    return sorted(file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md"))


def relinked(text: str, origin: str, uri: str) -> tuple[str, set[str]]:
    """Return markdown with its links converted for the site, and the repository files that it links to.

    Args:
        text: the markdown.
        origin: its file in the repository; links are relative to it.
        uri: its page.
    """
    known, needed = pages(), set()

    def link(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return match.group(0)
        place = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        if place in known:
            to = known[place]
        elif place.startswith("docs/") and not place.endswith(".py"):
            to = place.removeprefix("docs/")
        elif (ROOT / place).is_file():
            needed.add(place)
            to = f"files/{place}"
        elif (ROOT / place).is_dir():
            return words
        else:
            return match.group(0)  # MkDocs reports it
        return f"{picture}[{words}]({posixpath.relpath(to, posixpath.dirname(uri) or '.')}{hash_}{anchor})"

    return outside_code(lambda part: LINK.sub(link, part), text), needed


def outside_code(change: Callable[[str], str], text: str) -> str:
    """Return the text with everything changed except code; a link whose words are code is changed completely."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match.group(0))
        return f"\0{len(held) - 1}\0"

    return re.sub(r"\0(\d+)\0", lambda match: held[int(match.group(1))], change(CODE.sub(hold, text)))


def case_page(readme: str) -> str:
    """Return a case's page: its README, its picture after the question, and its case file."""
    name = readme.split("/")[1]
    folder = ROOT / "cases" / name
    text = (folder / "README.md").read_text(encoding="utf-8")
    title, rest = references_as_list(text).split("\n", 1)
    if (ROOT / "docs" / "pictures" / f"{name}.png").is_file():
        question, gap, below = rest.strip().partition("\n\n")
        rest = f"\n{question}\n\n![{title.removeprefix('# ')}](../../docs/pictures/{name}.png){gap}{below}"
    parts = [f"{title}\n{rest.rstrip()}\n"]
    for file in sorted(folder.glob("*.toml")):
        if file.name != "expected.toml":
            parts.append(f"## {file.name}\n\n```toml\n{file.read_text(encoding='utf-8').rstrip()}\n```\n")
    return "\n".join(parts)


def references_as_list(text: str) -> str:
    """Return a README with each paragraph "1. A. 2. B." as a list with one item per line, as Markdown requires."""
    paragraphs = text.split("\n\n")
    for number, paragraph in enumerate(paragraphs):
        if not paragraph.startswith("1. "):
            continue
        items, rest = [], " ".join(paragraph.split())
        while found := re.search(rf" (?={len(items) + 2}\. )", rest):
            items.append(rest[: found.start()])
            rest = rest[found.end() :]
        paragraphs[number] = "\n".join([*items, rest])
    return "\n\n".join(paragraphs)


def command_page() -> str:
    """Return the page of the command line: the help of every verb."""
    sys.path.insert(0, str(ROOT))
    from rfablate.cli.main import _parser

    parser = _parser()
    (verbs,) = [action for action in parser._actions if hasattr(action, "choices") and action.choices]
    parts = [
        "# Command line\n",
        "The help texts of the verbs, as printed by `rfablate VERB --help`. `.venv/bin/rfablate` is the command after",
        "`./install.sh`; with conda it is on the path.\n",
        f"```text\n{_help(parser)}```\n",
    ]
    parts += [f"## {name}\n\n```text\n{_help(verb)}```\n" for name, verb in verbs.choices.items()]  # type: ignore[union-attr]
    return "\n".join(parts)


def _help(parser: Any) -> str:
    import argparse

    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
    return str(parser.format_help())


def generated() -> dict[str, tuple[str, str]]:
    """Return each page from other files: its file in the repository, and its text."""
    found = {uri: (file, (ROOT / file).read_text(encoding="utf-8")) for file, uri in ORIGINS.items()}
    del found["index.md"]
    found |= {uri: (file, case_page(file)) for file, uri in cases().items()}
    found["command_line.md"] = ("docs/command_line.md", command_page())
    return found


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages and the repository files that pages link to."""
    made = generated()
    needed: set[str] = set()
    for uri in _own_pages():
        needed |= relinked((ROOT / "docs" / uri).read_text(encoding="utf-8"), f"docs/{uri}", uri)[1]
    for uri, (origin, text) in made.items():
        text, more = relinked(text, origin, uri)
        needed |= more
        files.append(File.generated(config, uri, content=text))
    for file in sorted(needed):
        files.append(File.generated(config, f"files/{file}", abs_src_path=str(ROOT / file)))
    return files


def on_config(config: Any) -> Any:
    """Add the cases' pages to the navigation, below the gallery."""
    for section in config.nav:
        if "Cases" in section:
            section["Cases"] += [*cases().values()]
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Rewrite the links of a page of docs/."""
    if page.file.generated_by is not None:
        return markdown
    uri = page.file.src_uri
    return relinked(markdown, f"docs/{uri}", uri)[0]
