"""What only the lessons need; the rest of the package never imports from here."""
