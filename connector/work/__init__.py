"""The door of time: carries the ledger's due work to the use cases."""
