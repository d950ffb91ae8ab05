"""The notebooks there are, their parameters, and the values a run gives them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.errors import ReportError, UsageError
from golive_lib.leaks import leak
from golive_lib.plan import kit_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from golive_lib.statement import Value

_SECRET = re.compile(r"passw|secret|token|api_?key|dsn|db_?url|credential", re.IGNORECASE)
_BOOLS = {"true": True, "false": False}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its type by name, its default as Python text, and its one-line help."""

    name: str
    type: str
    default: str
    help: str


def find_notebooks(root: Path) -> dict[str, Path]:
    """Return every notebook by name: the kit's, replaced and joined by those in ``root/notebooks``."""
    folders = (kit_folder() / "notebooks", root / "notebooks")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.ipynb"))}


def find_notebook(name: str, root: Path) -> Path:
    """Return one notebook by name or path; raises UsageError that lists those there are."""
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name)
    known = find_notebooks(root)
    if name not in known:
        raise UsageError(f"there is no notebook {name!r}; there are {', '.join(sorted(known))}")
    return known[name]


def parameters(path: Path) -> tuple[Parameter, ...]:
    """Return a notebook's parameters from its tagged cell.

    Raises ReportError when it is no notebook or no cell carries the tag ``parameters``.
    """
    from papermill import inspect_notebook  # noqa: PLC0415  half a second that commands without notebooks need not wait

    from golive_lib.outcomes import read_notebook  # noqa: PLC0415  likewise

    if not any("parameters" in cell.metadata.get("tags", []) for cell in read_notebook(path).cells):
        raise ReportError(f"{path}: no cell is tagged 'parameters'; tag the one that sets the defaults")
    found = inspect_notebook(path).values()
    return tuple(
        Parameter(p["name"], _type(p["inferred_type_name"], p["default"]), p["default"], p["help"]) for p in found
    )


def _type(annotated: str, default: str) -> str:
    if annotated not in ("", "None"):
        return annotated
    try:
        return type(ast.literal_eval(default)).__name__
    except (ValueError, SyntaxError):
        return "str"


def typed(given: Mapping[str, str], known: tuple[Parameter, ...], notebook: str) -> dict[str, Value]:
    """Return the given texts as values of the parameters' types.

    Raises UsageError for an unknown name, a text that is not of the type, and a name that looks like a secret:
    papermill writes parameters into the notebook.
    """
    types = {parameter.name: parameter.type for parameter in known}
    for name in given:
        refuse_secret(name)
        if name not in types:
            raise UsageError(f"notebook {notebook!r} has no parameter {name!r}; it has {', '.join(types) or 'none'}")
    return {name: _value(name, text, types[name], notebook) for name, text in given.items()}


def refuse_secret(name: str) -> None:
    """Raise UsageError for a parameter whose name looks like a secret's."""
    if _SECRET.search(name):
        raise UsageError(f"{name}: a parameter is written into the report; put secrets into the environment")


def _value(name: str, text: str, type_: str, notebook: str) -> Value:
    if leak(text, ()):
        raise UsageError(f"notebook {notebook!r}: {name} holds a secret; put it into the environment")
    try:
        match type_:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return _BOOLS[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        raise UsageError(f"notebook {notebook!r}: {name} = {text!r} is no {type_}") from None
