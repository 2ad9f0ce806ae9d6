"""Gradients of the tape against gradients derived by hand: verdicts, the first wrong row, and what
it looks like."""
