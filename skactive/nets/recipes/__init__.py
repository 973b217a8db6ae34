"""What changes a training run, each in a file of its own."""
