"""Measures search and answers on questions whose answers are known: ``xnai eval``."""
