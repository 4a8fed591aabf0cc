"""`python cli.py ...` is the same as the console script `crossdiff`."""

from crossdiff.cli import main

if __name__ == "__main__":
    main()
