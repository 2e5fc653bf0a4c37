"""The kinds of child: for each, how it is trained, drawn and told in a line."""
