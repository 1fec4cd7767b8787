"""What pages, API and commands show."""
