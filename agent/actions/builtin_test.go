package actions

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// show writes an output as a plugin prints it.
func show(o fettle.CheckOutput) string { return o.Line + "|" + nagios.FormatPerfdata(o.Perfdata) }

func TestLoadOutput(t *testing.T) {
	own, err := loadLimits("", "")
	if err != nil {
		t.Fatal(err)
	}
	given, err := loadLimits("5", "10,6,4")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		loads [3]float64
		all   [3]limits
		cpus  float64
		code  fettle.CheckCode
		want  string
	}{
		{"thresholds for two processors", [3]float64{0.1, 0.2, 0.3}, own, 2, 0, "LOAD OK - load average: 0.10, 0.20, 0.30|load1=0.1;8;16;0 load5=0.2;6;12;0 load15=0.3;4;8;0"},
		{"the worst counts", [3]float64{8.1, 12.1, 0}, own, 2, 2, "LOAD CRITICAL - load average: 8.10, 12.10, 0.00|load1=8.1;8;16;0 load5=12.1;6;12;0 load15=0;4;8;0"},
		{"given ones", [3]float64{5.5, 5, 0}, given, 1, 1, "LOAD WARNING - load average: 5.50, 5.00, 0.00|load1=5.5;5;10;0 load5=5;5;6;0 load15=0;5;4;0"},
	}
	for _, tt := range tests {
		if out := loadOutput(tt.loads, tt.all, tt.cpus); out.Code != tt.code || show(out) != tt.want {
			t.Errorf("%s: %d\ngot  %s\nwant %s", tt.name, out.Code, show(out), tt.want)
		}
	}
}

func TestMemOutput(t *testing.T) {
	l, err := parseLimits("", "", memWarning, memCritical)
	if err != nil {
		t.Fatal(err)
	}
	out, err := memOutput(1000<<20, 80<<20, l)
	want := "MEMORY WARNING - 92.0% used: 920.0 MiB of 1000.0 MiB, 80.0 MiB available|used=964689920B;943718400;996147200;0;1048576000 available=83886080B;;;0;1048576000 used_percent=92%;90;95"
	if err != nil || out.Code != fettle.CodeWarning || show(out) != want {
		t.Errorf("%d, %v\ngot  %s\nwant %s", out.Code, err, show(out), want)
	}
	if _, err := memOutput(0, 0, l); err == nil {
		t.Error("no memory at all is no fault")
	}
}

func TestDiskOutput(t *testing.T) {
	const gib = 1 << 30
	all := []fileSystem{
		{mount: "/", total: 100 * gib, used: 50 * gib, free: 45 * gib, inodes: 1000, freeInodes: 900},
		{mount: "/var", total: 10 * gib, used: 9 * gib, free: 0.5 * gib},
		{mount: "/many", total: 10 * gib, used: 1 * gib, free: 9 * gib, inodes: 1000, freeInodes: 40},
		{mount: "/empty"},
	}
	percent := func(v float64) least { return least{v: v, percent: true} }
	tests := []struct {
		name              string
		all               []fileSystem
		warning, critical least
		code              fettle.CheckCode
		want              string
	}{
		{"all well", all[:1], percent(10), percent(5), 0, "DISK OK - free space: / 45.0 GiB (47.4% inode=90%)|/=53687091200B;91804925952;96905199616;0;102005473280"},
		{
			"the bad ones first", all[:2], percent(10), percent(5), 1,
			"DISK WARNING - free space: /var 512.0 MiB (5.3%); / 45.0 GiB (47.4% inode=90%)|/=53687091200B;91804925952;96905199616;0;102005473280 /var=9663676416B;9180492595;9690519962;0;10200547328",
		},
		{"inodes", all[2:3], percent(10), percent(5), 2, "DISK CRITICAL - free space: /many 9.0 GiB (90.0% inode=4%)|/many=1073741824B;9663676416;10200547328;0;10737418240"},
		{"mebibytes", all[1:2], least{none: true}, least{v: 600}, 2, "DISK CRITICAL - free space: /var 512.0 MiB (5.3%)|/var=9663676416B;;9571401728;0;10200547328"},
		{"nothing to fill", all[3:], percent(10), percent(5), 0, "DISK OK - free space: /empty none|/empty=0B;0;0;0;0"},
	}
	for _, tt := range tests {
		if out := diskOutput(tt.all, tt.warning, tt.critical); out.Code != tt.code || show(out) != tt.want {
			t.Errorf("%s: %d\ngot  %s\nwant %s", tt.name, out.Code, show(out), tt.want)
		}
	}
	for _, text := range []string{"x", "-1", "101%", "NaN", "1e99"} {
		if l, err := parseLeast(text); err == nil {
			t.Errorf("%s: got %+v", text, l)
		}
	}
}

func TestProcsAndUptimeOutput(t *testing.T) {
	l, err := parseLimits("", "", procsWarning, procsCritical)
	if err != nil {
		t.Fatal(err)
	}
	out := procsOutput(750, 2, 1000, "processes", l)
	if want := "PROCS WARNING - 750 processes, 2 zombies|procs=750;700;850;0 zombies=2;;;0"; out.Code != fettle.CodeWarning || show(out) != want {
		t.Errorf("%d\ngot  %s\nwant %s", out.Code, show(out), want)
	}
	l, err = parseLimits("600:", "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	out = uptimeOutput(3*86400+2*3600+61, l)
	if want := "UPTIME OK - up 3 days, 02:01|uptime=266461s;600:;;0"; out.Code != fettle.CodeOK || show(out) != want {
		t.Errorf("%d\ngot  %s\nwant %s", out.Code, show(out), want)
	}
	if out = uptimeOutput(300, l); out.Code != fettle.CodeWarning {
		t.Errorf("just restarted: %s", show(out))
	}
}

func TestBuiltinThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		release := make(chan struct{})
		hangs := func(context.Context, []string) (fettle.CheckOutput, error) {
			<-release
			return fettle.CheckOutput{}, nil
		}
		out := runBuiltin(ctx, "check_disk", hangs, nil, 10*time.Second)
		if out.Status != fettle.StatusTimeout || out.Output.Code != fettle.CodeUnknown || out.Message != "check_disk timed out after 10s" {
			t.Errorf("got %+v", out)
		}
		close(release)
	})
}
