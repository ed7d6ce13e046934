package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of classes. A name is as long as that of a Puppet class may sensibly be.
const (
	maxClasses   = 5000
	maxClassName = 255 // bytes
)

// classes reads the classes of all files, sorted, no two alike. A missing file is no fault.
func (c *Collector) classes(doc *document) []string {
	all := []string{}
	for _, path := range c.cfg.ClassesFiles {
		raw, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			var names []string
			names, err = parseClasses(raw)
			all = append(all, names...)
		}
		if err != nil {
			doc.fail(path, err)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > maxClasses {
		doc.fail("classes", fmt.Errorf("%d classes, and %d are allowed: %w", len(all), maxClasses, fettle.ErrInvalid))
		all = all[:maxClasses]
	}
	return all
}

// parseClasses reads a class a line, in Puppet's classes.txt or a list made by hand. Blanks around a name, empty lines and those that begin with
// '#' are passed over; a name may not hold blanks.
func parseClasses(raw []byte) ([]string, error) {
	if !utf8.Valid(raw) {
		return nil, errText
	}
	var names []string
	var fault error
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(raw), bom)) {
		number++
		name := strings.TrimSpace(line)
		switch {
		case name == "" || name[0] == '#':
		case len(name) > maxClassName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			fault = fmt.Errorf("line %d is no name of a class: %w", number, fettle.ErrInvalid)
		default:
			names = append(names, name)
		}
	}
	return names, fault
}
