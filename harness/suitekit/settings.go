package suitekit

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	"github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/setting"
	"mysqlmatrix/harness/workload"
)

// RequireReleases makes the spec unsupported on a server of a release that one of the settings cannot be tried on.
func RequireReleases(settings []setting.Setting) {
	ginkgo.GinkgoHelper()
	for _, one := range settings {
		if f := Cell().Flavor; len(setting.On(f, []setting.Setting{one})) == 0 {
			Unsupported(fmt.Sprintf("%s: not on %s", one, f))
		}
	}
}

// RequireSettings makes the spec unsupported on a server that refuses one of the settings: it does not know it, or does not let
// the application's account set it. The reason is the server's.
func RequireSettings(ctx context.Context, s *server.Server, application server.Endpoint, settings []setting.Setting) {
	ginkgo.GinkgoHelper()
	for _, one := range settings {
		var err error
		if one.Server != nil || one.Earlier {
			_, err = s.Variable(ctx, one.Variable)
		} else {
			err = workload.Session{Endpoint: application}.Exec(ctx, one.Session...)
		}
		if errors.As(err, new(*mysql.MySQLError)) {
			Unsupported(fmt.Sprintf("%s: %v", one, err))
		}
		NoFault(err)
	}
}
