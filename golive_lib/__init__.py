"""Judge a launch from the app's own Postgres tables."""
