"""The engine: values, stages, forks, and the walk backward. It knows no operation by name."""
