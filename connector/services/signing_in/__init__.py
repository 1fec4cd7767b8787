"""How practitioners come in: mailed links, the browsers in which they are signed in, and the log of both."""
