package nagios

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func files(kv ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = &fstest.MapFile{Data: []byte(kv[i+1])}
	}
	return out
}

// mainConfig is the file that a real nrpe 4.1.0 was tried with; what it made of it is wanted below.
const mainConfig = `# comment line
   # indented comment
server_address=127.0.0.1
server_port=24890
nrpe_user=nagios
nrpe_group=nagios
allowed_hosts=127.0.0.1,::1,10.0.0.0/8
dont_blame_nrpe=1
debug=1
command[plain]=/bin/echo plain
command[sp1] = /bin/echo spaces around equals
command[ sp2 ]=/bin/echo spaces inside brackets
  command[lead]=/bin/echo leading blanks
command[trail]=/bin/echo trailing blanks   
command[hash]=/bin/echo a # b
command[quo]=/bin/echo "double  quoted" 'single'
command[dup]=/bin/echo first
command[dup]=/bin/echo second
command[eq]=/bin/echo a=b c=[d]
command[pipe]=/bin/echo one | /usr/bin/tr o 0
command[na.me-1_x]=/bin/echo dotted name
command[arg]=/bin/echo got:$ARG1$:$ARG2$
command[Case]=/bin/echo Case
include=/srv/one.cfg
include_file=/srv/two.cfg
include_dir=/srv/d
include_dir=/srv/e/
include=/srv/missing.cfg
no_such_keyword=1
`

