"""The table of operations: a module for each family, a row for each operation."""
