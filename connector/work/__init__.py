"""Due work: carries what the ledger says is due to the use cases."""
