"""The folder that holds everything the program writes: whose it is, and who may read it."""
