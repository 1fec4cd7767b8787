"""What is said to people, in their language: messages are English in the code, and catalogues have the rest."""
