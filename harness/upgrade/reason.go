package upgrade

import (
	"regexp"

	"mysqlmatrix/harness/flavor"
)

// reason explains what a server has refused, or has read otherwise. It is looked for only when that has happened: the verdict is
// the server's.
type reason struct {
	numbers []uint16       // error numbers; none is any
	since   flavor.Flavor  // the release that changed it; the zero flavor is any change of server
	pattern *regexp.Regexp // in the statement; nil is any. The line of the match is the line of the finding
	message *regexp.Regexp // in the error message; nil is any
	// collation is a reason that holds only where the collation of a table or database is another.
	collation bool
	cause     string
	todo      string
}

func mysqlAt(major, minor, patch int) flavor.Flavor {
	return flavor.Flavor{Vendor: flavor.MySQL, Version: flavor.Version{Major: major, Minor: minor, Patch: patch}}
}

func mariadbAt(major, minor, patch int) flavor.Flavor {
	return flavor.Flavor{Vendor: flavor.MariaDB, Version: flavor.Version{Major: major, Minor: minor, Patch: patch}}
}

func pattern(s string) *regexp.Regexp { return regexp.MustCompile("(?is)" + s) }

// refusals are reasons for errors, the narrower before the wider. Sources: MySQL's reference manual, "What Is New in MySQL",
// "Changes in MySQL", "Features Removed in MySQL" of 5.7, 8.0, 8.4 and 9.x, and its release notes; MariaDB's documentation,
// "Upgrading from … to …" and "Incompatibilities between MariaDB and MySQL".
var refusals = []reason{
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 13), pattern: pattern(`GROUP\s+BY\s+[^;]*?\b(ASC|DESC)\b`),
		cause: "GROUP BY … ASC and DESC were removed (MySQL 8.0.13)", todo: "sort by ORDER BY, on the old server first"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 11), pattern: pattern(`\bGRANT\b.*\bIDENTIFIED\s+(BY|WITH)`),
		cause: "GRANT no longer makes accounts or sets passwords: IDENTIFIED was removed from it (MySQL 8.0.11)",
		todo:  "CREATE USER … IDENTIFIED BY … first, then GRANT; by replication, make accounts so on the old primary as well"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 11), pattern: pattern(`\bPASSWORD\s*\(`),
		cause: "PASSWORD() was removed (MySQL 8.0.11)", todo: "set a password by ALTER USER … IDENTIFIED BY; hash other values by SHA2() or in the application"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 4, 0), pattern: pattern(`\b(SHOW\s+(SLAVE|MASTER)\s+STATUS|SHOW\s+SLAVE\s+HOSTS|CHANGE\s+MASTER|(START|STOP|RESET)\s+SLAVE|RESET\s+MASTER|SHOW\s+MASTER\s+LOGS|PURGE\s+MASTER)\b`),
		cause: "the old words of replication were removed (MySQL 8.4.0)",
		todo:  "SHOW REPLICA STATUS, SHOW BINARY LOG STATUS, SHOW REPLICAS, CHANGE REPLICATION SOURCE TO, START/STOP/RESET REPLICA, RESET BINARY LOGS AND GTIDS"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 3), pattern: pattern(`\bSQL_CACHE\b`), cause: "SQL_CACHE was removed with the query cache (MySQL 8.0.3)", todo: "leave SQL_CACHE out"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 3), pattern: pattern(`\b(FLUSH|RESET)\s+QUERY\s+CACHE\b`), cause: "the query cache was removed (MySQL 8.0.3)", todo: "leave the statement out"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 11), pattern: pattern(`\bPROCEDURE\s+ANALYSE\b`), cause: "PROCEDURE ANALYSE was removed (MySQL 8.0.11)", todo: "leave it out"},
	{numbers: []uint16{1064}, since: mysqlAt(8, 0, 0), pattern: pattern(`\\N\b`), cause: `\N is no longer NULL (MySQL 8.0)`, todo: "write NULL"},
	{numbers: []uint16{1064}, since: mysqlAt(5, 7, 4), pattern: pattern(`\bALTER\s+IGNORE\s+TABLE\b`), cause: "ALTER IGNORE TABLE was removed (MySQL 5.7.4)", todo: "remove duplicates first, and leave IGNORE out"},
	{numbers: []uint16{1064}, since: mysqlAt(5, 5, 0), pattern: pattern(`\bTYPE\s*=\s*(MyISAM|InnoDB|HEAP|BDB)`), cause: "TYPE= was removed (MySQL 5.5)", todo: "write ENGINE="},
	{numbers: []uint16{1064}, pattern: pattern(`\bWITH\s+SYSTEM\s+VERSIONING\b`), message: pattern(`SYSTEM`),
		cause: "system-versioned tables are MariaDB's alone; a dump has no history rows either", todo: "leave WITH SYSTEM VERSIONING out, and keep history in a table of its own"},
	{numbers: []uint16{1064}, pattern: pattern(`\bSEQUENCE\b`), message: pattern(`SEQUENCE`), cause: "sequences are MariaDB's alone", todo: "use AUTO_INCREMENT, or a table that counts"},
	{numbers: []uint16{1064}, pattern: pattern(`\b(PAGE_CHECKSUM|TRANSACTIONAL)\s*=|ENGINE\s*=\s*Aria`), message: pattern(`PAGE_CHECKSUM|TRANSACTIONAL|Aria`),
		cause: "Aria and its table options are MariaDB's alone", todo: "ENGINE=InnoDB, without PAGE_CHECKSUM and TRANSACTIONAL"},
	{numbers: []uint16{1064}, pattern: pattern(`->>?\s*'`), message: pattern(`near '-?>>?'`), cause: "-> and ->> on JSON are MySQL's alone", todo: "JSON_EXTRACT(…), JSON_UNQUOTE(JSON_EXTRACT(…))"},
	{numbers: []uint16{1064}, pattern: pattern(`(KEY|INDEX)\s+\S*\s*\(\s*\(`), message: pattern(`near '\(`),
		cause: "an index on an expression is MySQL's alone", todo: "a generated column, and an index on it"},
	{numbers: []uint16{1064}, pattern: pattern(`\bMEMBER\s+OF\b|\bJSON_TABLE\b|\bVALUES\s+ROW\b|\bLATERAL\b|\bINVISIBLE\b|\bVISIBLE\b|\bRETURNING\b|\bENCRYPTION\s*=|\bSRID\b`),
		cause: "the new server has another syntax for this", todo: "write it in the new server's words"},

	{numbers: []uint16{1231}, pattern: pattern(`sql_mode`), cause: "the statement names an SQL mode that the new version no longer has",
		todo: "take the mode out of the dump's SET sql_mode; never load with --force: what follows would be made under the session's own mode"},
	{numbers: []uint16{1231}, cause: "the variable does not take this value any more", todo: "set a value that both versions take"},
	{numbers: []uint16{1193}, message: pattern(`'tx_(isolation|read_only)'`), cause: "tx_isolation and tx_read_only were removed (MySQL 8.0.3)", todo: "@@transaction_isolation, @@transaction_read_only; MySQL 5.7.20 knows both names"},
	{numbers: []uint16{1193}, message: pattern(`'query_cache`), cause: "the query cache was removed, and its variables with it (MySQL 8.0.3)", todo: "leave the variable out"},
	{numbers: []uint16{1193}, message: pattern(`'innodb_(file_format|large_prefix|file_format_max|file_format_check)'`), cause: "InnoDB has one file format: its variables were removed", todo: "leave the variable out"},
	{numbers: []uint16{1193}, message: pattern(`'default_authentication_plugin'`), cause: "default_authentication_plugin was removed (MySQL 8.4.0)", todo: "authentication_policy"},
	{numbers: []uint16{1193}, message: pattern(`'show_compatibility_56'`), cause: "show_compatibility_56 was removed (MySQL 8.0.1)", todo: "read performance_schema"},
	{numbers: []uint16{1193}, cause: "the new version has no such variable", todo: "leave it out, or use what replaces it"},

	{numbers: []uint16{1305, 3763}, pattern: pattern(`\b(ENCODE|DECODE)\s*\(`), message: pattern(`\b(ENCODE|DECODE)\b`), cause: "ENCODE() and DECODE() were removed (MySQL 8.0.3)",
		todo: "decode the values on the old server: the new one can never read them; then AES_ENCRYPT()"},
	{numbers: []uint16{1305, 3763}, message: pattern(`\bDES_(EN|DE)CRYPT\b|\bENCRYPT\b`), cause: "DES_ENCRYPT(), DES_DECRYPT() and ENCRYPT() were removed (MySQL 8.0.3)",
		todo: "decrypt the values on the old server: the new one can never read them; then AES_ENCRYPT(), SHA2()"},
	{numbers: []uint16{1305, 3763}, since: mysqlAt(9, 6, 0), message: pattern(`\b(MD5|SHA1?)\b`), cause: "MD5(), SHA1() and SHA() are functions of a component that is not installed (MySQL 9.6.0)",
		todo: "SHA2(); or, where the old values are needed, INSTALL COMPONENT 'file://component_classic_hashing', whose functions cannot stand in generated columns"},
	{numbers: []uint16{1305}, message: pattern(`WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS`), cause: "WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS() was removed (MySQL 8.2.0)", todo: "WAIT_FOR_EXECUTED_GTID_SET()"},
	{numbers: []uint16{1305}, message: pattern(`MASTER_POS_WAIT`), cause: "MASTER_POS_WAIT() was removed", todo: "SOURCE_POS_WAIT()"},
	{numbers: []uint16{3763}, message: pattern("disallowed function: `?\\w+`?"), since: mysqlAt(8, 0, 0), cause: "the expression of a generated column names a function that the new version does not have",
		todo: "write the function's new name, for spatial ones with ST_ before it; SHOW CREATE TABLE on the old server prints it so already, so that a dump of it loads"},
	{numbers: []uint16{1305}, since: mysqlAt(8, 0, 0), pattern: pattern(`\b(Geom\w*From\w*|Point\w*From\w*|Line\w*From\w*|Poly\w*From\w*|M(Line|Point|Poly)\w*From\w*|AsText|AsWKT|AsBinary|AsWKB|Area|Buffer|Centroid|Contains|Crosses|Dimension|Disjoint|Distance|EndPoint|Envelope|Equals|ExteriorRing|GeometryN|GeometryType|GLength|InteriorRingN|Intersects|IsClosed|IsEmpty|IsSimple|NumGeometries|NumInteriorRings|NumPoints|Overlaps|PointN|SRID|StartPoint|Touches|Within|X|Y)\s*\(`),
		message: pattern(`(Geom|Point|Line|Poly|MLine|MPoint|MPoly|AsText|AsWK|AsBinary|\.(Area|Buffer|Centroid|Contains|Crosses|Dimension|Disjoint|Distance|EndPoint|Envelope|Equals|ExteriorRing|GLength|InteriorRingN|Intersects|IsClosed|IsEmpty|IsSimple|Num\w+|Overlaps|SRID|StartPoint|Touches|Within|X|Y)\b)`),
		cause:   "the old names of spatial functions were removed (MySQL 8.0.0)", todo: "write the name with ST_ before it: ST_GeomFromText, ST_AsText, ST_X; routines keep their text, while 5.7 has rewritten views by itself"},
	{numbers: []uint16{1305}, message: pattern(`^FUNCTION`), cause: "the new version has no such function", todo: "use what replaces it"},

	{numbers: []uint16{1109}, message: pattern(`INNODB_SYS_`), cause: "information_schema.INNODB_SYS_… was renamed (MySQL 8.0.3)", todo: "information_schema.INNODB_TABLES, INNODB_COLUMNS, INNODB_INDEXES, …"},
	{numbers: []uint16{1109}, message: pattern(`(GLOBAL|SESSION)_(STATUS|VARIABLES)`), cause: "information_schema.GLOBAL_STATUS and its like were removed (MySQL 8.0.1)", todo: "performance_schema.global_status, global_variables, session_status, session_variables"},
	{numbers: []uint16{1109}, cause: "information_schema has no such table any more", todo: "use what replaces it"},
	{numbers: []uint16{1146}, message: pattern(`'mysql\.(proc|event)'`), cause: "mysql.proc and mysql.event were removed: the data dictionary holds routines and events (MySQL 8.0.0)", todo: "information_schema.ROUTINES, PARAMETERS, EVENTS"},
	{numbers: []uint16{1146}, message: pattern(`'(mysql|performance_schema|sys)\.`), cause: "the new version has no such system table", todo: "use what replaces it"},
	{numbers: []uint16{1054}, pattern: pattern(`mysql.{0,3}\.\W?user`), message: pattern(`'password'`), cause: "mysql.user has no column Password since MySQL 5.7.6", todo: "authentication_string"},
	{numbers: []uint16{1054}, pattern: pattern(`mysql\W*\.|information_schema|performance_schema`), cause: "a system table has no such column any more", todo: "read the columns that the new version has"},

	{numbers: []uint16{3685, 3692, 3688, 3690, 3691, 3693, 3694, 3695, 3696, 3697, 3698, 3699}, since: mysqlAt(8, 0, 4), cause: "regular expressions are ICU's since MySQL 8.0.4: [[:<:]] and [[:>:]] are no word boundaries",
		todo: `write \\b for a word boundary, and read the pattern by ICU's rules`},
	{numbers: []uint16{1139}, cause: "the regular expression is not one of the new version's library", todo: "write the pattern for the new library"},
	{numbers: []uint16{1525}, since: mysqlAt(8, 0, 16), cause: "a date compared with a text that is no date is an error (MySQL 8.0.16)", todo: "compare with a date, or with NULL"},
	{numbers: []uint16{1055, 1056, 3029}, since: mysqlAt(5, 7, 5), cause: "ONLY_FULL_GROUP_BY is a default SQL mode since MySQL 5.7.5", todo: "name every column in GROUP BY, or use ANY_VALUE(); sql_mode can be set to the old default for the change-over"},
	{numbers: []uint16{1406, 1292, 1364, 1366, 1264, 1265, 1365, 1411, 1300}, cause: "strict SQL mode, a default of the new version, refuses a value that the old one cut, zeroed or made up with a warning",
		todo: "write a value that fits; look for damaged values among the old rows; sql_mode can be set to the old default for the change-over"},
	{numbers: []uint16{1048}, since: mysqlAt(8, 0, 2), pattern: pattern(`\bNULL\b`), cause: "NULL for a TIMESTAMP NOT NULL was the time of day; explicit_defaults_for_timestamp is ON since MySQL 8.0.2",
		todo: "leave the column out of the INSERT, or write CURRENT_TIMESTAMP; explicit_defaults_for_timestamp=OFF for the change-over"},
	{numbers: []uint16{1067}, cause: "the default is not valid under the new version's SQL mode (NO_ZERO_DATE, strict) or for the type", todo: "give the column a valid default"},
	{numbers: []uint16{1062}, cause: "two values are equal under the new version's collation: where a dump names utf8mb4 without a collation, the new version's default is taken (utf8mb4_0900_ai_ci: ß equals ss, æ equals ae, blanks at the end count)",
		todo: "add COLLATE=utf8mb4_general_ci to the dump's lines with CHARSET=utf8mb4 alone, or load it under default_collation_for_utf8mb4=utf8mb4_general_ci; never with --force, which leaves the table empty"},
	{numbers: []uint16{1071}, cause: "a key is longer than the new version allows: where the schema names no character set, the default is utf8mb4 (MySQL 8.0.1), of 4 bytes a character",
		todo: "name the old character set in CREATE DATABASE or CREATE TABLE, or shorten the key"},
	{numbers: []uint16{1267, 1270, 1271, 3988}, cause: "two collations meet: the new version's default, and the one that the old version gave", todo: "name the collation in the tables, the routine's variables or the connection"},
	{numbers: []uint16{3505}, since: mysqlAt(8, 0, 0), cause: "an element of an ENUM or SET is longer than 255 characters or 1020 bytes (MySQL 8.0)", todo: "shorten it by ALTER TABLE on the old server"},
	{numbers: []uint16{1178}, pattern: pattern(`PARTITION\s+BY`), since: mysqlAt(8, 0, 0), cause: "partitions need an engine that has its own: MyISAM's were removed (MySQL 8.0)", todo: "ALTER TABLE … ENGINE=InnoDB or REMOVE PARTITIONING, on the old server"},
	{numbers: []uint16{1478, 3653}, pattern: pattern(`PARTITION`), since: mysqlAt(8, 0, 13), cause: "partitions must not lie in a shared tablespace (MySQL 8.0.13)",
		todo: "ALTER TABLE … REORGANIZE PARTITION … TABLESPACE innodb_file_per_table, on the old server"},
	{numbers: []uint16{1478}, cause: "the engine does not take this table option any more", todo: "change the option on the old server"},
	{numbers: []uint16{1818}, cause: "YEAR(2) was removed (MySQL 5.7.5)", todo: "YEAR(4): 98 becomes 1998, and 04 2004"},
	{numbers: []uint16{3617, 3616, 3730, 3618}, since: mysqlAt(8, 0, 0), cause: "geographic SRIDs such as 4326 have latitude first, and degrees have limits (MySQL 8.0)", todo: "'axis-order=long-lat' in ST_GeomFromText() and ST_AsText(), or SRID 0"},
	{numbers: []uint16{3033, 3516, 3706, 3643}, cause: "the SRIDs of the values do not agree", todo: "use one SRID"},
	{numbers: []uint16{3140, 3141, 3143, 4038}, cause: "the text is no JSON document: the new server refuses it, where the old one gave NULL with a warning", todo: "clean the rows, add CHECK (json_valid(…)), make the column JSON"},
	{numbers: []uint16{1524}, message: pattern(`mysql_native_password|mysql_old_password|sha256_password`), cause: "the authentication plug-in is not loaded (mysql_native_password: off in MySQL 8.4, removed in 9.0)",
		todo: "ALTER USER … IDENTIFIED WITH caching_sha2_password BY … on the old server: the hash cannot be taken over, a new password is needed; see that every client knows the plug-in"},
	{numbers: []uint16{1524, 1286}, cause: "the new server does not have this plug-in or engine", todo: "change to one that it has, on the old server"},
	{numbers: []uint16{6125, 1822}, since: mysqlAt(8, 4, 0), cause: "a foreign key must refer to a unique key (MySQL 8.4.0)",
		todo: "make the parent's key unique, if its values are, or drop the foreign key; SET restrict_fk_on_non_standard_key=OFF lets it load, and is deprecated"},
	{numbers: []uint16{1063}, since: mysqlAt(8, 4, 0), pattern: pattern(`\b(DOUBLE|FLOAT|REAL)\b[^,]*AUTO_INCREMENT`), cause: "AUTO_INCREMENT on FLOAT and DOUBLE was removed (MySQL 8.4.0)", todo: "ALTER TABLE … MODIFY … BIGINT AUTO_INCREMENT, on the old server"},
	{numbers: []uint16{1273}, cause: "the new server does not know this collation", todo: "map it to one that it knows (utf8mb4_unicode_520_ci is the nearest to utf8mb4_0900_ai_ci); sort orders and unique keys may differ"},
	{numbers: []uint16{1115}, cause: "the new server does not know this character set", todo: "map it to one that it knows"},
	{numbers: []uint16{3819, 4025}, cause: "CHECK constraints are enforced (MySQL 8.0.16; MariaDB 10.2.1)", todo: "fix the rows or the constraint, on the old server"},
	{numbers: []uint16{1118}, cause: "the row is longer than the new version allows", todo: "make columns TEXT or BLOB, or ROW_FORMAT=DYNAMIC"},
	{numbers: []uint16{1215, 3780, 1825, 1826, 1005, 121}, cause: "the new version checks foreign keys more strictly", todo: "make the columns' types and the names of constraints agree"},
	{numbers: []uint16{1101}, cause: "the type has no default on the new server", todo: "leave the default out"},
	{numbers: []uint16{1235, 1214, 1283}, cause: "the new server does not support this", todo: "see the server's message"},
	{numbers: []uint16{1227, 1045, 1044}, cause: "the statement needs a privilege that this account has on the old version alone", todo: "grant it"},
	{numbers: []uint16{1294, 1171, 1170, 1075}, cause: "the new version checks the definition more strictly", todo: "see the server's message"},
	{numbers: []uint16{1558, 1545}, cause: "the system tables are of the older version: mariadb-upgrade or mysql_upgrade has not run", todo: "run it"},
}

