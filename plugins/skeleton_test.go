package plugins

import (
	"errors"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestSkeletons(t *testing.T) {
	for _, language := range Languages() {
		files, err := Skeleton("disk", language)
		if err != nil {
			t.Fatalf("%s: %v", language, err)
		}
		dir := t.TempDir()
		if err := Write(files, dir); err != nil {
			t.Fatal(err)
		}
		if _, m, err := Pack(dir); err != nil || m.Name != "disk" || m.Executable == "EXECUTABLE" {
			t.Errorf("%s: %+v, %v", language, m, err)
		}
		if cases, err := ReadCases(dir); err != nil || len(cases) != 1 {
			t.Errorf("%s: %d cases, %v", language, len(cases), err)
		}
	}
	for _, tt := range [][2]string{{"My-Plugin", "shell"}, {"disk", "cobol"}} {
		if _, err := Skeleton(tt[0], tt[1]); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%v: %v", tt, err)
		}
	}
}
