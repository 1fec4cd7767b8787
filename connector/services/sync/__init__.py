"""The calendars: bring them to what they should show, and follow up what is done there."""