// silents are reasons for other rows or values, by what stands in the query or in what it uses.
var silents = []reason{
	{pattern: pattern(`information_schema|performance_schema|\bmysql\W*\.|\bSHOW\b|@@`), cause: "the query asks the server about itself", todo: "see whether the difference matters"},
	{since: mysqlAt(8, 0, 4), pattern: pattern(`\b(REGEXP|RLIKE|REGEXP_\w+)\b`), cause: `regular expressions are ICU's since MySQL 8.0.4: '.' does not match a line break, \\d, \\w and \\s are classes`,
		todo: `'(?s)' at the beginning lets '.' match line breaks; look at \\d, \\w, \\s in patterns`},
	{since: mysqlAt(8, 0, 0), pattern: pattern(`\b(ST_\w+|MBR\w+)\s*\(`), cause: "with a geographic SRID such as 4326 texts have latitude first, ST_X() gives the latitude and distances are in metres (MySQL 8.0); SRID 0 is as before",
		todo: "'axis-order=long-lat' in ST_GeomFromText() and ST_AsText(), or SRID 0; give the column an SRID attribute, or its spatial index is not used"},
	{since: mysqlAt(8, 0, 0), pattern: pattern(`\bGROUP\s+BY\b`), cause: "GROUP BY no longer sorts (MySQL 8.0): without ORDER BY rows come in any order, and LIMIT takes other ones", todo: "add ORDER BY"},
	{since: mysqlAt(8, 0, 3), pattern: pattern(`\bJSON_MERGE\b|->|\bJSON_EXTRACT\b`), cause: "of a repeated key JSON keeps the last value (MySQL 8.0.3), it kept the first", todo: "write each key once"},
	{since: mysqlAt(8, 0, 11), pattern: pattern(`[^&|>-]([&|^~]|<<|>>)[^&|]|\bBIT_(AND|OR|XOR)\b`), cause: "bit operations on binary strings give binary strings (MySQL 8.0.1), not 64-bit numbers", todo: "CAST(… AS UNSIGNED)"},
	{collation: true, pattern: pattern(`\bORDER\s+BY\b|\bDISTINCT\b|\bLIKE\b|=\s*'|\b(MIN|MAX)\s*\(`), cause: "the default collation of utf8mb4 is utf8mb4_0900_ai_ci (MySQL 8.0.1): other letters are equal, and blanks at the end of a text count",
		todo: "name the old collation in the tables and the connection"},
	{pattern: pattern(`\bORDER\s+BY\b|\bLIMIT\b`), cause: "rows that compare as equal have no order of their own", todo: "order by a unique key"},
}
