"""`xnai backup` and `xnai restore`: what a data folder holds that cannot be made again."""
