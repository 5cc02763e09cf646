"""The start: every process of the service runs under one hash seed, then the command line has its say."""

import os
import sys

HASH_SEED = "0"


def main() -> None:
    """Run `askwhen`. Some of River's trees iterate over sets, so a replay is exact under a fixed PYTHONHASHSEED only."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program again
    from service.cli import app

    app()


if __name__ == "__main__":
    main()
