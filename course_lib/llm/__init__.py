"""The language model: loading it, asking it and training it. Start with plain.py."""
