"""The glee command: arguments in, library calls, results out."""
