"""The paper's benchmarks: for each, where its data lie, its protocol and its numbers."""
