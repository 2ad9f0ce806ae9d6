"""What is done to a graph before it is planned. None of it knows what an LSTM is."""
