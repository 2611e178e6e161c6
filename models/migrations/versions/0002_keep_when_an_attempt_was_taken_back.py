"""Keep when an attempt was taken back."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_attempts_attemptstate"), "attempts", type_="check")
    op.create_check_constraint(
        op.f("ck_attempts_attemptstate"),
        "attempts",
        "workflow_state IN ('complete', 'pending_review', 'untaken', 'preview', 'settings_only', 'deleted')",
    )
    op.drop_constraint(op.f("ck_attempts_one_taker"), "attempts", type_="check")
    op.create_check_constraint(
        op.f("ck_attempts_one_taker"),
        "attempts",
        "num_nonnulls(user_id, temporary_user_code) = CASE WHEN workflow_state = 'deleted' THEN 0 ELSE 1 END",
    )
