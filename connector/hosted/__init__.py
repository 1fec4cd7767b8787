"""What a host in the same process is given: our application within its own, for its own users."""
