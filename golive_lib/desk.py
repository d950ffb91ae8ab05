"""An analyst's own folder: the kit's notebooks copied into it, and notebooks and queries of their own begun there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golive_lib.errors import ReportError, UsageError
from golive_lib.plan import kit_folder

if TYPE_CHECKING:
    from golive_lib.plan import Plan

NOTEBOOK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
QUERY_NAME = re.compile(r"[a-z0-9_]{1,60}(/[a-z0-9_]{1,60})+")
_TEMPLATES = Path(__file__).parent / "templates"
_STAMP = "golive"  # in a copy's metadata: which of the kit's notebooks it was made from, by its digest


@dataclass(frozen=True)
class Copy:
    """A notebook that stands in the place of the kit's of the same name, and what is to be said of it."""

    name: str
    path: Path
    said: str

    def __str__(self) -> str:
        return f"notebooks/{self.path.name} {self.said}; for the kit's, rename yours and type: golive new {self.name}"


def home(plan: Plan) -> Path:
    """Return the folder an analyst's notebooks lie in: their plan's; the current one where the plan is the kit's."""
    return Path.cwd() if plan.root.resolve() == kit_folder().resolve() else plan.root


def settle(folder: Path) -> bool:
    """Copy the kit's notebooks into a folder that has none of them; say whether that was so."""
    names = [path.stem for path in _kits()]
    if any((folder / "notebooks" / f"{name}.ipynb").exists() for name in names):
        return False
    for name in names:
        new_notebook(folder, name)
    return True


def copies(folder: Path) -> tuple[Copy, ...]:
    """Return the notebooks that stand before the kit's and were copied from an older one, or do not say from which."""
    found = []
    for kits in _kits():
        own = folder / "notebooks" / kits.name
        if not own.is_file() or own.samefile(kits):
            continue
        if said := _compared(_read(own), _read(kits)):
            found.append(Copy(kits.stem, own, said))
    return tuple(found)


def _kits() -> list[Path]:
    return sorted((kit_folder() / "notebooks").glob("*.ipynb"))


def _compared(own: dict[str, Any], kits: dict[str, Any]) -> str:
    stamp = own.get("metadata", {}).get(_STAMP, {}).get("copied")
    if stamp:
        return "" if stamp == _digest(kits) else "was copied from an older kit's"
    return "" if _digest(own) == _digest(kits) else "is not the kit's, and does not say from which it was copied"


def _read(path: Path) -> dict[str, Any]:
    """Return a notebook; of what cannot be read nothing, for whoever runs it will say so."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(notebook: dict[str, Any]) -> str:
    """Return what tells one version of a notebook from another, however an editor wrote it down."""
    cells = [(cell.get("cell_type"), "".join(cell.get("source", ""))) for cell in notebook.get("cells", [])]
    return sha256(json.dumps(cells).encode()).hexdigest()[:16]


def new_notebook(folder: Path, name: str) -> Path:
    """Begin a notebook from the house template, or copy the kit's of that name; returns its path.

    Raises UsageError for a name that is none or is taken, ReportError when it cannot be written.
    """
    if not NOTEBOOK_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no notebook's name: lower case letters, digits, '-' and '_', such as my-checks")
    kits = kit_folder() / "notebooks" / f"{name}.ipynb"
    notebook = _read(kits)
    if notebook:
        notebook["metadata"][_STAMP] = {"copied": _digest(notebook)}
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    else:
        title = name.replace("-", " ").replace("_", " ")
        text = (_TEMPLATES / "notebook.ipynb").read_text(encoding="utf-8")
        text = text.replace("TITLE", title[:1].upper() + title[1:]).replace("NAME", name)
    return _written(folder / "notebooks" / f"{name}.ipynb", text)


def new_query(plan: Plan, name: str) -> Path:
    """Begin a query beside the plan from the house template, or copy the kit's of that name; returns its path.

    Raises UsageError for a name that is none or is taken, or where the plan is the kit's own.
    """
    if not QUERY_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no query's name: folder/name in lower case letters, digits and '_'")
    if home(plan) != plan.root or not plan.query_folders:
        raise UsageError(
            f"{name}: a query lies beside a plan of your own; copy {kit_folder() / 'launch.toml'} here first"
        )
    kits = kit_folder() / "queries" / f"{name}.sql"
    source = kits if kits.is_file() else _TEMPLATES / "query.sql"
    return _written(plan.query_folders[-1] / f"{name}.sql", source.read_text(encoding="utf-8"))


def _written(path: Path, text: str) -> Path:
    if path.exists():
        raise UsageError(f"{path}: there is one already, and it is never overwritten; take another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from None
    return path