func TestReadNRPE(t *testing.T) {
	fsys := files("srv/main.cfg", mainConfig,
		"srv/one.cfg", "command[inc1]=/bin/echo from include",
		"srv/two.cfg", "command[inc2]=/bin/echo from include_file\n",
		"srv/d/a.cfg", "command[dup]=/bin/echo fromdir\n", "srv/d/crlf.cfg", "command[crlf]=/bin/echo crlf\r\n", "srv/d/noeol.cfg", "command[noeol]=/bin/echo noeol",
		"srv/d/.hidden.cfg", "command[hidden]=/bin/echo hidden\n", "srv/d/not.conf", "command[notcfg]=/bin/echo notcfg\n", "srv/d/sub/s.cfg", "command[sub]=/bin/echo subdir\n",
		"srv/d/.sub/s.cfg", "command[hiddensub]=/bin/echo no\n", "srv/d/.cfg", "command[nothingbefore]=/bin/echo no\n", "srv/e/e.cfg", "command[e]=/bin/echo e\n")
	n, warnings, err := ReadNRPE(fsys, "/srv/main.cfg")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"plain": "/bin/echo plain", "sp1": " /bin/echo spaces around equals", " sp2 ": "/bin/echo spaces inside brackets", "lead": "/bin/echo leading blanks",
		"trail": "/bin/echo trailing blanks", "hash": "/bin/echo a # b", "quo": `/bin/echo "double  quoted" 'single'`, "dup": "/bin/echo fromdir",
		"eq": "/bin/echo a=b c=[d]", "pipe": "/bin/echo one | /usr/bin/tr o 0", "na.me-1_x": "/bin/echo dotted name", "arg": "/bin/echo got:$ARG1$:$ARG2$",
		"Case": "/bin/echo Case", "inc1": "/bin/echo from include", "inc2": "/bin/echo from include_file", "crlf": "/bin/echo crlf", "noeol": "/bin/echo noeol",
		"hidden": "/bin/echo hidden", "sub": "/bin/echo subdir", "e": "/bin/echo e",
	}
	if diff := cmp.Diff(want, n.Commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if !n.Arguments || n.User != "nagios" || n.Group != "nagios" || n.Timeout != DefaultTimeout || n.Nasty != DefaultNasty {
		t.Errorf("settings: %+v", n)
	}
	wantWarnings := []string{
		"/srv/main.cfg, line 28: continuing with errors: /srv/missing.cfg: not found",
		`/srv/main.cfg, line 29: unknown keyword "no_such_keyword"`,
	}
	if diff := cmp.Diff(wantWarnings, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestReadNRPEFatal(t *testing.T) {
	tests := []struct{ name, config, want string }{
		{"a line without =", "command[a]=/bin/true\ncommand\n", "/n.cfg, line 2: no variable value specified"},
		{"an empty command", "command[a]=\n", "/n.cfg, line 1: no variable value specified"},
		{"a command of blanks", "command[a]=   \n", "/n.cfg, line 1: no variable value specified"},
		{"a command without a name", "\n\ncommand[]=/bin/true\n", "/n.cfg, line 3: a command without a name"},
		{"a name with = in it", "command[=x]=/bin/true\n", "/n.cfg, line 1: a command without a name"},
		{"a value without a key", "=x\n", "/n.cfg, line 1: no variable value specified"},
		{"a file too large", strings.Repeat("#\n", maxConfigBytes), "more than 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ReadNRPE(files("n.cfg", tt.config), "n.cfg")
			if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, _, err := ReadNRPE(fstest.MapFS{}, "/etc/nagios/nrpe.cfg"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("a first file that is missing: %v", err)
	}
}

func TestReadNRPEGoesOnAfterABrokenInclude(t *testing.T) {
	fsys := files("etc/nrpe.cfg", "include=broken.cfg\ninclude_dir=/etc/d\ncommand[last]=/bin/true\n", "etc/broken.cfg", "command[before]=/bin/true\nbroken\ncommand[after]=/bin/true\n",
		"etc/d/1.cfg", "command[one]=/bin/true\n", "etc/d/2.cfg", "command[x]=\n", "etc/d/3.cfg", "command[three]=/bin/true\n")
	n, warnings, err := ReadNRPE(fsys, "/etc/nrpe.cfg")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"before": "/bin/true", "one": "/bin/true", "last": "/bin/true"}
	if diff := cmp.Diff(want, n.Commands); diff != "" || len(warnings) != 2 {
		t.Errorf("commands (-want +got):\n%s\nwarnings: %q", diff, warnings)
	}
}

func TestReadNRPEEnds(t *testing.T) {
	t.Run("a file that includes itself", func(t *testing.T) {
		n, warnings, err := ReadNRPE(files("a.cfg", "include=/b.cfg\ncommand[a]=x\n", "b.cfg", "include=/a.cfg\ncommand[b]=x\n"), "a.cfg")
		if err != nil || len(n.Commands) != 2 || len(warnings) != 1 || !strings.Contains(warnings[0], "includes itself") {
			t.Errorf("%v, %q, %v", n, warnings, err)
		}
	})
	t.Run("a folder that holds its includer", func(t *testing.T) {
		n, warnings, err := ReadNRPE(files("d/a.cfg", "include_dir=/d\ncommand[a]=x\n"), "d/a.cfg")
		if err != nil || len(n.Commands) != 1 || len(warnings) != 1 {
			t.Errorf("%v, %q, %v", n, warnings, err)
		}
	})
	t.Run("includes that double at each level", func(t *testing.T) {
		fsys := fstest.MapFS{}
		for i := range 40 {
			fsys[fmt.Sprintf("f%d.cfg", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "include=/f%d.cfg\ninclude=/f%d.cfg\n", i+1, i+1)}
		}
		n, warnings, err := ReadNRPE(fsys, "f0.cfg")
		if err != nil || len(n.Files) > maxConfigFiles || len(warnings) != maxConfigWarnings {
			t.Errorf("%d files, %d warnings, %v", len(n.Files), len(warnings), err)
		}
	})
}

func TestShell(t *testing.T) {
	n := &NRPE{Nasty: DefaultNasty, Arguments: true, Commands: map[string]string{
		"arg": "/bin/echo got:$ARG1$:$ARG2$", "dollar": "awk '{print $$1}'", "odd": "echo $HOME", "pair": "echo $USER$ x", "far": "echo $ARG16$ $ARG17$ $ARG0$", " sp2 ": "x",
	}}
	tests := []struct {
		command string
		args    []string
		want    string
	}{
		{"arg", nil, "/bin/echo got::"},
		{"arg", []string{"1", "2"}, "/bin/echo got:1:2"},
		{"arg!1!2", nil, "/bin/echo got:1:2"},
		{"arg", []string{"1!2"}, "/bin/echo got:1:2"},
		{"arg", []string{"", "2"}, "/bin/echo got:2:"},
		{"arg", []string{"$ARG2$", "x"}, "/bin/echo got:$ARG2$:x"},
		{"dollar", nil, "awk '{print $1}'"},
		{"odd", nil, "echo $HOME$"},
		{"pair", nil, "echo $USER$ x"},
		{"far", strings.Split(strings.Repeat("x", 17), ""), "echo x  "},
		{" sp2 ", nil, "x"},
	}
	for _, tt := range tests {
		if got, err := n.Shell(tt.command, tt.args); got != tt.want || err != nil {
			t.Errorf("%s %q: got %q, %v", tt.command, tt.args, got, err)
		}
	}
	for _, arg := range []string{"a|b", "a;b", "`id`", "$(id)", "a\nb", "a&b", "a>b", "a<b", "a'b", `a\b`, "[a]", "{a}", "a\x00b", "a\rb"} {
		if got, err := n.Shell("arg", []string{arg}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("argument %q: got %q, %v", arg, got, err)
		}
	}
	if _, err := n.Shell("nosuch", nil); !errors.Is(err, fettle.ErrNotFound) || !strings.Contains(err.Error(), "NRPE: Command 'nosuch' not defined") {
		t.Errorf("unknown command: %v", err)
	}
	if _, err := n.Shell("", nil); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("no command: %v", err)
	}
	n.Prefix = "/usr/bin/sudo"
	if got, _ := n.Shell("arg", nil); got != "/usr/bin/sudo /bin/echo got::" {
		t.Errorf("with a prefix: %q", got)
	}
	n.Arguments = false
	if _, err := n.Shell("arg", []string{"1"}); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("arguments where none are allowed: %v", err)
	}
	if got, err := n.Shell("arg", nil); err != nil || got != "/usr/bin/sudo /bin/echo got::" {
		t.Errorf("no arguments where none are allowed: %q, %v", got, err)
	}
}

func TestReadNRPESettings(t *testing.T) {
	n, warnings, err := ReadNRPE(files("n.cfg", "command_timeout=7\ncommand_prefix=/usr/bin/sudo\nnasty_metachars=|;\nallow_bash_command_substitution=1\nkeep_env_vars=LANG, TZ\ndont_blame_nrpe =1\n"), "n.cfg")
	if err != nil || len(warnings) != 1 {
		t.Fatalf("%q, %v", warnings, err)
	}
	if n.Timeout != 7*time.Second || n.Prefix != "/usr/bin/sudo" || n.Nasty != "|;" || !n.Substitution || n.Arguments || !cmp.Equal(n.KeepEnv, []string{"LANG", "TZ"}) {
		t.Errorf("settings: %+v", n)
	}
}

func FuzzReadNRPE(f *testing.F) {
	f.Add([]byte(mainConfig), "arg!1!2")
	f.Add([]byte("include=/n.cfg\ninclude_dir=/\ncommand[a]=$ARG1$$$$x\ndont_blame_nrpe=1"), "a!x")
	f.Fuzz(func(t *testing.T, config []byte, request string) {
		n, _, err := ReadNRPE(fstest.MapFS{"n.cfg": &fstest.MapFile{Data: config, Mode: fs.FileMode(0o644)}}, "n.cfg")
		if err != nil {
			return
		}
		for name, text := range n.Commands {
			if name == "" || text == "" {
				t.Fatalf("command %q=%q", name, text)
			}
		}
		line, err := n.Shell(request, nil)
		if err == nil && strings.ContainsAny(request, n.Nasty) {
			t.Fatalf("request %q becomes %q", request, line)
		}
	})
}
