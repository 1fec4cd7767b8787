"""What leaves towards people: letters by SMTP."""
