package nagios

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of an NRPE configuration. NRPE has none, and ends only with its stack on a cycle.
const (
	maxConfigBytes    = 1 << 20 // of one file
	maxConfigTotal    = 16 << 20
	maxConfigFiles    = 4096 // and folders, all together
	maxConfigDepth    = 32   // of includes and folders
	maxConfigCommands = 10_000
	maxConfigWarnings = 100
)

// silentKeys are NRPE's keywords that do not change what a command runs.
var silentKeys = strings.Fields(`server_address server_port allowed_hosts listen_queue_size pid_file log_file log_facility debug max_commands
	connection_timeout ssl_shutdown_timeout allow_weak_random_seed ssl_version ssl_use_adh ssl_logging ssl_cipher_list ssl_cert_file
	ssl_cacert_file ssl_privatekey_file ssl_client_certs disable_syslog nrpe_sudo cfg_file`)

// ReadNRPE reads an NRPE configuration as NRPE does, with all that it includes. fsys holds the whole file system from its root on
// (os.DirFS("/")), name is a path in it; a leading slash is left out. A path in an include that is not absolute is one beside its file.
//
// As with NRPE, a fault in the first file is fatal: the error wraps ErrInvalid and says file and line. A fault in an included file ends the
// reading of that file, and of the folder through which it came, with a warning; a missing file or an unknown keyword is a warning.
func ReadNRPE(fsys fs.FS, name string) (*NRPE, []string, error) {
	r := nrpeReader{fsys: fsys, n: &NRPE{Commands: map[string]string{}, Nasty: DefaultNasty, Timeout: DefaultTimeout}}
	if err := r.file(inFS(name)); err != nil {
		return nil, r.warnings, err
	}
	return r.n, r.warnings, nil
}

type nrpeReader struct {
	fsys     fs.FS
	n        *NRPE
	warnings []string
	open     []string // the files and folders that are being read, outermost first
	size     int      // bytes read
}

func (r *nrpeReader) warn(format string, args ...any) {
	if len(r.warnings) < maxConfigWarnings {
		r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
	}
}

// enter notes that name is being read, and refuses it when it would not end.
func (r *nrpeReader) enter(name string) error {
	if slices.Contains(r.open, name) {
		return fmt.Errorf("/%s includes itself: %w", name, fettle.ErrInvalid)
	}
	if len(r.open) == maxConfigDepth || len(r.n.Files) == maxConfigFiles {
		return fmt.Errorf("/%s: more than %d levels or %d files: %w", name, maxConfigDepth, maxConfigFiles, fettle.ErrInvalid)
	}
	r.open = append(r.open, name)
	r.n.Files = append(r.n.Files, "/"+name)
	return nil
}

func (r *nrpeReader) leave() { r.open = r.open[:len(r.open)-1] }

// file reads one file. What it defined before a fault stays.
func (r *nrpeReader) file(name string) error {
	if err := r.enter(name); err != nil {
		return err
	}
	defer r.leave()
	data, err := r.read(name)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(data), "\n") {
		if err := r.line(name, i+1, line); err != nil {
			return fmt.Errorf("/%s, line %d: %w", name, i+1, err)
		}
	}
	return nil
}

func (r *nrpeReader) read(name string) ([]byte, error) {
	f, err := r.fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("/%s: %w", name, fettle.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read NRPE configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read NRPE configuration: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("/%s is not a file: %w", name, fettle.ErrInvalid)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read /%s: %w", name, err)
	}
	if r.size += len(data); len(data) > maxConfigBytes || r.size > maxConfigTotal {
		return nil, fmt.Errorf("/%s: more than %d bytes, or %d in all files: %w", name, maxConfigBytes, maxConfigTotal, fettle.ErrInvalid)
	}
	return data, nil
}

