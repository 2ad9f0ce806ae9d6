"""compile(): forward and backward of a function, recorded once and replayed as one program."""
