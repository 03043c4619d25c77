"""The report of one run: tables, curves and the worst pictures in a single HTML file."""
