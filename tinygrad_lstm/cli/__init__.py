"""The command line: the program, what it computes, the series that it reads."""
