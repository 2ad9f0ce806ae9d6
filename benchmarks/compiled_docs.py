"""What compiled_step.py has measured, as tables and plots of the docs."""

from __future__ import annotations

from pathlib import Path

NAMES = {
    "native": "compiled, native",
    "numpy": "compiled, NumPy",
    "eager": "eager",
    "torch_lstm": "torch.nn.LSTM",
    "jax": "jax.jit of a scan",
    "torch_plain": "PyTorch, plain code",
    "autograd": "HIPS/autograd",
    "mygrad": "MyGrad",
    "products": "the products alone",
}
DOCS = Path(__file__).parents[1] / "docs" / "explanation"
GREY = "#7a7a7a"  # legible on a light page and on a dark one
AXES = {"T": "blocks T", "N": "sequences N", "H": "units H"}


def write(rows, growth, axes, machine):
    """The page and its pictures.

    Parameters
    ----------
    rows, growth : list of dict
        What was measured: size, threads, name, ms, and ratio to the fastest peer; memory at its
        peak and held afterwards.
    axes : dict
        By the length that grows: the sizes in `growth`.
    machine : str
    """
    DOCS.mkdir(exist_ok=True)
    text = [
        "<!-- written by benchmarks/compiled_step.py --write -->",
        "Milliseconds of a training step, and in brackets the ratio to the fastest peer of the "
        "same round (below 1: faster than all of them).",
        table(rows),
        "",
        "Peak memory of the first call, planning included, above what is in use before it, and "
        "in brackets what the process has of it when the call is over:",
        "",
        *cells([r for r in rows if r["threads"] == 1], megabytes),
        "",
        "How a step grows with T, N and H: milliseconds, and MB of the first call.",
        table(growth, lambda r: f"{r['ms']:.3g} ms, {r['memory']:.0f} MB"),
        "",
        f"Measured on {machine}.",
        "",
    ]
    (DOCS / "compiled_step.md").write_text("\n".join(text), encoding="utf-8")
    import matplotlib.pyplot as plt

    with plt.rc_context(styled()):
        ratios(rows, DOCS / "compiled_step.svg")
        grown(growth, axes, DOCS / "compiled_growth.svg")


def shown(row):
    return f"{row['ms']:.3g} ms ({row.get('peer', float('nan')):.2f})"


def megabytes(row):
    digits = 1 if row["memory"] < 10 else 0
    return f"{row['memory']:.{digits}f} MB ({row['held']:.{digits}f})"


def table(rows, show=shown):
    """The rows as Markdown, one thread first."""
    lines = []
    for threads in sorted({r["threads"] for r in rows}):
        lines += ["", f"{threads} thread{'s' * (threads > 1)}:", ""]
        lines += cells([r for r in rows if r["threads"] == threads], show)
    return "\n".join(lines)


def cells(rows, show):
    """A line for each size, a column for each contestant."""
    names = [n for n in NAMES if any(r["name"] == n for r in rows)]
    yield "| (T, N, D, H) | " + " | ".join(NAMES[n] for n in names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for size in dict.fromkeys(r["size"] for r in rows):
        these = {r["name"]: r for r in rows if r["size"] == size}
        row = [show(these[n]) if n in these else "-" for n in names]
        yield f"| {size} | " + " | ".join(row) + " |"


def styled():
    """Nothing but grey and clear colours on no ground: for light pages and dark ones."""
    parts = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(parts, GREY),
        "savefig.transparent": True,
        "legend.framealpha": 0.0,
        "font.size": 8,
        "svg.hashsalt": "compiled",
    }


def colour(name):
    return "#b8a000" if name == "products" else f"C{list(NAMES).index(name)}"


def ratios(rows, path):
    """The time to the fastest peer, for one thread and for all."""
    import matplotlib.pyplot as plt

    threads = sorted({r["threads"] for r in rows})
    sizes = [str(size) for size in dict.fromkeys(r["size"] for r in rows)]
    figure, axes = plt.subplots(
        *(1, len(threads)),
        figsize=(4.6 * len(threads), 3.6),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for here, count in zip(axes[0], threads, strict=True):
        for name in NAMES:
            these = [r for r in rows if (r["name"], r["threads"]) == (name, count)]
            x = [sizes.index(str(r["size"])) for r in these]
            y = [r["peer"] for r in these]
            here.plot(x, y, marker="o", markersize=3, color=colour(name), label=NAMES[name])
        here.axhline(1, color=GREY, linewidth=0.8)
        here.set(yscale="log", title=f"{count} thread{'s' * (count > 1)}")
        here.set_xticks(range(len(sizes)), sizes, fontsize=7)
    axes[0][0].set(ylabel="time, to the fastest peer")
    names = axes[0][0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=5 if len(threads) > 1 else 3)
    figure.savefig(path, metadata={"Date": None})


def grown(rows, axes, path):
    """Time and memory by T, N and H, one thread drawn through and all dashed."""
    import matplotlib.pyplot as plt

    figure, places = plt.subplots(2, len(axes), figsize=(9, 5), layout="constrained", sharey="row")
    threads = sorted({r["threads"] for r in rows})
    for column, (letter, sizes) in zip(places.T, axes.items(), strict=True):
        at = "TNDH".index(letter)
        for name in NAMES:
            for count, style in zip(threads, ("-", "--"), strict=False):
                these = [
                    r
                    for r in rows
                    if r["size"] in sizes and (r["name"], r["threads"]) == (name, count)
                ]
                if not these:
                    continue
                these.sort(key=lambda r: r["size"][at])
                x = [r["size"][at] for r in these]
                look = {"color": colour(name), "marker": "o", "markersize": 3, "linestyle": style}
                label = NAMES[name] if style == "-" else None
                column[0].plot(x, [r["ms"] for r in these], label=label, **look)
                if style == "-":
                    column[1].plot(x, [max(r["memory"], 1) for r in these], **look)
        for here in column:
            here.set(xscale="log", yscale="log", xlabel=AXES[letter])
            here.set_xticks([s[at] for s in sizes], [str(s[at]) for s in sizes])
            here.minorticks_off()
    places[0][0].set(ylabel="ms a step (dashed: all threads)")
    places[1][0].set(ylabel="MB of the first call")
    names = places[0][0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=5)
    figure.savefig(path, metadata={"Date": None})
