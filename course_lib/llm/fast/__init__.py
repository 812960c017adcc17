"""What only speed and memory need. Every fast path gives what llm/plain.py gives, and a test holds them equal."""
