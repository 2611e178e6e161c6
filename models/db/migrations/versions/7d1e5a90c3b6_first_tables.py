"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "7d1e5a90c3b6"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("course_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_access_tokens_sha256")),
    )
    op.create_table(
        "courses",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("course_code", sa.Text(), nullable=True),
        sa.Column("sis_course_id", sa.Text(), nullable=True),
        sa.Column("include_root_accounts", sa.Boolean(), nullable=False),
        sa.Column("roster_revision", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
        sa.UniqueConstraint("sis_course_id", name=op.f("uq_courses_sis_course_id")),
    )
    op.create_table(
        "files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_files_storage_key")),
        sa.UniqueConstraint("uuid", name=op.f("uq_files_uuid")),
    )
    op.create_table(
        "progress",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("completion", sa.Double(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_progress")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sis_user_id", sa.Text(), nullable=True),
        sa.Column("root_account", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "course_users",
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_course_users_course_id_courses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_course_users_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", "user_id", name=op.f("pk_course_users")),
    )
    op.create_index(op.f("ix_course_users_user_id"), "course_users", ["user_id"], unique=False)
    op.create_table(
        "quizzes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "quiz_type",
            sa.Enum(
                "practice_quiz",
                "assignment",
                "graded_survey",
                "survey",
                name="quiztype",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("anonymous_submissions", sa.Boolean(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "scoring_policy",
            sa.Enum(
                "keep_highest",
                "keep_latest",
                "keep_average",
                name="scoringpolicy",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("points_possible", sa.Double(), nullable=True),
        sa.Column("assignment_id", sa.BigInteger(), nullable=True),
        sa.Column("question_set_id", sa.BigInteger(), nullable=True),
        sa.Column("question_groups", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("response_count", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_quizzes_course_id_courses"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quizzes")),
    )
    op.create_index("ix_quizzes_course_id_id", "quizzes", ["course_id", "id"], unique=False)
    op.create_index(
        "uq_quizzes_course_id_assignment_id",
        "quizzes",
        ["course_id", "assignment_id"],
        unique=True,
        postgresql_where=sa.text("assignment_id IS NOT NULL"),
    )
    op.create_table(
        "page_links",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("quiz_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_page_links_quiz_id_quizzes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_page_links")),
    )
    op.create_index("ix_page_links_expires_at", "page_links", ["expires_at"], unique=False)
    op.create_table(
        "sections",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sis_section_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_sections_course_id_courses"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sections")),
    )
    op.create_index(op.f("ix_sections_course_id"), "sections", ["course_id"], unique=False)
    op.create_table(
        "enrollments",
        sa.Column("section_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "StudentEnrollment",
                "TeacherEnrollment",
                "TaEnrollment",
                "DesignerEnrollment",
                "ObserverEnrollment",
                "StudentViewEnrollment",
                name="enrollmenttype",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "enrollment_state",
            sa.Enum(
                "active",
                "invited",
                "completed",
                "inactive",
                "deleted",
                name="enrollmentstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_enrollments_course_id_courses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["section_id"],
            ["sections.id"],
            name=op.f("fk_enrollments_section_id_sections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_enrollments_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("section_id", "user_id", "type", name=op.f("pk_enrollments")),
    )
    op.create_index("ix_enrollments_course_id_user_id", "enrollments", ["course_id", "user_id"], unique=False)
    op.create_index(op.f("ix_enrollments_user_id"), "enrollments", ["user_id"], unique=False)
    op.create_table(
        "question_sets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("quiz_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("question_version_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_question_sets_quiz_id_quizzes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question_sets")),
        sa.UniqueConstraint("quiz_id", "digest", name=op.f("uq_question_sets_quiz_id_digest")),
    )
    op.create_foreign_key(
        op.f("fk_quizzes_question_set_id_question_sets"),
        "quizzes",
        "question_sets",
        ["question_set_id"],
        ["id"],
    )
    op.create_table(
        "question_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("quiz_id", sa.BigInteger(), nullable=False),
        sa.Column("question_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_question_versions_quiz_id_quizzes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question_versions")),
        sa.UniqueConstraint(
            "quiz_id", "question_id", "digest", name=op.f("uq_question_versions_quiz_id_question_id_digest")
        ),
    )
    op.create_table(
        "quiz_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("quiz_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "report_type",
            sa.Enum(
                "student_analysis",
                "item_analysis",
                "statistics",
                name="reporttype",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("format", sa.String(length=40), nullable=False),
        sa.Column("includes_all_versions", sa.Boolean(), nullable=False),
        sa.Column("includes_sis_ids", sa.Boolean(), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("section_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("attempt_choice", sa.String(length=40), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "idle",
                "queued",
                "running",
                "failed",
                "generated",
                name="reportstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("progress_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "queue",
            sa.Enum("small", "large", name="queue", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("send_count", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("quiz_revision", sa.BigInteger(), nullable=True),
        sa.Column("roster_revision", sa.BigInteger(), nullable=True),
        sa.Column("analysis_version", sa.Text(), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=True),
        sa.Column("transactions", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(state = 'generated') = (file_id IS NOT NULL)", name=op.f("ck_quiz_reports_file_when_generated")
        ),
        sa.CheckConstraint(
            "(state = 'idle') = (progress_id IS NULL)", name=op.f("ck_quiz_reports_progress_unless_idle")
        ),
        sa.CheckConstraint(
            "(state = 'running') = (claim_token IS NOT NULL)"
            " AND (state = 'running') = (lease_until IS NOT NULL)",
            name=op.f("ck_quiz_reports_lease_while_running"),
        ),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_quiz_reports_file_id_files")),
        sa.ForeignKeyConstraint(
            ["progress_id"], ["progress.id"], name=op.f("fk_quiz_reports_progress_id_progress")
        ),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_quiz_reports_quiz_id_quizzes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiz_reports")),
        sa.UniqueConstraint("file_id", name=op.f("uq_quiz_reports_file_id")),
        sa.UniqueConstraint("progress_id", name=op.f("uq_quiz_reports_progress_id")),
    )
    op.create_index(
        "ix_quiz_reports_live",
        "quiz_reports",
        ["state", "enqueued_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_quiz_reports_quiz_id_id", "quiz_reports", ["quiz_id", "id"], unique=False)
    op.create_index(
        "uq_quiz_reports_live_variant",
        "quiz_reports",
        [
            "quiz_id",
            "report_type",
            "format",
            "includes_all_versions",
            "includes_sis_ids",
            "anonymous",
            "section_ids",
            "attempt_choice",
        ],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("quiz_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_submissions_quiz_id_quizzes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
    )
    op.create_table(
        "deleted_attempts",
        sa.Column("submission_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submissions.id"],
            name=op.f("fk_deleted_attempts_submission_id_submissions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("submission_id", "attempt", name=op.f("pk_deleted_attempts")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("quiz_id", sa.BigInteger(), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("temporary_user_code", sa.Text(), nullable=True),
        sa.Column(
            "workflow_state",
            sa.Enum(
                "complete",
                "pending_review",
                "preview",
                name="attemptstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("was_preview", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("kept_score", sa.Double(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("has_data", sa.Boolean(), nullable=False),
        sa.Column("n_correct", sa.Integer(), nullable=False),
        sa.Column("n_incorrect", sa.Integer(), nullable=False),
        sa.Column("question_set_id", sa.BigInteger(), nullable=False),
        sa.Column("quiz_question_set_id", sa.BigInteger(), nullable=True),
        sa.Column("answer_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("texts", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("points", postgresql.ARRAY(sa.DOUBLE_PRECISION()), nullable=False),
        sa.Column("outcomes", sa.Text(), nullable=False),
        sa.Column("selections", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("response_bytes", sa.Integer(), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "changed_in",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(user_id IS NULL) <> (temporary_user_code IS NULL)", name=op.f("ck_attempts_one_taker")
        ),
        sa.ForeignKeyConstraint(
            ["question_set_id"], ["question_sets.id"], name=op.f("fk_attempts_question_set_id_question_sets")
        ),
        sa.ForeignKeyConstraint(
            ["quiz_question_set_id"],
            ["question_sets.id"],
            name=op.f("fk_attempts_quiz_question_set_id_question_sets"),
        ),
        sa.ForeignKeyConstraint(
            ["quiz_id"], ["quizzes.id"], name=op.f("fk_attempts_quiz_id_quizzes"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_attempts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("submission_id", "attempt", name=op.f("uq_attempts_submission_id_attempt")),
        postgresql_with={"toast_tuple_target": "8160", "autovacuum_vacuum_insert_scale_factor": "0.02"},
    )
    op.create_index("ix_attempts_quiz_id_changed_in", "attempts", ["quiz_id", "changed_in"], unique=False)
    op.create_index(
        "ix_attempts_selected",
        "attempts",
        ["quiz_id", "user_id", "submission_id", "attempt"],
        unique=False,
        postgresql_include=[
            "id",
            "question_set_id",
            "quiz_question_set_id",
            "workflow_state",
            "was_preview",
            "score",
            "kept_score",
            "finished_at",
            "updated_at",
            "has_data",
            "response_bytes",
        ],
    )
    op.create_index(op.f("ix_attempts_user_id"), "attempts", ["user_id"], unique=False)
    op.create_table(
        "attempt_payloads",
        sa.Column("attempt_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("payload_bytes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempts.id"],
            name=op.f("fk_attempt_payloads_attempt_id_attempts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_attempt_payloads")),
    )


def downgrade() -> None:
    op.drop_table("attempt_payloads")
    op.drop_index(op.f("ix_attempts_user_id"), table_name="attempts")
    op.drop_index("ix_attempts_selected", table_name="attempts")
    op.drop_index("ix_attempts_quiz_id_changed_in", table_name="attempts")
    op.drop_table("attempts")
    op.drop_table("deleted_attempts")
    op.drop_table("submissions")
    op.drop_index(
        "uq_quiz_reports_live_variant",
        table_name="quiz_reports",
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.drop_index("ix_quiz_reports_quiz_id_id", table_name="quiz_reports")
    op.drop_index(
        "ix_quiz_reports_live",
        table_name="quiz_reports",
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.drop_table("quiz_reports")
    op.drop_table("question_versions")
    op.drop_constraint(op.f("fk_quizzes_question_set_id_question_sets"), "quizzes", type_="foreignkey")
    op.drop_table("question_sets")
    op.drop_index(op.f("ix_enrollments_user_id"), table_name="enrollments")
    op.drop_index("ix_enrollments_course_id_user_id", table_name="enrollments")
    op.drop_table("enrollments")
    op.drop_index(op.f("ix_sections_course_id"), table_name="sections")
    op.drop_table("sections")
    op.drop_index("ix_page_links_expires_at", table_name="page_links")
    op.drop_table("page_links")
    op.drop_index(
        "uq_quizzes_course_id_assignment_id",
        table_name="quizzes",
        postgresql_where=sa.text("assignment_id IS NOT NULL"),
    )
    op.drop_index("ix_quizzes_course_id_id", table_name="quizzes")
    op.drop_table("quizzes")
    op.drop_index(op.f("ix_course_users_user_id"), table_name="course_users")
    op.drop_table("course_users")
    op.drop_table("users")
    op.drop_table("progress")
    op.drop_table("files")
    op.drop_table("courses")
    op.drop_table("access_tokens")
