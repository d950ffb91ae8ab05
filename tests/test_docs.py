"""The docs: each block of code is run, parsed or validated, and what is generated says what the kit says."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass, fields
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import hooks
import pytest
import typer
from playwright.sync_api import sync_playwright
from pydantic import TypeAdapter

from golive_lib.cli import register
from golive_lib.errors import GoliveError
from golive_lib.plan import Plan
from golive_lib.query import load, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(
    r"(?P<unrun><!-- not run: \S.*? -->\n)?^ *```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n)+")
SHELL = {"", "sh", "bash", "console"}
ENDS = {"&&", "||", "|", ";", "&", ">", ">>", "2>", "<"}
CHEAP = {"list", "sql", "check", "doctor", "ledger"}
CHEAP_OPTIONS = {"--help", "--version", "--plan-only"}
CHROMIUM = shutil.which("chromium")


@dataclass(frozen=True)
class Block:
    """A block of code; ``run`` is false where the page says why it is not."""

    language: str
    text: str
    run: bool = True


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, and the indented ones, which are typed in a shell."""
    fenced = [Block(m["language"], textwrap.dedent(m["text"]), not m["unrun"]) for m in FENCE.finditer(page)]
    return fenced + [Block("", textwrap.dedent(text)) for text in INDENTED.findall(FENCE.sub("", page))]


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the arguments of every ``golive`` that a block for the shell types."""
    for line in block.text.replace("\\\n", " ").splitlines() if block.language in SHELL else ():
        words = shlex.split(line, comments=True)
        for i, word in enumerate(words):
            if word.rpartition("/")[2] == "golive" and "=" not in word:
                yield list(takewhile(lambda each: each not in ENDS, words[i + 1 :]))


def unknown(command: Any, arguments: list[str], parent: Any = None) -> str | None:  # noqa: ANN401  typer's own tree
    """Say why a command does not take these arguments, down to its last sub-command; None when it does."""
    try:
        context = command.make_context(command.name or "golive", list(arguments), parent=parent)
        if not hasattr(command, "commands"):
            return None
        more = [*context._protected_args, *context.args]
        if not more and command.invoke_without_command:
            return None
        _, below, rest = command.resolve_command(context, more)
    except typer.Exit:  # --help and --version are done by parsing
        return None
    except typer.TyperException as error:
        return f"{parent.command_path if parent else ''} {command.name}: {shlex.join(arguments)}: {error}"
    return unknown(below, rest, context)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's tables with those of another over them."""
    both = {k: merged(base[k], v) for k, v in over.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return {**base, **over, **both}


def fault(block: Block) -> str | None:
    """Say what is wrong with a block, as far as that can be told without a database."""
    try:
        if block.language == "toml":  # a part of a plan, the kit's own around it
            whole = merged(tomllib.loads((ROOT / "launch.toml").read_text()), tomllib.loads(block.text))
            TypeAdapter(Plan).validate_json(json.dumps(whole | {"path": "launch.toml"}, default=str))
        elif block.language == "sql" and block.text.startswith("-- "):
            folder = "sources" if "\n-- columns:" in block.text else "sanity"
            parse(block.text, name=f"{folder}/block", path=Path("block.sql"))
        tree = typer.main.get_command(register(["--help"]))
        return next((why for arguments in commands(block) if (why := unknown(tree, arguments))), None)
    except (GoliveError, ValueError) as error:
        return str(error)


def run(command: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a process of this Python that knows no database but the one given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    given = clean | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)} | env
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=given, capture_output=True, text=True, check=False
    )


