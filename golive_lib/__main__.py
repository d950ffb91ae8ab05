"""``python -m golive_lib``: the command line, where no ``golive`` is on the PATH."""

from golive_lib.cli import main

main()
