"""Child + data + recipe -> metric."""
