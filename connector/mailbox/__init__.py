"""The mailbox that clients answer to, read by IMAP."""
