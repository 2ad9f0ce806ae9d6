"""Time the picture of an unrolled LSTM, from the loss to the bytes of an SVG, beside other
libraries that draw graphs.

    pip install -e ".[dot]" torch torchviz torchview    # whichever you want to compare with
    python benchmarks/drawing.py                        # --quick for the short sequences, --limit
    for the seconds of each

Every picture is drawn in a process of its own, which ends at the limit, with the Graphviz that it
started. Forward and backward propagation do not count, except for torchview, which runs forward
itself. All draw the same plain LSTM (N = 1, D = 3, H = 4, a loss at every block), stage by stage;
"elided" leaves out the middle, which the other libraries cannot. A ratio above 1 says how many
times as long the other library takes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

CASES = {
    (3, False): 1.0,
    (20, False): None,
    (100, False): None,
    (500, False): 10.0,
    (500, True): 2.0,
    (10_000, True): 10.0,
}  # our limits, in seconds
LIBRARIES = {"ours": "tinygrad-lstm", "torchviz": "torchviz", "torchview": "torchview"}
D, H = 3, 4


def ours(steps, elided):
    import numpy as np

    from tinygrad_lstm import LSTM, gradients
    from tinygrad_lstm.viz import draw

    rng = np.random.default_rng(0)
    loss = LSTM(D, H, rng=0).error(rng.normal(size=(steps, 1, D)), rng.normal(size=(steps, 1, H)))
    found = gradients(loss)
    return lambda: draw(
        loss, gradients=found, blocks=2 if elided else None, timeout=600
    )._repr_svg_()


def torch_lstm(steps):
    """The plain LSTM as a module, its input and its loss."""
    import torch

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.W = torch.nn.ParameterList(torch.randn(H, H + D) for _ in "fuco")
            self.b = torch.nn.ParameterList(torch.zeros(H) for _ in "fuco")

        def forward(self, x):
            a = c = torch.zeros(1, H)
            error = 0.0
            for t in range(steps):
                z = torch.cat([a, x[t]], -1)
                f, u, g, o = (
                    torch.nn.functional.linear(z, W, b) for W, b in zip(self.W, self.b, strict=True)
                )
                c = c * torch.sigmoid(f) + torch.sigmoid(u) * torch.tanh(g)
                a = torch.tanh(c) * torch.sigmoid(o)
                error = error + 0.5 * ((1.0 - a) ** 2).sum()
            return error

    return Plain(), torch.randn(steps, 1, D)


def torchviz(steps, elided):
    from torchviz import make_dot

    model, x = torch_lstm(steps)
    loss = model(x)
    return lambda: make_dot(loss, dict(model.named_parameters())).pipe("svg")


def torchview(steps, elided):
    from torchview import draw_graph

    model, x = torch_lstm(steps)
    return lambda: draw_graph(model, input_data=x, depth=10).visual_graph.pipe("svg")


def child(library, steps, elided):
    """Draw once, and say how long it took and how large the picture is."""
    sys.setrecursionlimit(10**6)  # for the libraries that walk their graph by recursion
    run = globals()[library](steps, elided)
    start = time.perf_counter()
    drawn = run()
    print(json.dumps([time.perf_counter() - start, len(drawn)]))


def timed(library, steps, elided, limit):
    """The seconds that a library takes; None where it does not finish, or fails."""
    run = [sys.executable, __file__, "--child", json.dumps([library, steps, elided])]
    with subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None
    return json.loads(said)[0] if process.returncode == 0 else None


def shown(seconds, our_seconds, limit):
    if seconds is None:
        return f"not within {limit:g} s (> {limit / our_seconds:.0f})"
    return f"{seconds:.2f} ({seconds / our_seconds:.1f})"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three and twenty blocks only")
    parser.add_argument(
        "--limit",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="of each picture, forward included (default: 120)",
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(*json.loads(args.child))
    libraries = [name for name in LIBRARIES if name == "ours" or importlib.util.find_spec(name)]
    print("seconds to an SVG, and in brackets the ratio of the library to tinygrad-lstm")
    print(
        "".join(
            [
                f"{'blocks':16}",
                *(f"{LIBRARIES[name]:>28}" for name in libraries),
                f"{'limit (ours)':>14}",
            ]
        )
    )
    within = True
    for (steps, elided), most in CASES.items():
        if args.quick and steps > 20:
            continue
        our_seconds = timed("ours", steps, elided, args.limit)
        if our_seconds is None:
            sys.exit(
                f"tinygrad-lstm failed, or did not draw {steps} blocks within {args.limit:g} s"
            )
        others = (
            []
            if elided
            else [
                shown(timed(name, steps, elided, args.limit), our_seconds, args.limit)
                for name in libraries[1:]
            ]
        )
        cells = [f"{our_seconds:.2f}", *(others or ["" for _ in libraries[1:]])]
        within &= most is None or our_seconds < most
        print(
            "".join(
                [
                    f"{f'{steps:,}' + ' elided' * elided:16}",
                    *(f"{c:>28}" for c in cells),
                    f"{f'< {most:g}' if most else '':>14}",
                ]
            ),
            flush=True,
        )
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