// line reads one line. NRPE cuts at the first '=', so that blanks around it belong to the key and to the value.
func (r *nrpeReader) line(name string, number int, line string) error {
	line, _, _ = strings.Cut(line, "\x00") // C strings end there
	line = strings.Trim(line, " \t\v\f\r")
	if line == "" || line[0] == '#' {
		return nil
	}
	key, value, _ := strings.Cut(strings.TrimLeft(line, "="), "=")
	if key == "" || value == "" {
		return fmt.Errorf("no variable value specified: %w", fettle.ErrInvalid)
	}
	switch {
	case key == "include" || key == "include_file":
		if err := r.file(r.beside(name, value)); err != nil {
			r.warn("/%s, line %d: continuing with errors: %v", name, number, err)
		}
	case key == "include_dir":
		if err := r.dir(r.beside(name, value)); err != nil {
			r.warn("/%s, line %d: continuing with errors: %v", name, number, err)
		}
	case strings.Contains(key, "command["):
		return r.command(key, value)
	case !r.set(key, value):
		r.warn("/%s, line %d: unknown keyword %q", name, number, cut(strings.ToValidUTF8(key, "�"), 80))
	}
	return nil
}

// command adds one. Its name stands between the first '[' and the next ']', blanks included; the last definition of a name wins.
func (r *nrpeReader) command(key, value string) error {
	_, rest, _ := strings.Cut(strings.TrimLeft(key, "["), "[")
	name, _, _ := strings.Cut(strings.TrimLeft(rest, "]"), "]")
	if name == "" {
		return fmt.Errorf("a command without a name: %w", fettle.ErrInvalid)
	}
	if _, known := r.n.Commands[name]; !known && len(r.n.Commands) == maxConfigCommands {
		return fmt.Errorf("more than %d commands: %w", maxConfigCommands, fettle.ErrInvalid)
	}
	r.n.Commands[name] = value
	return nil
}

// set takes any other keyword, and tells whether NRPE has it.
func (r *nrpeReader) set(key, value string) bool {
	switch key {
	case "command_prefix":
		r.n.Prefix = value
	case "dont_blame_nrpe":
		r.n.Arguments = leadingInt(strings.TrimLeft(value, " \t")) == 1
	case "allow_bash_command_substitution":
		r.n.Substitution = leadingInt(strings.TrimLeft(value, " \t")) == 1
	case "nasty_metachars":
		r.n.Nasty = value
	case "command_timeout":
		if s := leadingInt(strings.TrimLeft(value, " \t")); s > 0 {
			r.n.Timeout = time.Duration(s) * time.Second
		}
	case "nrpe_user":
		r.n.User = value
	case "nrpe_group":
		r.n.Group = value
	case "keep_env_vars":
		r.n.KeepEnv = strings.FieldsFunc(value, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
	default:
		return slices.Contains(silentKeys, key)
	}
	return true
}

// dir reads a folder: *.cfg in the order of their bytes, hidden ones too, and the folders in it, hidden ones not.
func (r *nrpeReader) dir(name string) error {
	if err := r.enter(name); err != nil {
		return err
	}
	defer r.leave()
	entries, err := fs.ReadDir(r.fsys, name)
	if err != nil {
		return fmt.Errorf("could not open config directory: %w", err)
	}
	for _, e := range entries {
		full := path.Join(name, e.Name())
		info, err := fs.Stat(r.fsys, full) // follows a symbolic link
		if err != nil {
			continue
		}
		switch {
		case len(e.Name()) > len(".cfg") && strings.HasSuffix(e.Name(), ".cfg"):
			if info.Mode().IsRegular() {
				err = r.file(full)
			}
		case info.IsDir() && !strings.HasPrefix(e.Name(), "."):
			err = r.dir(full)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beside gives the path in the file system of a path that stands in the file name.
func (r *nrpeReader) beside(name, value string) string {
	value = strings.Trim(value, " \t")
	if path.IsAbs(value) {
		return inFS(value)
	}
	return inFS(path.Join(path.Dir(name), value))
}

// inFS gives a path as an fs.FS wants it.
func inFS(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}
