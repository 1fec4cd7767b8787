"""Hosts are told of outcomes: where, what has happened, and what became of each attempt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(255)),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid()),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("disabled_at", _instant()),
        sa.Column("disabled_why", sa.String(16)),
        sa.Column("failing_since", _instant()),
        sa.Column("not_before", _instant()),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.UniqueConstraint("external_id", name="uq_endpoints_external_id"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_endpoints_practitioner_id_practitioners"
        ),
    )
    op.create_index("ix_endpoints_practitioner_id", "endpoints", ["practitioner_id"])
    op.create_table(
        "outcomes",
        sa.Column("seq", _COUNTER, nullable=False, autoincrement=True),
        sa.Column("tx", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("practitioner_id", sa.Uuid()),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("offer_id", sa.Uuid()),
        sa.Column("connection_id", sa.Uuid()),
        sa.Column("revision", sa.Integer()),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(32)),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("at", _instant(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_outcomes"),
        sa.UniqueConstraint("id", name="uq_outcomes_id"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_outcomes_practitioner_id_practitioners"
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_outcomes_session_id_sessions"),
    )
    for name, columns in (
        ("practitioner_id", ["practitioner_id"]),
        ("session_id", ["session_id"]),
        ("at", ["at"]),
        ("tx_seq", ["tx", "seq"]),
    ):
        op.create_index(f"ix_outcomes_{name}", "outcomes", columns)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", _COUNTER, nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("queue_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("begun_at", _instant()),
        sa.Column("tried_at", _instant()),
        sa.Column("next_at", _instant()),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["seq"], ["outcomes.seq"], name="fk_deliveries_seq_outcomes", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoints.id"], name="fk_deliveries_endpoint_id_endpoints", ondelete="CASCADE"
        ),
    )
    op.create_index("uq_deliveries_endpoint_id_seq", "deliveries", ["endpoint_id", "seq"], unique=True)
    op.create_index("ix_deliveries_seq", "deliveries", ["seq"])
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["queue_id", "seq"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("outcomes")
    op.drop_table("endpoints")
