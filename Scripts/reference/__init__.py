"""What the slow reference is made of: see ../make-model-fixtures.py."""
