"""The commands of the program, a module each: its name, its options and what it runs."""
