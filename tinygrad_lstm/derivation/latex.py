"""Names in LaTeX, with commands that need no package, whatever characters are in them."""

from __future__ import annotations

from tinygrad_lstm.engine.names import Name, apart

__all__ = ["escaped", "latex_name"]

GREEK = {
    letter: rf"\{name}"
    for letter, name in zip(
        "ΓΔΘΛΞΠΣΦΨΩ", "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split(), strict=True
    )
}
GREEK |= {
    letter: rf"\{name}"
    for letter, name in zip(
        "αβγδεζηθικλμνξπρστφχψω",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma "
        "tau phi chi psi omega".split(),
        strict=True,
    )
}
ACCENTS = {"~": r"\tilde", "^": r"\hat"}
SPECIAL = {c: rf"\{c}" for c in "#$%&_{}"} | {
    "\\": r"\backslash ",
    "~": r"\sim ",
    "^": r"\wedge ",
    " ": r"\ ",
    "−": "-",
    "∘": r"\circ ",
}


def latex_name(name: str) -> str:
    """``\\Gamma_{f}^{\\langle 2\\rangle}`` for ``Γ_f<2>``."""
    role, block = apart(name)
    stem, _, scope = Name.parse(role)
    written = rf"\mathrm{{{escaped(scope)}}}." if scope else ""
    first, _, low = stem.partition("_")
    written += f"{stem_of(first)}_{{{stem_of(low)}}}" if first and low else stem_of(stem)
    return written + (rf"^{{\langle {escaped(block)}\rangle}}" if block else "")


def stem_of(stem: str) -> str:
    """A letter as it is, a word upright, ``c~`` with its tilde on top."""
    for accent, command in ACCENTS.items():
        if len(stem) == 2 and stem.endswith(accent):
            return f"{command}{{{stem_of(stem[0])}}}"
    if stem == "â":
        return r"\hat{a}"
    if len(stem) == 1:
        return GREEK.get(stem) or escaped(stem)
    return rf"\mathrm{{{escaped(stem)}}}"


def escaped(text: str) -> str:
    """Text inside a formula: any character at all, in commands that every LaTeX has."""
    return "".join(
        SPECIAL.get(c)
        or GREEK.get(c)
        or (c if " " < c < "\x7f" else rf"\langle U{{+}}{ord(c):04X}\rangle ")
        for c in text
    )
