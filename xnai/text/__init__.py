"""What depends on the form of a text: its sentences, its words, the code in it."""
