"""`rfablate new`: write a commented case file to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

from rfablate.errors import CaseError, Fault


def new(args: argparse.Namespace) -> int:
    """Write the file; return the exit code."""
    from importlib import resources

    file = Path(args.name if args.name.endswith(".toml") else f"{args.name}.toml")
    text = resources.files("rfablate.case").joinpath("starter.toml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text.replace("my lesion", file.stem, 1).replace("FILE", str(file)))
    except FileExistsError:
        raise CaseError([Fault(str(file), "already exists", "a new name", "nothing was written")], "new") from None
    except OSError as error:
        raise CaseError([Fault(str(file), error.strerror or str(error), "a writable folder")], "new") from None
    print(f"{file} written; next: rfablate check {file}")
    return 0
