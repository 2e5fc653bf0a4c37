"""Language models made of recurrent cells."""
