"""``python -m tinygrad_lstm``: the command line."""

import sys

from tinygrad_lstm._cli import main

sys.exit(main())
