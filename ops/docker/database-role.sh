#!/bin/sh
# Runs once, when PostgreSQL makes its data: a role and a database for the service, which is no superuser.
set -eu
psql --username "$POSTGRES_USER" --no-psqlrc --set ON_ERROR_STOP=1 \
	--set password="$(cat /run/secrets/database_password)" <<'SQL'
CREATE ROLE quiz_reports LOGIN PASSWORD :'password';
CREATE DATABASE quiz_reports OWNER quiz_reports;
SQL
