package main

import (
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/server"
)

var update = flag.Bool("update", false, "write the pages of docs/ that the program prints")

// The pages that the program prints are those that stand in docs/: go test ./cmd/fettle -run Docs -update writes them.
func TestDocsAreFresh(t *testing.T) {
	for _, page := range []string{"cli", "config", "actions"} {
		t.Run(page, func(t *testing.T) {
			file := "../../docs/" + page + ".md"
			want := call(t, "fettle", "docs", page).wants(t, exitOK).stdout
			if *update {
				write(t, file, want)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("%s is stale: go test ./cmd/fettle -run Docs -update", file)
			}
			for i, line := range strings.Split(want, "\n") {
				if strings.HasSuffix(line, " ") {
					t.Errorf("line %d ends in a blank: %q", i+1, line)
				}
			}
		})
	}
}

func TestDocsNameEveryKeyOfACheck(t *testing.T) {
	var documented []string
	for _, key := range checkKeys {
		documented = append(documented, key[0])
	}
	fields := checkFields()
	slices.Sort(documented)
	slices.Sort(fields)
	if !slices.Equal(documented, fields) {
		t.Errorf("documented %v, and there are %v", documented, fields)
	}
}

// checkFields are the keys that a check in the file can have.
func checkFields() (keys []string) {
	t := reflect.TypeFor[server.CheckConfig]()
	for i := range t.NumField() {
		if key := yamlKey(t.Field(i)); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
