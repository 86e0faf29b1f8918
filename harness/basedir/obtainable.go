package basedir

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"time"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/matrix"
)

// askLimit is how long a vendor's site may take to say whether it has an archive.
const askLimit = 5 * time.Second

// Obtainable says which of an entry's sources could be had on this machine, asking for no more than
// headers and package indexes. When none could, the error is an *UnavailableError.
func (s *Store) Obtainable(ctx context.Context, e matrix.Entry) (from string, err error) {
	unavailable := &UnavailableError{Entry: e.Name}
	for _, declared := range e.Sources {
		if err := s.ask(ctx, declared); err != nil {
			unavailable.Attempts = append(unavailable.Attempts, fmt.Errorf("%s: %w", describe(declared), err))
			continue
		}
		return describe(declared), nil
	}
	return "", unavailable
}

func (s *Store) ask(ctx context.Context, declared matrix.Source) error {
	switch {
	case declared.Tarball != nil:
		var errs []error
		for _, one := range declared.Tarball.URLs {
			err := s.head(ctx, one)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	case declared.Apt != nil:
		return apt.Check(ctx, s.Cache, apt.Source{Suites: declared.Apt.Suites, Packages: declared.Apt.Packages})
	case declared.Script != nil:
		for _, program := range declared.Script.Needs {
			if _, err := exec.LookPath(program); err != nil {
				return fmt.Errorf("it needs the program %s", program)
			}
		}
		return nil
	default:
		return nil // a folder: Obtain looks at it at once
	}
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
