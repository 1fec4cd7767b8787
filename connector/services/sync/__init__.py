"""The calendars: bring them to what they shall show, and take in what is done there."""
