package basedir

import "mysqlmatrix/harness/matrix"

// sized is a declaration that says how many bytes it is fetched with.
type sized interface{ downloadSize() int64 }

func (a *Apt) downloadSize() int64 { return a.Size }

func (s *Script) downloadSize() int64 { return known(s.Size, s.Client) }

func (m *Maven) downloadSize() int64 { return known(m.Size, m.Libraries, m.Client) }

// known adds what completes a source to its size, unless that is unknown.
func known(size int64, more ...*matrix.Apt) int64 {
	if size == 0 {
		return 0
	}
	for _, packages := range more {
		if packages != nil {
			size += packages.Size
		}
	}
	return size
}

// DownloadSize is about how many bytes it takes to fetch an entry's server, and 0 when it is there already or none of its
// sources says.
func (s *Store) DownloadSize(e matrix.Entry) int64 {
	if _, ok := s.Cached(e); ok {
		return 0
	}
	return DeclaredSize(e)
}

// DeclaredSize is about how many bytes it takes to fetch an entry's server by the first of its sources that says so, and 0
// where none does. Which source it will be is known only when it has been tried.
func DeclaredSize(e matrix.Entry) int64 {
	for _, declared := range e.Sources {
		if one, ok := declared.Declared.(sized); ok {
			if size := one.downloadSize(); size > 0 {
				return size
			}
		}
	}
	return 0
}
