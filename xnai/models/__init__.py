"""`xnai models`: the models of this machine, and how more come to it."""
