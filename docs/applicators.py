"""Makes docs/applicators.md: one sheet per family of cannulae, one picture per other electrode of the library."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rfablate.cli.library_text import applicators_text
from rfablate.physics.library import applicator_names
from rfablate.report.applicator_pictures import write_picture, write_sheet

HERE = Path(__file__).parent
FAMILIES = {
    "sharp": ("Sharp cannulae, solid", ""),
    "sharp-tube": ("Sharp cannulae as tubes, in section", "-tube"),
    "blunt": ("Blunt cannulae, solid", "-blunt"),
    "blunt-tube": ("Blunt cannulae as tubes, in section", "-blunt-tube"),
}
"""Sheet file -> its title and the suffix of its model names after gauge and tip length."""
HEAD = """# Applicators

All applicator models of the library. Light: active (bare) metal; dark: insulated shaft; dot: temperature sensor.
`rfablate library applicators --pictures DIR` writes a larger picture of each model. `make gallery` generates this page.

## Cannulae

Model names: `cannula-<gauge>g-<tip>mm` for a sharp cannula, with the suffix `-blunt`, `-tube` or `-blunt-tube` for the
other families. Combinations whose active tip is shorter than the bevel do not exist.
"""


def families() -> tuple[dict[str, list[str]], list[str]]:
    """Return the model names on each sheet, and those with a separate picture."""
    names = applicator_names()
    sheets: dict[str, list[str]] = {file: [] for file in FAMILIES}
    alone = []
    for name in names:
        end = "-" + "-".join(name.split("-")[3:]) if name.count("-") > 2 else ""
        found = [file for file, (_, suffix) in FAMILIES.items() if name.startswith("cannula-") and end == suffix]
        if found:
            sheets[found[0]].append(name)
        else:
            alone.append(name)
    return sheets, alone


def write_applicators() -> None:
    """Write docs/applicators.md and its pictures."""
    from docs.gallery import PICTURES, store

    sheets, alone = families()
    lines = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for file, names in sheets.items():
            title, suffix = FAMILIES[file]
            store(write_sheet(title, names, Path(folder) / f"{file}.png"), PICTURES / f"applicators-{file}.png")
            lines += [f"![{title}](pictures/applicators-{file}.png)", f"\n{len(names)} models `cannula-…{suffix}`\n"]
        lines.append("## Other electrodes\n")
        for name in alone:
            store(write_picture(name, Path(folder)), PICTURES / f"{name}.png")
            model = "\n".join(applicators_text(name).splitlines()[1:])
            lines += [f"### {name}\n", f"![{name}](pictures/{name}.png)\n", f"```toml\n{model}\n```\n"]
    (HERE / "applicators.md").write_text("\n".join(lines), encoding="utf-8")
