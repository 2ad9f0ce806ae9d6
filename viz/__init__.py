"""Pictures of the recorded graph."""

from tinygrad_lstm.viz.picture import Picture, draw

__all__ = ["Picture", "draw"]
