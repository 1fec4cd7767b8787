"""What hosts are told: where to, what it says, and that it arrives. See docs/decisions/0063."""
