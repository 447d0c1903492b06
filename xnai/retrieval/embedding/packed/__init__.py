"""A multilingual encoder packed into one file with weights of 4 bits, and how it is unpacked."""
