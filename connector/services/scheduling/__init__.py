"""What people decide about sessions: book, offer, answer, and what practitioners are asked."""
