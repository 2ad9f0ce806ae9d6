"""Exercises that mark themselves: the derivatives of a network, to be filled in."""

from tinygrad_lstm.exercises.helper import derives
from tinygrad_lstm.exercises.marks import Mark, Marks, check, check_all
from tinygrad_lstm.exercises.task import Exercise, exercise

__all__ = ["Exercise", "Mark", "Marks", "check", "check_all", "derives", "exercise"]
