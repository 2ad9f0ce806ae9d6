"""The LSTM of the document, and its errata as data."""
