#!/bin/bash
# Makes the logs in plugins/formats/pgaudit/testdata: starts PostgreSQL with pgaudit on folders of its
# own, does what an auditor asks about (logins, refusals, roles and passwords, tables, grants, reads
# and writes, multi-line statements, parameters, configuration), and leaves the log in its three
# forms. Run as root on a Debian machine with postgresql and postgresql-15-pgaudit.
# Usage: pgaudit.sh OUT_FOLDER
set -eu

out=$(realpath "$1")
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
work=$(mktemp -d /tmp/capture.XXXXXX)
chown postgres "$work"
chmod 755 "$work"
port=54329

as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups env -C "$work" "$@"; }
stop() { as_postgres "$bin/pg_ctl" -D "$work/data" -m fast -w stop >/dev/null 2>&1; }
cleanup() {
  set +e
  stop
  rm -rf "$work"
}
trap cleanup EXIT

as_postgres "$bin/initdb" -D "$work/data" -U postgres -E UTF8 --locale=C -A trust >/dev/null
cat >>"$work/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$work'
shared_preload_libraries = 'pgaudit'
log_destination = 'stderr,csvlog,jsonlog'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql.log'
log_timezone = 'UTC'
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %q%u@%d '
pgaudit.log = 'all'
pgaudit.log_parameter = on
pgaudit.role = 'auditor'
CONF
cat >"$work/data/pg_hba.conf" <<CONF
local all all trust
host all mallory all reject
host shop all 127.0.0.1/32 scram-sha-256
CONF
as_postgres "$bin/pg_ctl" -D "$work/data" -w start >/dev/null

sql() { as_postgres psql -q -h "$work" -p $port -U "${3:-postgres}" -d "${2:-postgres}" -c "$1" >/dev/null 2>&1 || true; }
over_tcp() {
  PGPASSWORD=$2 as_postgres psql -q -h 127.0.0.1 -p $port -U "$1" -d "$3" -c "$4" >/dev/null 2>&1 || true
}

sql "CREATE DATABASE shop"
sql "CREATE ROLE auditor"
sql "CREATE ROLE alice LOGIN PASSWORD 'correct horse'"
sql "CREATE USER bob WITH ENCRYPTED PASSWORD 'battery staple' VALID UNTIL '2027-01-01'"
sql "ALTER ROLE bob PASSWORD 'it''s changed'"
sql "ALTER ROLE bob CREATEDB"
sql "GRANT auditor TO bob"
sql "CREATE EXTENSION pgaudit" shop
sql 'CREATE TABLE public.ledger
(
  id int PRIMARY KEY,
  "odd ""name" text, -- with a comma, and a quote "
  amount numeric
)' shop
sql "GRANT SELECT, INSERT ON public.ledger TO alice; GRANT SELECT ON public.ledger TO auditor" shop
over_tcp alice "correct horse" shop "INSERT INTO ledger VALUES (1, 'a
b, \"c\"', 10)"
over_tcp alice "correct horse" shop "SELECT * FROM ledger WHERE amount > 5"
over_tcp alice "correct horse" shop "DELETE FROM ledger"
over_tcp alice "wrong password" shop "SELECT 1"
over_tcp nobody "none" shop "SELECT 1"
over_tcp mallory "none" shop "SELECT 1"
over_tcp alice "correct horse" postgres "SELECT 1"
over_tcp alice "correct horse" absent "SELECT 1"
sql "PREPARE add(int, text) AS INSERT INTO ledger VALUES (\$1, \$2, 0); EXECUTE add(2, 'x, y')" shop
sql "BEGIN; UPDATE ledger SET amount = 11 WHERE id = 1; COMMIT" shop
sql "DO \$\$ BEGIN EXECUTE 'CREATE TABLE made (a int)'; END \$\$" shop
sql "COPY ledger TO STDOUT" shop
sql "SET pgaudit.log = 'none'" shop
sql "SET ROLE bob; SELECT 1; RESET ROLE" shop
sql "TRUNCATE TABLE made; DROP TABLE made" shop
sql "ALTER SYSTEM SET work_mem = '8MB'"
sql "SELECT pg_reload_conf()"
sql "SELECT relname FROM pg_class WHERE relname = E'tab\there, \\\\ and ünïcode'"
sql "syntax error here" shop
sql "REVOKE SELECT ON public.ledger FROM alice" shop
sql "DROP ROLE nobody"
sleep 0.5
sql "DROP OWNED BY bob; DROP ROLE bob"
stop
for form in log csv json; do cp "$work/data/log/postgresql.$form" "$out/postgresql.$form"; done
chmod 644 "$out"/postgresql.*
