"""A launch week to try the kit on: an embedded PostgreSQL with a simulated, Supabase-like app in it."""

from golive_lib.demo.app import open_app
from golive_lib.demo.build import CLOCK, STORIES, DemoDatabase, Story, begin_again, open_demo, open_named
from golive_lib.demo.server import DemoServer

__all__ = [
    "CLOCK",
    "STORIES",
    "DemoDatabase",
    "DemoServer",
    "Story",
    "begin_again",
    "open_app",
    "open_demo",
    "open_named",
]
