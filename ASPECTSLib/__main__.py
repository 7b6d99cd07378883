"""`python -m ASPECTSLib` is the same as the command `aspects`."""

import sys

from ASPECTSLib.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
