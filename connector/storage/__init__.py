"""The database: tables, queries, the ledger of due work, sealed credentials, migrations."""
