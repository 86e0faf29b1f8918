package basedir

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"mysqlmatrix/harness/archive"
)

// mariadbAPI is where MariaDB publishes the checksums of its files; see https://mariadb.org/downloads-rest-api.
const mariadbAPI = "https://downloads.mariadb.org/rest-api"

// maxAPIAnswer bounds what is read of an answer; a release's list of files takes about 100 kB.
const maxAPIAnswer = 16 << 20

// apiRelease is the part of the API's answer that matters here.
type apiRelease struct {
	Files []struct {
		Name     string `json:"file_name"`
		Checksum struct {
			SHA256 string `json:"sha256sum"`
			SHA512 string `json:"sha512sum"`
		} `json:"checksum"`
	} `json:"files"`
}

// vendorSums asks MariaDB for the checksums of one file of a release.
func (s *Store) vendorSums(ctx context.Context, release, file string) (archive.Sums, error) {
	base := s.MariaDBAPI
	if base == "" {
		base = mariadbAPI
	}
	url := strings.TrimSuffix(base, "/") + "/mariadb/" + release + "/"
	var answer struct {
		Release  map[string]apiRelease `json:"release_data"` // for a point release
		Releases map[string]apiRelease `json:"releases"`     // for a series
	}
	if err := s.getJSON(ctx, url, &answer); err != nil {
		return archive.Sums{}, fmt.Errorf("checksum of %s from MariaDB: %w", file, err)
	}
	for _, releases := range []map[string]apiRelease{answer.Release, answer.Releases} {
		for _, r := range releases {
			for _, f := range r.Files {
				if f.Name == file && f.Checksum.SHA256 != "" {
					return archive.Sums{SHA256: f.Checksum.SHA256, SHA512: f.Checksum.SHA512}, nil
				}
			}
		}
	}
	return archive.Sums{}, fmt.Errorf("checksum of %s from MariaDB: release %s has no such file there", file, release)
}

func (s *Store) getJSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, s.stall())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := s.client().Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &archive.StatusError{Status: response.Status}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAPIAnswer)).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return nil
}
