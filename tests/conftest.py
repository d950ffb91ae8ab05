"""What several test files share: one embedded server and a small healthy demo on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plant import ROOT
from servers import debian_15, transaction_pooler

from golive_lib.demo import DemoDatabase, DemoServer, open_demo
from golive_lib.demo.api import serve
from golive_lib.demo.app import environment
from golive_lib.demo.build import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo.api import Api

STAGING = Path(__file__).parents[2] / "shared" / "staging" / "staging.sql"
PRISTINE = "pristine"  # a copy nobody connects to, as a template must be


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Make a user's folder with a plan of its own."""
    shutil.copy(ROOT / "launch.toml", tmp_path)
    (tmp_path / "queries").mkdir()
    return tmp_path


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the session's data folder."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def demo_server(demo_folder: Path) -> Iterator[DemoServer]:
    """Run one server for the session."""
    with DemoServer.start(demo_folder) as server:
        yield server


@pytest.fixture(scope="session")
def healthy(demo_server: DemoServer, demo_folder: Path) -> Iterator[DemoDatabase]:
    """Build a twentieth of the healthy demo; only read it, ``clone`` is for writing."""
    with open_demo(scale=0.05, data=demo_folder) as demo:
        demo_server.create_database(PRISTINE, template=demo.name)
        yield demo


@pytest.fixture
def clone(demo_server: DemoServer, healthy: DemoDatabase) -> Iterator[Callable[[], DemoDatabase]]:
    """Make fresh copies of ``healthy`` to write in."""
    names: list[str] = []

    def copy() -> DemoDatabase:
        names.append(f"clone_{len(names)}")
        demo_server.create_database(names[-1], template=PRISTINE)
        return database(demo_server, names[-1], healthy.story)

    yield copy
    for name in names:
        demo_server.drop_database(name)


@pytest.fixture(scope="session")
def staging(demo_server: DemoServer) -> Iterator[str]:
    """Load the staging copy and give its URL as golive_ro."""
    if not STAGING.is_file():
        pytest.skip("the staging copy is not beside this clone")
    demo_server.create_database("staging")
    with demo_server.connect("staging") as connection:
        connection.execute(STAGING.read_bytes())
        connection.execute("vacuum analyze")
    demo_server.alter_setting("staging", "golive.now", "2026-03-30T00:00:00Z")
    yield demo_server.url("staging")
    demo_server.drop_database("staging")


@pytest.fixture
def pooled(healthy: DemoDatabase, demo_server: DemoServer, tmp_path: Path) -> Iterator[str]:
    """Give the healthy demo's URL through PgBouncer in transaction mode."""
    with transaction_pooler(demo_server, healthy.name, tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def debian_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """Run Debian's PostgreSQL 15 on a socket of its own."""
    with debian_15(tmp_path_factory.mktemp("pg15")) as server:
        yield server


@pytest.fixture(scope="module")
def api(healthy: DemoDatabase) -> Iterator[Api]:
    """Serve the healthy demo."""
    with serve(healthy) as running:
        yield running


@pytest.fixture(scope="module")
def env(healthy: DemoDatabase, api: Api) -> dict[str, str]:
    """Give an analyst's variables."""
    return environment(healthy, api)
