package nagios

import (
	"errors"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestRangeAlert(t *testing.T) {
	tests := []struct {
		text         string
		alert, quiet []float64
	}{
		{"10", []float64{-0.1, 10.1}, []float64{0, 5, 10}},
		{"10:", []float64{-1, 9.9}, []float64{10, 1e9}},
		{"~:10", []float64{10.1}, []float64{-1e9, 10}},
		{"10:20", []float64{9.9, 20.1}, []float64{10, 15, 20}},
		{"@10:20", []float64{10, 15, 20}, []float64{9.9, 20.1}},
		{"0", []float64{1, -1}, []float64{0}},
		{":5", []float64{-1, 6}, []float64{0, 5}},
		{"@10", []float64{0, 10}, []float64{-1, 11}},
		{"-5:-1", []float64{-6, 0}, []float64{-5, -1}},
		{"~:", nil, []float64{-1e300, 0, 1e300}},
		{"1.5", []float64{1.6}, []float64{1.5}},
	}
	for _, tt := range tests {
		r, err := ParseRange(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.alert {
			if !r.Alert(v) {
				t.Errorf("%s does not alert for %v", tt.text, v)
			}
		}
		for _, v := range tt.quiet {
			if r.Alert(v) {
				t.Errorf("%s alerts for %v", tt.text, v)
			}
		}
	}
}

func TestRangeAlertOf(t *testing.T) {
	tests := []struct {
		text     string
		n, total int
		want     bool
	}{
		{"10", 11, 1000, true},
		{"10", 10, 1000, false},
		{"10%", 100, 1000, false},
		{"10%", 101, 1000, true},
		{"5%:20%", 4, 100, true},
		{"5%:20%", 20, 100, false},
		{"@10%:20%", 15, 100, true},
		{"~:10%", 11, 100, true},
		{"10%:", 9, 100, true},
		{"10%", 0, 0, false},
		{"0", 1, 0, true},
	}
	for _, tt := range tests {
		r, err := ParseRange(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.AlertOf(tt.n, tt.total); got != tt.want {
			t.Errorf("%s of %d in %d: got %v", tt.text, tt.n, tt.total, got)
		}
	}
}

func TestParseRangeRefuses(t *testing.T) {
	for _, text := range []string{"", "@", "x", "20:10", "-5", "1:2:3", "10:x", "~", "10%:20", "10:20%", "%", "NaN", "inf", "0x1", "1e999", "10 ", "10:~"} {
		if r, err := ParseRange(text); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: got %+v, %v", text, r, err)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"10", "10:", "~:10", "10:20", "@10:20", "10%", "@~:5%", "-0:", "1e30:", ":"} {
		f.Add(s, 10.0)
	}
	f.Fuzz(func(t *testing.T, s string, v float64) {
		r, err := ParseRange(s)
		if err != nil {
			return
		}
		again, err := ParseRange(r.String())
		if err != nil || again.Alert(v) != r.Alert(v) || again.Percent != r.Percent {
			t.Fatalf("%q is written %q: %+v, %v", s, r.String(), again, err)
		}
	})
}
