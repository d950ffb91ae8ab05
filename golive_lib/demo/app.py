"""What surrounds the demo's database: its keys, its users' tokens, and the environment an analyst works in."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from golive_lib.demo.build import CLOCK
from golive_lib.demo.repository import app_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.demo.api import Api
    from golive_lib.demo.build import DemoDatabase

REF = "demosamiatarotlaunch"  # twenty letters, as Supabase's project refs; roles.sql has it too
YEAR_S = 365 * 86400

# Somebody with a reading whose cards are open, and the reader who is booked next: both have something to ask for.
_PEOPLE = """
select coalesce(
    (select client_id from public.tarot_v2_readings where status = 'completed' and not ai_draft_visible_to_client
     order by created_at desc, id limit 1),
    (select user_id from public.profiles where role = 'client' order by user_id limit 1))::text,
  coalesce(
    (select reader_id from public.bookings where status = 'confirmed' order by created_at desc, id limit 1),
    (select user_id from public.profiles where role = 'reader' order by user_id limit 1))::text
"""


@contextmanager
def open_app(demo: DemoDatabase) -> Iterator[Mapping[str, str]]:
    """Serve the demo's API as long as the context lasts, and give the environment of an analyst who works on it."""
    from golive_lib.demo.api import serve  # noqa: PLC0415  a web server is imported when one is asked for

    with serve(demo) as api:
        yield environment(demo, api) | repository(demo.folder)


def repository(folder: Path | None) -> dict[str, str]:
    """Return the variable that names the app's checkout, made in the demo's data folder if git is there to make it."""
    made = app_repository(folder) if folder else None
    return {"GOLIVE_APP_REPO": str(made)} if made else {}


def environment(demo: DemoDatabase, api: Api) -> dict[str, str]:
    """Return an analyst's variables for a demo and an API on it, with keys and tokens made now."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        client, reader = (person or "" for person in connection.execute(_PEOPLE).fetchone() or ("", ""))
    return {
        "GOLIVE_DB_URL": demo.url,
        "GOLIVE_ADMIN_DB_URL": demo.admin_url,
        "SUPABASE_DB_URL": demo.url.replace("//golive_ro@", f"//golive_ro.{REF}@"),
        "SUPABASE_ANON_KEY": api.token(iss="supabase", ref=REF, role="anon", exp=expiry()),
        "SERVICE_ROLE_KEY": api.token(iss="supabase", ref=REF, role="service_role", exp=expiry()),
        "GOLIVE_API_URL": api.url,
        "GOLIVE_CLIENT_TOKEN": api.token(**user(client)),
        "GOLIVE_READER_TOKEN": api.token(**user(reader)),
    }


def user(person: str) -> dict[str, str | int]:
    """Return the claims of somebody who has signed in."""
    return {"sub": person, "role": "authenticated", "aud": "authenticated", "exp": expiry()}


def expiry() -> int:
    """Return an instant ten years ahead of both this machine's clock and the demo's."""
    return int(max(time.time(), CLOCK.timestamp())) + 10 * YEAR_S
