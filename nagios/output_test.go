package nagios

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func num(v float64) *float64 { return &v }

func TestParse(t *testing.T) {
	tests := []struct {
		name, stdout string
		exit         int
		want         fettle.CheckOutput
		bad          int
	}{
		{"no perfdata", "no perf\n", 0, fettle.CheckOutput{Line: "no perf"}, 0},
		{"quoted label and percent", "OK with ; semicolon|'a label'=1s;2;3;0;10 b=50%", 1, fettle.CheckOutput{Code: 1, Line: "OK with ; semicolon", Perfdata: []fettle.Perf{
			{Label: "a label", Value: num(1), Unit: "s", Warn: "2", Crit: "3", Min: num(0), Max: num(10)}, {Label: "b", Value: num(50), Unit: "%"},
		}}, 0},
		{"a bar with nothing behind it", "pipe only|", 2, fettle.CheckOutput{Code: 2, Line: "pipe only"}, 0},
		{"perfdata only", "|a=1", 0, fettle.CheckOutput{Perfdata: []fettle.Perf{{Label: "a", Value: num(1)}}}, 0},
		{
			"long output and a second block", "OK: 42|total=42 ok=41\nnode1: fine\nnode2: a \\ and a ; here|warning=0\ncritical=0 unknown=U\n", 0,
			fettle.CheckOutput{Line: "OK: 42", Long: "node1: fine\nnode2: a \\ and a ; here", Perfdata: []fettle.Perf{
				{Label: "total", Value: num(42)}, {Label: "ok", Value: num(41)}, {Label: "warning", Value: num(0)}, {Label: "critical", Value: num(0)}, {Label: "unknown"},
			}},
			0,
		},
		{"lines ended by CR LF", "OK|a=1\r\nlong\r\n", 0, fettle.CheckOutput{Line: "OK", Long: "long", Perfdata: []fettle.Perf{{Label: "a", Value: num(1)}}}, 0},
		{"bytes that are not UTF-8, and an escape", "caf\xe9 \x1b[31mred\n", 0, fettle.CheckOutput{Line: "caf\uFFFD \uFFFD[31mred"}, 0},
		{"nothing at all", "", 3, fettle.CheckOutput{Code: 3}, 0},
		{"blank lines first", "\n\n  CRITICAL - down\n", 2, fettle.CheckOutput{Code: 2, Line: "CRITICAL - down"}, 0},
		{"exit code of a signal", "Segmentation fault", 139, fettle.CheckOutput{Code: 3, Line: "Segmentation fault"}, 0},
		{"negative exit code", "killed", -1, fettle.CheckOutput{Code: 3, Line: "killed"}, 0},
		{"bad values are kept out", "OK|a=1 b=x c d=2 =3 'e=4", 0, fettle.CheckOutput{Line: "OK", Perfdata: []fettle.Perf{
			{Label: "a", Value: num(1)}, {Label: "d", Value: num(2)},
		}}, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, bad := Parse([]byte(tt.stdout), tt.exit)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			if len(bad) != tt.bad {
				t.Errorf("bad perfdata: got %q, want %d", bad, tt.bad)
			}
			if diff := cmp.Diff(tt.want, ParseOutput([]byte(tt.stdout), tt.exit)); diff != "" {
				t.Errorf("ParseOutput (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseIsBounded(t *testing.T) {
	out := ParseOutput([]byte(strings.Repeat("ü", MaxOutput)+"|a=1"), 0)
	if len(out.Line) > MaxLine || !strings.HasSuffix(out.Line, "…") || !utf8.ValidString(out.Line) {
		t.Errorf("line has %d bytes and ends in %q", len(out.Line), out.Line[len(out.Line)-6:])
	}
	out, bad := Parse([]byte("OK|"+strings.Repeat("a=1 ", 1000)), 0)
	if len(out.Perfdata) != MaxPerfdata || len(bad) != 1 {
		t.Errorf("%d values and %q", len(out.Perfdata), bad)
	}
}

func TestParsePerfdata(t *testing.T) {
	tests := []struct {
		text string
		want fettle.Perf
	}{
		{"/=2643MB;5948;5958;0;5968", fettle.Perf{Label: "/", Value: num(2643), Unit: "MB", Warn: "5948", Crit: "5958", Min: num(0), Max: num(5968)}},
		{"'it''s'=1", fettle.Perf{Label: "it's", Value: num(1)}},
		{"load1=0.010;5.000;10.000;0;", fettle.Perf{Label: "load1", Value: num(0.01), Warn: "5.000", Crit: "10.000", Min: num(0)}},
		{"c=12c", fettle.Perf{Label: "c", Value: num(12), Unit: "c"}},
		{"t=-1.5;~:5;@1:2", fettle.Perf{Label: "t", Value: num(-1.5), Warn: "~:5", Crit: "@1:2"}},
		{"e=1.5e3B", fettle.Perf{Label: "e", Value: num(1500), Unit: "B"}},
		{"e=5e", fettle.Perf{Label: "e", Value: num(5), Unit: "e"}},
		{"time=0.1s;1s;2s:3s;0s;10s", fettle.Perf{Label: "time", Value: num(0.1), Unit: "s", Warn: "1", Crit: "2:3", Min: num(0), Max: num(10)}},
		{"u=U;1;2", fettle.Perf{Label: "u", Warn: "1", Crit: "2"}},
		{"p=.5%", fettle.Perf{Label: "p", Value: num(0.5), Unit: "%"}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, bad := ParsePerfdata(tt.text)
			if diff := cmp.Diff([]fettle.Perf{tt.want}, got); diff != "" || bad != nil {
				t.Errorf("(-want +got):\n%s\nbad: %q", diff, bad)
			}
		})
	}
	for _, text := range []string{"a=", "a=NaN", "a=inf", "a=0x10", "a=1_0", "a=3,14", "a=1;x", "a=1;;5:1", "a=1;;;x", "a=1;1;1;1;1;1", "'a'1", "a'b=1", "a=1;5%", "a", "='", "''=1"} {
		t.Run("refused: "+text, func(t *testing.T) {
			if got, bad := ParsePerfdata(text); got != nil || len(bad) != 1 {
				t.Errorf("got %v, bad %q", got, bad)
			}
		})
	}
}

func TestParsePerfdataKeepsTheRest(t *testing.T) {
	got, bad := ParsePerfdata("a=1 size of disk=5GB b=2")
	want := []fettle.Perf{{Label: "a", Value: num(1)}, {Label: "disk", Value: num(5), Unit: "GB"}, {Label: "b", Value: num(2)}}
	if diff := cmp.Diff(want, got); diff != "" || len(bad) != 2 {
		t.Errorf("(-want +got):\n%s\nbad: %q", diff, bad)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("OK: 42|total=42 'a b'=1s;2;3;0;10\nlong\nmore|x=1\ny=U"), 0)
	f.Add([]byte("\x00\xff|'''=';;;|\n|"), 255)
	f.Add([]byte("x|a=1e5e;1e5e;;-0;+.5 b=5µs"), -1)
	f.Fuzz(func(t *testing.T, stdout []byte, exit int) {
		out, _ := Parse(stdout, exit)
		if !utf8.ValidString(out.Line) || !utf8.ValidString(out.Long) || len(out.Line) > MaxLine || len(out.Long) > MaxLong {
			t.Fatalf("not text within its bounds: %q %q", out.Line, out.Long)
		}
		if strings.ContainsAny(out.Line, "|\n\x1b\x00") || out.Code < 0 || out.Code > 3 || len(out.Perfdata) > MaxPerfdata {
			t.Fatalf("output %+v", out)
		}
		again, bad := ParsePerfdata(FormatPerfdata(out.Perfdata))
		if diff := cmp.Diff(out.Perfdata, again); diff != "" || bad != nil {
			t.Fatalf("written and read again (-first +again):\n%s\nbad: %q\ntext: %s", diff, bad, FormatPerfdata(out.Perfdata))
		}
	})
}
