"""Every picture of the site and of README, each made by the example that is named beside it.

To make them again: cd docs/pictures; python ../../examples/gallery.py
"""

import os
import runpy
from pathlib import Path

PICTURES = {
    **dict.fromkeys(
        (
            *("lstm_gates.svg", "lstm_gates_dark.svg", "lstm.svg", "lstm_dark.svg"),
            *("lstm_ways.svg", "lstm_audit.svg", "lstm_blocks.svg"),
            *("lstm_rolled.svg", "lstm_rolled_dark.svg"),
            *("layers.svg", "layers_dark.svg", "directions.svg", "layers_rolled.svg"),
        ),
        "unrolled_picture.py",
    ),
    "gradient_flow.svg": "gradient_flow.py",
    "loss_curves.svg": "training.py",
    "gates.svg": "training.py",
}


def main():
    os.environ |= {
        "MPLBACKEND": "agg",
        "SOURCE_DATE_EPOCH": "0",
    }  # no window, and no date in the files
    import matplotlib  # which reads the environment

    matplotlib.rcParams |= {
        "svg.hashsalt": "tinygrad-lstm",
        "svg.fonttype": "none",
        "path.simplify": False,
    }  # the same file each time; text as text
    for script in dict.fromkeys(PICTURES.values()):
        runpy.run_path(str(Path(__file__).resolve().with_name(script)))


if __name__ == "__main__":
    main()
