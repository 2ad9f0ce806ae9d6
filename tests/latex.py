"""Whether LaTeX is LaTeX: what can be said without a TeX, and what a TeX says."""

import re
import shutil
import subprocess

COMMANDS = {  # all of the kernel: no package is loaded
    *(
        "left right top odot cdot otimes frac sqrt sigma exp log tanh sin cos sum overline ge le "
        "ne wedge vee neg quad ldots".split()
    ),
    *("begin end mathrm mbox delta langle rangle big tilde hat backslash sim circ lefteqn".split()),
    *(
        *(
            "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega alpha beta gamma epsilon zeta "
            "eta theta iota kappa lambda mu nu xi".split()
        ),
        *("pi rho tau phi chi psi omega".split()),
    ),
}


def check(source):
    """Balanced groups, paired delimiters, known commands, ASCII only, and rows of three columns."""
    assert source.isascii(), re.findall(r"[^\x00-\x7f]", source)
    assert set(re.findall(r"\\([A-Za-z]+)", source)) <= COMMANDS, (
        set(re.findall(r"\\([A-Za-z]+)", source)) - COMMANDS
    )
    depth = 0
    for token in re.findall(r"\\.|[{}]", source, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0, source
    assert depth == 0
    assert len(re.findall(r"\\left\b", source)) == len(re.findall(r"\\right\b", source))
    assert source.startswith("\\begin{eqnarray*}\n") and source.endswith("\n\\end{eqnarray*}")
    for row in source.split("\n")[1:-1]:
        assert len(re.findall(r"(?<!\\)&", row)) == 2 or row.startswith("\\lefteqn"), row


def compile_if_possible(folder, sources, fits=True):
    """Typeset all of `sources` with a plain article on A4 paper, where there is a TeX, and (if
    it `fits`) none wider than the page; return whether there is."""
    if not shutil.which("pdflatex"):
        return False
    formulas = "\n".join(sources)
    (folder / "formulas.tex").write_text(
        "\\documentclass[a4paper]{article}\n\\begin{document}\n" + formulas + "\n\\end{document}\n",
        encoding="utf-8",
    )
    run = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "formulas.tex"]
    done = subprocess.run(
        run, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Overfull \\hbox" not in done.stdout or not fits, re.findall("Overfull.*", done.stdout)
    return True
