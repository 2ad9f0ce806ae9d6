"""A tape as data to be drawn: nodes, edges, frames, levels, marks."""