def python(block: Block, demo: DemoDatabase, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block on a demo, in place of the one that it names."""
    return run(["-c", re.sub(r'"demo:[\w-]+"', repr(demo.url), block.text)], folder, GOLIVE_DB_URL=demo.url)


BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{i}") for page in PAGES for i, block in enumerate(blocks(page.read_text()))
]
PYTHON = [each for each in BLOCKS if each.values[0].language == "python" and each.values[0].run]  # type: ignore[union-attr]  # a block
TYPED = sorted({tuple(each) for page in PAGES for block in blocks(page.read_text()) for each in commands(block)})
RUN = [each for each in TYPED if each and (each[0] in CHEAP or CHEAP_OPTIONS & set(each))]


def test_blocks_are_found() -> None:
    """The README alone has Python, SQL, and commands of which some are cheap: no test below is about nothing."""
    found = blocks((ROOT / "README.md").read_text())
    assert {"python", "sql", ""} <= {block.language for block in found}
    assert ["lab"] in [each for block in found for each in commands(block)]
    assert {"doctor", "list", "check", "canary"} <= {each[0] for each in RUN}


@pytest.mark.parametrize("block", BLOCKS)
def test_block_is_sound(block: Block) -> None:
    """Commands and options exist, TOML is part of a plan, a query's header is read."""
    assert fault(block) is None


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("\n\n    golive moon\n", "No such command 'moon'"),
        ("\n\n    cd launch && .venv/bin/golive check --colour red sanity  # nicely\n", "No such option: --colour"),
        ("```sh\nX=1 golive ledger burn\n```\n", "No such command 'burn'"),
        ("```sh\ngolive sql a \\\n  b\n```\n", "unexpected extra argument"),
        ("1. So:\n\n   ```toml\n   [judge]\n   alhpa = 0.1\n   ```\n", "alhpa"),
        ("```toml\n[judge\n```\n", "Expected ']'"),
        ("```sql\n-- title: Mine\n-- expects: n > 0\nselect 1 as n\n```\n", "unknown header key 'expects'"),
    ],
)
def test_broken_block_is_caught(page: str, words: str) -> None:
    """What somebody may mistype is told, wherever it stands."""
    (block,) = blocks(page)
    assert words in (fault(block) or "")


@pytest.mark.parametrize("block", PYTHON)
def test_python_runs(block: Block, healthy: DemoDatabase, tmp_path: Path) -> None:
    """Python works as it stands, as the read-only role."""
    done = python(block, healthy, tmp_path)
    assert done.returncode == 0, done.stderr


def test_broken_python_is_caught(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A block that asks for what is not there fails; one that says why it is not run is left alone."""
    page = '```python\nfrom golive_lib import open_launch\nopen_launch("demo:thin").frame("moon")\n```\n'
    (block,) = blocks(page)
    assert "there is no query 'moon'" in python(block, healthy, tmp_path).stderr
    assert [each.run for each in blocks(f"<!-- not run: it waits for a person -->\n{page}")] == [False]


@pytest.mark.parametrize("arguments", RUN, ids=" ".join)
def test_cheap_command_runs(arguments: tuple[str, ...], healthy: DemoDatabase, tmp_path: Path) -> None:
    """Commands that only look end well on a healthy demo, in place of the database they name."""
    given = [*arguments]
    if "--db-url" in given:
        given[given.index("--db-url") + 1] = healthy.url
    done = run(["-m", "golive_lib", *given], tmp_path, GOLIVE_DB_URL=healthy.url)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr


def test_worked_examples_are_files() -> None:
    """The sources that the page on adapting shows are those of the kit and of the second deployment."""
    files = {path.read_text().strip() for folder in ("queries", "examples") for path in (ROOT / folder).rglob("*.sql")}
    shown = [block.text.strip() for block in blocks((ROOT / "docs/adapt.md").read_text()) if block.language == "sql"]
    assert len(shown) == 3
    assert [text for text in shown if text not in files] == []


def said() -> list[str]:
    """Return every text of the kit's code, docstrings aside, with … where a value is filled in."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "golive_lib").rglob("*.py")]
    names = {
        node.targets[0].id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }

    def text(node: ast.AST) -> str:
        if isinstance(node, ast.FormattedValue):
            return str(names.get(node.value.id, "…")) if isinstance(node.value, ast.Name) else "…"
        return str(node.value) if isinstance(node, ast.Constant) else "".join(map(text, getattr(node, "values", ())))

    nodes = [node for tree in trees for node in ast.walk(tree)]
    aside = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [text(n) for n in nodes if isinstance(n, ast.JoinedStr | ast.Constant) and id(n) not in aside]


def unsaid(page: str, texts: list[str]) -> list[str]:
    """Return the messages in the first column of a page's tables that the kit does not say."""
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    quoted = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    patterns = {message: re.compile(".*".join(map(re.escape, message.split("…"))), re.DOTALL) for message in quoted}
    return [message for message, pattern in patterns.items() if not any(map(pattern.search, texts))]


def test_quoted_messages_are_the_kits() -> None:
    """Troubleshooting quotes what the kit says; a message that was changed is noticed."""
    texts = said()
    page = (ROOT / "docs/troubleshooting.md").read_text()
    assert unsaid(page, texts) == []
    assert unsaid("| `no database: set GOLIVE_DB_URL, or pass --url` | x |\n", texts) != []


def test_every_variable_is_explained() -> None:
    """A variable that the kit reads stands in the page on security."""
    files = [ROOT / "launch.toml", *(ROOT / "golive_lib").rglob("*.py")]
    read = {name for path in files for name in re.findall(r"\bGOLIVE_[A-Z_]*[A-Z]\b", path.read_text())}
    page = (ROOT / "docs/security.md").read_text()
    assert "GOLIVE_DB_URL" in read
    assert [name for name in sorted(read) if f"`{name}`" not in page] == []


def test_generated_pages_name_everything() -> None:
    """Each command, query and key of the plan has its place, from the kit as it is now."""
    pages = hooks.pages()
    tree: Any = typer.main.get_command(register(["--help"]))
    assert [name for name in tree.commands if f"\n## `golive {name}`\n" not in pages["cli.md"]] == []
    assert "--plan-only" in pages["cli.md"]
    named = re.findall(r"^### (\S+)$", pages["queries.md"], re.MULTILINE)
    assert named == sorted(load([ROOT / "queries"]))
    tables = re.findall(r"^## `\[+(\w+)", pages["plan.md"], re.MULTILINE)
    assert set(tables) == {field.name for field in fields(Plan)} - {"name", "timezone", "queries", "path"}
    assert '| `statement_timeout` | duration | `"1m"` |' in pages["plan.md"]


def test_external_links_are_well_formed() -> None:
    """Links to elsewhere are complete addresses; whether anybody answers there is not asked."""
    links = [urlsplit(link) for page in PAGES for link in re.findall(r"\]\((\w+:[^)]*)\)", page.read_text())]
    assert links
    assert [
        link for link in links if link.scheme != "https" or "." not in (link.hostname or "") or " " in link.path
    ] == []


def test_pictures_are_small() -> None:
    """A clone and the site stay light."""
    assert [path.name for path in (ROOT / "docs").rglob("*.png") if path.stat().st_size > 150_000] == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Copy what the site is made from."""
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    for name in ("docs", "queries", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "launch.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def build(repository: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as CI does."""
    return run(["-m", "mkdocs", "build", "--strict"], repository)


ASKS = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE)


