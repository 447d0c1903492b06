"""`xnai doctor`: what is fine on this machine, what is not, and what to type next."""
