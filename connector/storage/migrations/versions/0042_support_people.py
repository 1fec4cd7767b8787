"""Support signs in, too; a browser may be trusted, and a mailed link knows the page that was wanted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_ONE_PERSON = "(practitioner_id IS NULL) <> (support_id IS NULL)"


def upgrade() -> None:
    op.create_table(
        "support_people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_support_people"),
        sa.UniqueConstraint("email", name="uq_support_people_email"),
    )
    for name in ("signins", "browsers"):
        with op.batch_alter_table(name) as table:
            table.alter_column("practitioner_id", existing_type=sa.Uuid(), nullable=True)
            table.add_column(sa.Column("support_id", sa.Uuid()))
            table.create_foreign_key(
                f"fk_{name}_support_id_support_people", "support_people", ["support_id"], ["id"], ondelete="CASCADE"
            )
            table.create_check_constraint(op.f(f"ck_{name}_one_person"), _ONE_PERSON)
            table.create_index(f"ix_{name}_support_id", ["support_id"])
    with op.batch_alter_table("browsers") as table:
        table.add_column(sa.Column("trusted", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("program", sa.String(32)))
        table.add_column(sa.Column("system", sa.String(32)))
    by_support = sa.text("actor_role = 'support'")
    op.create_index("ix_facts_support", "facts", ["at"], sqlite_where=by_support, postgresql_where=by_support)
    op.add_column("signins", sa.Column("wanted", sa.Text()))
    op.add_column("link_requests", sa.Column("role", sa.String(16), nullable=False, server_default="practitioner"))
    op.add_column("link_requests", sa.Column("wanted", sa.Text()))


def downgrade() -> None:
    op.drop_index("ix_facts_support", "facts")
    op.drop_column("link_requests", "wanted")
    op.drop_column("link_requests", "role")
    op.drop_column("signins", "wanted")
    with op.batch_alter_table("browsers") as table:
        for name in ("system", "program", "trusted"):
            table.drop_column(name)
    for name in ("browsers", "signins"):
        op.execute(f"DELETE FROM {name} WHERE support_id IS NOT NULL")  # noqa: S608 - of the two above
        with op.batch_alter_table(name) as table:
            table.drop_index(f"ix_{name}_support_id")
            table.drop_constraint(op.f(f"ck_{name}_one_person"), type_="check")
            table.drop_constraint(f"fk_{name}_support_id_support_people", type_="foreignkey")
            table.drop_column("support_id")
            table.alter_column("practitioner_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_table("support_people")
