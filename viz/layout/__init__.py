"""Where things stand: the LSTM by its roles, any other cell by a template, blocks in rows."""
