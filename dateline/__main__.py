"""`python -m dateline` is the command `dateline`."""

from dateline.cli.main import main

if __name__ == "__main__":
    main()
