"""What people decide about sessions: book, offer and answer, and the questions that practitioners answer."""
