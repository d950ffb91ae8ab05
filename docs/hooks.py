"""MkDocs hooks: pages written from the kit itself, so that they cannot drift, and a nav of whatever pages are there."""

from __future__ import annotations

import json
import re
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import TypeAdapter
from typer.cli import get_docs_for_click

from golive_lib.cli import register
from golive_lib.plan import Plan
from golive_lib.query import load
from golive_lib.verdicts import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from golive_lib.query import Param, Query

ROOT = Path(__file__).parents[1]
NAV = {  # pages by section; one that is named nowhere goes into the last
    "Start": ("index", "start", "adapt", "report"),
    "The launch": ("readiness", "judge", "rollback", "messages", "checklist", "aftercare"),
    "At work": ("notebooks", "schedule", "security", "troubleshooting"),
    "Reference": ("cli", "queries", "plan", "contributing"),
}
ELSEWHERE = {  # what the repository's own pages link to, as the site has it
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "launch.toml": "plan.md",
    "examples/staging": "adapt.md",
}
_BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
_WORDS = {
    "string": "text",
    "object": "table",
    "boolean": "true or false",
    "integer": "whole number",
    "date-time": "instant",
    "duration": "duration",
}
_LINK = re.compile(r"\[(?P<text>(?:[^\[\]`]|`[^`]*`)*)\]\((?:\.\./|docs/)*(?P<path>[\w./-]+?)/?(?P<anchor>#[\w-]+)?\)")
_COMMANDS = re.compile(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+")  # typer cuts their help short; the headings list them


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page there is into the nav."""
    there = {path.stem for path in Path(config.docs_dir).glob("*.md")} | {f.removesuffix(".md") for f in pages()}
    others = sorted(there - {name for names in NAV.values() for name in names})
    sections = NAV | {"Reference": (*NAV["Reference"], *others)}
    nav = {title: [f"{name}.md" for name in names if name in there] for title, names in sections.items()}
    config.nav = [{title: names} for title, names in nav.items() if names]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written from the kit."""
    from mkdocs.structure.files import File  # noqa: PLC0415  the pages can be written where mkdocs is not installed

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point links between the repository's pages to the site's."""
    return _LINK.sub(_link, markdown)


def _link(link: re.Match[str]) -> str:
    """Return a link as the site has it; one to a file that is in the repository alone keeps its text."""
    path = ELSEWHERE.get(link["path"], link["path"])
    if path == link["path"] and (ROOT / path).exists():
        return link["text"]
    return f"[{link['text']}]({path}{link['anchor'] or ''})"


def pages() -> dict[str, str]:
    """Return the text of each page that is not a file of docs/, by its name."""
    return {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        "cli.md": cli(),
        "queries.md": queries(load([ROOT / "queries"]).values()),
        "plan.md": plan_keys(),
    }


def cli() -> str:
    """Return every command with its arguments and options, from typer's own command tree."""
    group = typer.main.get_command(register(["--help"]))
    text = get_docs_for_click(obj=group, ctx=typer.Context(group), name="golive")
    return "# Every command\n\n" + _COMMANDS.sub("", text).partition("\n")[2]


def queries(known: Iterable[Query]) -> str:
    """Return every query with what its header says, folder by folder."""
    text = "# Every query\n\nOne file each, its name the path below `queries/`. `golive sql NAME` prints what runs.\n"
    ordered = sorted(known, key=lambda query: query.name)
    for folder, those in groupby(ordered, lambda query: query.name.rpartition("/")[0]):
        text += f"\n## {folder}\n" + "".join(map(_query, those))
    return text


def _query(query: Query) -> str:
    kind = "source" if query.columns else "check" if query.expect else "figures"
    lines = {
        "kind": kind,
        "why": _prose(query.why),
        "parameters": ", ".join(map(_param, query.params)),
        "columns": ", ".join(f"`{name}` {type_}" for name, type_ in query.columns),
        "sources": ", ".join(f"[{name}](#sources{name})" for name in query.sources),
        "needs": _code(query.needs),
        "expect": _code(query.expect),
        "fix": _prose(query.fix),
    }
    said = "".join(f"- **{key}:** {value}\n" for key, value in lines.items() if value)
    return f"\n### {query.name}\n\n{_prose(query.title)}\n\n{said}"


def _param(param: Param) -> str:
    given = f" = {param.default}`" if param.default is not None else "` (must be given)"
    return f"`{param.name} {param.type}{given}"


def _prose(text: str) -> str:
    """Return a sentence of a header as Markdown that says just that."""
    return re.sub(r"([*_\[\]|`])", r"\\\1", escape(text, quote=False))


def _code(text: str) -> str:
    return f"`` {text} ``" if text else ""


def plan_keys() -> str:
    """Return every key of a launch plan with its type and default, from the classes that validate it."""
    schema = TypeAdapter(Plan).json_schema()
    keys, known = schema["properties"], schema["$defs"]
    del keys["path"]  # where the plan was read from
    text = (
        "# Every key of the launch plan\n\nUnknown keys are errors. A duration is written `90s`, `10m`, `2h` or `1d`.\n"
    )
    text += _section("At the top", schema)
    for key, value in keys.items():
        for name in re.findall(r"#/\$defs/(\w+)", json.dumps(value)):
            head = (
                f"[[{key}]]" if "items" in value else f"[{key}.NAME]" if "additionalProperties" in value else f"[{key}]"
            )
            text += _section(f"`{head}`", known[name])
    own = (ROOT / "launch.toml").read_text(encoding="utf-8")
    return f"{text}\n## The kit's own plan\n\n```toml\n{own}```\n"


def _section(title: str, schema: Mapping[str, Any]) -> str:
    about = schema.get("description", "").replace("``", "`") if title.startswith("`") else ""
    needed = schema.get("required", ())
    rows = [
        f"| `{key}` | {_type(value)} | {'must be given' if key in needed else _default(value)} |"
        for key, value in schema["properties"].items()
    ]
    return "\n".join([f"\n## {title}\n\n{about}\n\n| key | type | default |", "|---|---|---|", *rows, ""])


def _type(schema: Mapping[str, Any]) -> str:
    """Say in words what a value may be; ``schema`` is a part of a JSON schema."""
    if "$ref" in schema:
        return " or ".join(f"`{rule}`" for rule in Rule) if schema["$ref"].endswith("/Rule") else "table, see below"
    if "$ref" in str(schema.get("additionalProperties", "")):
        return "a table for each name, see below"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each["type"] != "null")
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    bounds = [f"{sign} {schema[key]:g}" for key, sign in _BOUNDS.items() if key in schema]
    return ", ".join([_WORDS.get(schema.get("format", schema["type"]), schema["type"]), *bounds])


def _default(schema: Mapping[str, Any]) -> str:
    """Spell a default as the plan would."""
    value = schema.get("default")
    if schema.get("format") == "duration" and value:
        value = re.sub("[PT]", "", value).lower()
    return "" if value in (None, "", []) else f"`{json.dumps(value, ensure_ascii=False)}`"
