package pseudogtid

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// loadBlock adds a block to a file of LOAD DATA. Servers number the files and cut the blocks as they like.
func (d *decoder) loadBlock(data []byte) error {
	if len(data) < 4 {
		return io.ErrUnexpectedEOF
	}
	id := binary.LittleEndian.Uint32(data)
	if d.loads[id] == nil {
		d.loads[id] = sha256.New()
	}
	_, err := d.loads[id].Write(data[4:])
	return err
}

// loadExecute is the statement of LOAD DATA once its file is there. The file's name, which each server makes
// up, is cut out. Layout: MySQL's Execute_load_query_event, a Query event with 13 more bytes in its header.
func (d *decoder) loadExecute(body []byte) ([]Item, error) {
	const post = 13 + 13
	if len(body) < post {
		return nil, io.ErrUnexpectedEOF
	}
	schemaLength, varsLength := int(body[8]), int(binary.LittleEndian.Uint16(body[11:]))
	id := binary.LittleEndian.Uint32(body[13:])
	from, to := binary.LittleEndian.Uint32(body[17:]), binary.LittleEndian.Uint32(body[21:])
	duplicates := body[25]
	rest := body[post:]
	if varsLength+schemaLength+1 > len(rest) {
		return nil, io.ErrUnexpectedEOF
	}
	vars, database := rest[:varsLength], rest[varsLength:varsLength+schemaLength]
	query := rest[varsLength+schemaLength+1:]
	if from > to || int64(to) > int64(len(query)) {
		return nil, io.ErrUnexpectedEOF
	}
	file := sha256.New()
	if known := d.loads[id]; known != nil {
		file = known
	}
	delete(d.loads, id)
	text := fmt.Sprintf("%s (file) %s /* file with SHA-256 %x, duplicates %d */", strings.TrimSpace(string(query[:from])),
		strings.TrimSpace(string(query[to:])), file.Sum(nil), duplicates)
	return []Item{{Kind: KindLoad, database: string(database), text: text, context: statusVariables(vars), inside: d.inside, Boundary: !d.inside}}, nil
}
