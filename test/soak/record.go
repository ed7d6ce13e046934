//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// deed is one check that a node has executed.
type deed struct {
	number string
	status string // in words
	at     int64  // milliseconds, by the emulator's clock, which is ours
}

// spot is a check on a node.
type spot struct{ check, node string }

// record is what the emulator has put down, read as it is written.
type record struct {
	file *os.File
	in   *bufio.Reader
	rest string // of a line that is not whole yet
	made map[spot][]deed
	all  int
}

func openRecord(path string) (*record, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &record{file: file, in: bufio.NewReaderSize(file, 1<<20), made: map[spot][]deed{}}, nil
}

// words of the codes of checks.
var words = map[string]string{"0": "ok", "1": "warning", "2": "critical", "3": "unknown"}

// read reads what has been written since.
func (r *record) read() error {
	for {
		part, err := r.in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			r.rest += part
			return nil
		}
		if err != nil {
			return err
		}
		line := r.rest + part
		r.rest = ""
		f := strings.Fields(line)
		if len(f) != 6 || f[0] != "state" || words[f[4]] == "" {
			return fmt.Errorf("%s: %q is no line of a record", r.file.Name(), line)
		}
		at, err := strconv.ParseInt(f[5], 10, 64)
		if err != nil {
			return err
		}
		where := spot{check: f[2], node: f[1]}
		r.made[where] = append(r.made[where], deed{number: f[3], status: words[f[4]], at: at})
		r.all++
	}
}

// tally counts the last states of a check.
func (r *record) tally(check string) map[string]int {
	count := map[string]int{}
	for where, list := range r.made {
		if where.check == check {
			count[list[len(list)-1].status]++
		}
	}
	return count
}

// between counts what was made between two moments: results, and changes of state.
func (r *record) between(from, to int64) (results, changes int) {
	for _, list := range r.made {
		for i, d := range list {
			if d.at < from || d.at >= to {
				continue
			}
			results++
			if i > 0 && d.status != list[i-1].status {
				changes++
			}
		}
	}
	return results, changes
}

func (r *record) close() { _ = r.file.Close() }
