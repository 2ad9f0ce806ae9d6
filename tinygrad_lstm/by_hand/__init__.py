"""Backpropagation through recurrent nets derived by hand, in NumPy: a judge of the tape that shares
no derivative rule with it."""

from tinygrad_lstm.by_hand.layers import gru, lstm, rnn
from tinygrad_lstm.by_hand.step import update
from tinygrad_lstm.lstm.errata import ERRATA

__all__ = ["ERRATA", "gru", "lstm", "rnn", "update"]
