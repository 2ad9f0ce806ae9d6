"""``explain``: the chain rule that leads to a gradient, written out and computed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tinygrad_lstm.cli.options import LARGEST, Command, add_problem, whole_number
from tinygrad_lstm.cli.problem import problem
from tinygrad_lstm.comparison.comparison import compare
from tinygrad_lstm.derivation.explanation import explain
from tinygrad_lstm.engine.backward import gradients

__all__ = ["EXPLAIN"]


def add_options(parser: ArgumentParser) -> None:
    add_problem(parser)
    parser.add_argument(
        "--wrt",
        metavar="NAME",
        default="W_f",
        help="the value, as the tape calls it: W_f, c<2>, gamma_f<1> (default: W_f)",
    )
    parser.add_argument("--through", metavar="NAME", help="only the paths through this value")
    parser.add_argument(
        "--view",
        choices=("steps", "rolled", "expanded"),
        default="steps",
        help="line by line, in t, or as one formula",
    )
    parser.add_argument(
        "--depth",
        metavar="N",
        type=whole_number(0, LARGEST),
        help="how often --view expanded replaces gradients (default: all)",
    )
    parser.add_argument("--numbers", action="store_true", help="put the numbers into --view steps")
    parser.add_argument("--shapes", action="store_true", help="note the shapes")
    parser.add_argument("--latex", action="store_true", help="print LaTeX, and nothing else")
    parser.add_argument(
        "--python",
        action="store_true",
        help="print --view steps or rolled as a module in NumPy that computes it, and nothing else",
    )


def run(options: Namespace) -> int:
    case = problem(options)
    loss = case.error()
    explanation = explain(loss, options.wrt, options.through)
    if options.python:
        print(getattr(explanation, options.view).python(), end="")
        return 0
    wanted = {"depth": options.depth, "numbers": options.numbers, "shapes": options.shapes}
    view = getattr(explanation, options.view)(
        **{name: value for name, value in wanted.items() if value not in (None, False)}
    )
    if options.latex:
        print(view.latex())
        return 0
    text, value = str(view), view.evaluate()
    found = gradients(loss)
    if options.through is not None:
        # the derivative along these paths: from there on, with what arrives there
        found = gradients(loss.tape.find(options.through), found[options.through])
    row = compare(found, {options.wrt: value}).rows[0]
    print(
        case,
        text,
        f"computed as written, shape {value.shape}: {row.verdict}, largest error {row.error:.2g}",
        sep="\n",
    )
    return 0 if row.ok else 1


EXPLAIN = Command(
    "explain",
    "write out the chain rule that leads to a gradient, and compute what was written",
    add_options,
    run,
)
