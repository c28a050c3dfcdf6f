"""Speed, scale and accuracy, each beside its peer in one run. `make bench` runs them all."""
