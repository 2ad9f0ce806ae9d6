"""The operations, each forward function beside its derivative rules.

To add one is to write its forward function and one rule per argument in the file where its siblings
are.
"""
