"""``python -m tinygrad_lstm``: the command line."""

import sys

from tinygrad_lstm.cli.main import main

sys.exit(main())
