"""A trained network as one file: written, loaded, used on pictures, exported."""
