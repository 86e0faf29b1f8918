package matrix_test

import _ "mysqlmatrix/harness/basedir" // registers the kinds of sources
