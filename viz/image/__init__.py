"""Positions to an image: DOT text, Graphviz under a time limit, and words for a screen reader."""
