"""`python -m glee`, the glee command where it is not on the path."""

import sys

from glee.cli.main import main

sys.exit(main())
