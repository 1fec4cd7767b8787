"""Files with sessions that were booked elsewhere, read a row at a time: what each says, or why it cannot be taken."""
