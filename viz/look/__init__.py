"""What is said in a picture, and in which ink."""
