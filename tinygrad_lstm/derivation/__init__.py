"""The chain rule written out: formulas as data, the derivation of a tape, and how it is written."""
