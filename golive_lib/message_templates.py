"""Messages from templates: one source, two forms; a field that there is none of is an error that names its place."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from golive_lib.errors import PlanError
from golive_lib.formats import mask, number
from golive_lib.message_facts import field_names
from golive_lib.message_words import Words, read_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment

    from golive_lib.message_facts import Facts, Kind
    from golive_lib.plan import Plan

KIT = Path(__file__).parent / "templates" / "messages"
FOLDER = "messages"  # beside the plan


class _Ready(str):
    """A text that needs nothing more: its values are isolated and escaped."""

    __slots__ = ()


@dataclass(frozen=True)
class Letter:
    """A message in one language: as Markdown and as plain text, each ending with a line's end."""

    language: str
    md: str
    txt: str


def written(plan: Plan, kind: Kind, facts: Facts, language: str) -> Letter:
    """Return a message in a language, people's data masked, by the plan's own template or else the kit's.

    Raises PlanError for a template that cannot be read, is malformed or names an unknown field.
    """
    folders = (KIT, plan.root / FOLDER)
    words = read_words(language, ZoneInfo(plan.timezone), folders)
    name = f"{kind}.{language}.j2"
    forms = (_rendered(_environment(words, folders, markdown=markdown), name, facts) for markdown in (True, False))
    return Letter(language, *(_laid_out(text, words) for text in forms))


def _laid_out(text: str, words: Words) -> str:
    """Return a text with people's data masked, single empty lines, and each line in the language's direction."""
    lines: list[str] = []
    for line in map(words.line, mask(text).strip().split("\n")):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines) + "\n"


def _environment(words: Words, folders: tuple[Path, ...], *, markdown: bool) -> Environment:
    def value(found: Any) -> str:  # noqa: ANN401  a template's value may be anything
        return found if isinstance(found, _Ready) else words.value(found, markdown=markdown)

    def strong(found: Any) -> _Ready:  # noqa: ANN401  likewise
        return _Ready(f"**{value(found)}**" if markdown else value(found))

    environment = ImmutableSandboxedEnvironment(  # Markdown and plain text, escaped by ``value``
        loader=FileSystemLoader(folders[::-1]),
        undefined=StrictUndefined,
        finalize=value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "strong": strong,
        "term": words.term,
        "counted": words.counted,
        "number": number,
        "share": words.share,
        "percent": words.percent,
        "span": words.span,
        "moment": words.moment,
    }
    return environment


def _rendered(environment: Environment, name: str, facts: Facts) -> str:
    with _named(name, type(facts)):
        _known_fields(environment, name, type(facts))
        return environment.get_template(name).render({each.name: getattr(facts, each.name) for each in fields(facts)})


@contextmanager
def _named(name: str, facts: type[Facts]) -> Iterator[None]:
    """Say a template's error with its place."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise PlanError(f"{error.filename or name}:{error.lineno}: {error.message}") from None
    except TemplateNotFound as error:
        raise PlanError(f"{name}: it includes {error.name!r}, and there is no such template") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{name}: cannot be read: {error}") from None
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        _refuse(*_place(error, name), str(error), facts)


def _known_fields(environment: Environment, name: str, facts: type[Facts]) -> None:
    """Refuse a name that is none of the facts', even where this message would not come to it."""
    known = {each.name for each in fields(facts)}
    for part in _parts(environment, name):
        environment.get_template(part)  # what is malformed is said with the file's name
        source, path, _ = environment.loader.get_source(environment, part) if environment.loader else ("", part, None)
        tree = environment.parse(source, part, path)
        for unknown in sorted(meta.find_undeclared_variables(tree) - known - set(environment.globals)):
            line = min(found.lineno for found in tree.find_all(nodes.Name) if found.name == unknown)
            _refuse(str(path), line, f"there is no field {unknown!r}", facts)


def _parts(environment: Environment, name: str) -> Iterator[str]:
    """Give a template's name and those of the parts it includes."""
    yield name
    source, path, _ = environment.loader.get_source(environment, name) if environment.loader else ("", name, None)
    for part in meta.find_referenced_templates(environment.parse(source, name, path)):
        if part:
            yield from _parts(environment, part)


def _refuse(path: str, line: int | str, what: str, facts: type[Facts]) -> NoReturn:
    raise PlanError(f"{path}:{line}: {what}; the fields are {', '.join(field_names(facts))}")


def _place(error: Exception, name: str) -> tuple[str, int | str]:
    """Return the template's file and line that an error comes from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    return (frames[-1].filename, frames[-1].lineno or "?") if frames else (name, "?")