def test_site_is_whole_and_asks_nobody(repository: Path) -> None:
    """Strictly built, with a page that nobody listed; a browser asks no host, no folder of this machine is named."""
    links = "[the judge](judge.md#the-study), [the plan](../launch.toml), [`a file`](../queries/sanity/consent.sql)"
    (repository / "docs" / "new.md").write_text(f"# A new page\n\nSee {links}.\n")
    done = build(repository)
    assert done.returncode == 0, done.stderr
    site = repository / "site"
    pages = {path.name: path.read_text() for path in site.glob("*.html")}
    assert {"index.html", "cli.html", "queries.html", "plan.html", "contributing.html", "new.html"} <= set(pages)
    assert "A new page" in pages["index.html"]
    assert 'href="plan.html">the plan</a>, <code>a file</code>' in pages["new.html"]
    assert [name for name, text in pages.items() if ASKS.search(text)] == []
    styles = [
        path for path in site.rglob("*.css") if re.search(r"(?:@import|url\()[\s\"']*(?:https?:)?//", path.read_text())
    ]
    assert styles == []
    here = (str(repository), str(ROOT), str(Path.home()) + "/")
    assert [name for name, text in pages.items() if any(place in text for place in here)] == []
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize("link", ["[x](nowhere.md)", "[x](judge.md#nowhere)", "![x](nowhere.png)"])
def test_broken_link_fails_the_build(repository: Path, link: str) -> None:
    """A page, a heading or a picture that is not there is an error."""
    with (repository / "docs" / "start.md").open("a") as page:
        page.write(f"\n{link}\n")
    done = build(repository)
    assert (done.returncode != 0, "nowhere" in done.stderr) == (True, True)


@pytest.mark.skipif(not CHROMIUM and "GOLIVE_REQUIRE_SERVERS" not in os.environ, reason="there is no Chromium")
def test_search_works_from_a_folder(repository: Path) -> None:
    """Opened as a file, the site finds a query by its name, and no request leaves the folder."""
    build(repository)
    asked, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((repository / "site" / "index.html").as_uri())
        page.locator("iframe").wait_for(state="attached")  # then the search is ready
        page.get_by_role("textbox", name="Search").click()
        page.keyboard.type("deck_parity")
        found = page.locator(".md-search-result__link").first
        found.wait_for()
        address = found.get_attribute("href") or ""
        browser.close()
    assert "queries.html" in address
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
