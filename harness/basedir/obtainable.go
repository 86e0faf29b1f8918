package basedir

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/matrix"
)

// askLimit is how long a vendor's site may take to say whether it has an archive.
const askLimit = 5 * time.Second

// Obtainable says which of an entry's sources could be obtained on this machine, asking for no more than
// headers and package indexes. When none could, the error is an *UnavailableError.
func (s *Store) Obtainable(ctx context.Context, e matrix.Entry) (from string, err error) {
	unavailable := &UnavailableError{Entry: e.Name}
	for _, declared := range e.Sources {
		src, err := s.open(e, declared, filepath.Dir(s.LockFile))
		if err == nil {
			err = src.ask(ctx)
		}
		if err == nil {
			return declared.Declared.String(), nil
		}
		unavailable.Attempts = append(unavailable.Attempts, fmt.Errorf("%s: %w", declared.Declared, err))
	}
	return "", unavailable
}

// wantPrograms says which of the programs that a source needs are not on PATH.
func wantPrograms(programs ...string) error {
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("it needs the program %s, which is not on PATH", program)
		}
	}
	return nil
}

func (s *Store) head(ctx context.Context, address string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return err
	}
	response, err := s.client().Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w", request.URL.Host, failed.Err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: the server answers %s", address, response.Status)
	}
	return nil
}
