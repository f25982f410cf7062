"""``python -m restr``, the same as ``restr``."""

from __future__ import annotations

import sys

from restr.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
