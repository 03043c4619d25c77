"""Files of a followed video, one format each, written while it runs."""
