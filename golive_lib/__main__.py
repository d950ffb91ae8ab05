"""The command line's beginning: what a report needs is loaded in a second process while this one loads the rest."""

import gc
import sys

from golive_lib.warm_kernels import warm_kernels

REPORTING = {"run", "demo", "canary", "readiness", "rls", "aftercare", "checklist"}


def main() -> None:
    """Run the command line."""
    if REPORTING & set(sys.argv[1:2]) and "--help" not in sys.argv:
        warm_kernels()
        gc.disable()  # until the work begins: nearly nothing of what is imported is garbage
    from golive_lib.cli import main as command  # noqa: PLC0415  most of the time goes into this import

    command()


if __name__ == "__main__":
    main()
