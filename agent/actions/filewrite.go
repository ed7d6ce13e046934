package actions

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
)

// defaultMode is that of a file that was not there, when nobody says otherwise.
const defaultMode = 0o644

// putFile puts content in the place of the file that call names.
func putFile(call Call, content []byte) Outcome {
	path, err := filepath.EvalSymlinks(inputString(call, "path")) // what a link leads to is replaced, not the link
	if errors.Is(err, fs.ErrNotExist) {
		path, err = filepath.Clean(inputString(call, "path")), nil
		if _, dangling := os.Lstat(path); dangling == nil {
			return failed("%s is a link that leads nowhere", path)
		}
	}
	if err != nil {
		return failed("%v", err)
	}
	w := write{path: path, content: content, mode: defaultMode, uid: -1, gid: -1}
	before, err := sha256File(path)
	if err != nil {
		return failed("%v", err)
	}
	info, err := os.Stat(path)
	there := err == nil
	if there {
		w.mode = permissions(info.Mode())
		w.uid, w.gid = idsOf(info)
	}
	was := w
	if fault := w.ownersOf(call); fault != nil {
		return *fault
	}
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	same := there && before == digest
	data := map[string]any{"changed": !same || w.mode != was.mode || w.uid != was.uid || w.gid != was.gid, "sha256": digest, "before": before, "size": int64(len(content))}
	switch {
	case data["changed"] == false:
		return Outcome{Message: path + " is as it ought to be", Data: data}
	case same:
		err = w.dress(path)
	default:
		err = w.replace(inputBool(call, "directories"), there, inputString(call, "backup"))
	}
	if err != nil {
		return failed("%v", err)
	}
	word := "written"
	if same {
		word = "has other permissions or another owner now"
	}
	return Outcome{Message: fmt.Sprintf("%s %s", path, word), Data: data}
}

// write is a file that is to be.
type write struct {
	path     string
	content  []byte
	mode     uint32
	uid, gid int // -1: as it is
}

// ownersOf takes mode, owner and group from a call. The outcome says what is wrong with them; nil: nothing.
func (w *write) ownersOf(call Call) *Outcome {
	if text := inputString(call, "mode"); text != "" {
		bits, _ := strconv.ParseUint(text, 8, 16) // the manifest's pattern lets nothing else through
		w.mode = uint32(bits)
	}
	uid, gid, err := lookupOwners(inputString(call, "owner"), inputString(call, "group"))
	if err != nil {
		out := refusedOr(err, fettle.StatusInvalidInput)
		return &out
	}
	if uid >= 0 {
		w.uid = uid
	}
	if gid >= 0 {
		w.gid = gid
	}
	return nil
}

// replace writes the file beside its place, and puts it there when it is on disk: whoever reads sees the old one or the new one.
func (w write) replace(directories, there bool, backup string) error {
	dir := filepath.Dir(w.path)
	if directories {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(dir, ".fettle-*.new") // readable by its owner only until it is dressed
	if err != nil {
		return err
	}
	_, err = f.Write(w.content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = w.dress(f.Name())
	}
	if err == nil && there && backup != "" {
		err = copyAside(w.path, w.path+backup)
	}
	if err == nil {
		err = os.Rename(f.Name(), w.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(dir)
}

// dress gives a file its owner and its permissions; in that order, because a change of owner takes set-user-id away.
func (w write) dress(path string) error {
	if w.uid >= 0 || w.gid >= 0 {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if uid, gid := idsOf(info); uid != w.uid && w.uid >= 0 || gid != w.gid && w.gid >= 0 {
			if err := os.Chown(path, w.uid, w.gid); err != nil {
				return err
			}
		}
	}
	return os.Chmod(path, modeOf(w.mode))
}

// copyAside keeps a file under another name as well. A hard link is its content and all that belongs to it, at no cost.
func copyAside(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(from, to)
}

// syncDir has a folder's entries on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrInvalid) {
		return err
	}
	return nil
}

// fileTemplate writes a file from a template.
func fileTemplate(cfg Config, call Call) Outcome {
	t, err := template.New("template").Option("missingkey=error").Funcs(template.FuncMap{"join": strings.Join, "default": orDefault}).Parse(inputString(call, "template"))
	if err != nil {
		return invalid("file.template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	vars := map[string]any{}
	for _, pair := range inputList(call, "vars") {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	node := map[string]any{"identity": string(cfg.Node), "vars": vars, "facts": map[string]any{}, "classes": []string{}}
	known := cfg.Known()
	facts := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(known.Facts))
	d.UseNumber() // a number is written as it was read
	if err := d.Decode(&facts); len(known.Facts) > 0 && err != nil {
		return failed("the facts of this node cannot be read: %v", err)
	}
	node["classes"], node["facts"] = known.Classes, facts
	out := bounded{limit: plugins.MaxFile}
	if err := t.Execute(&out, node); err != nil {
		return failed("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return putFile(call, out.buf.Bytes())
}

// orDefault gives value, or what stands for it when it is empty: {{.vars.port | default "80"}}.
func orDefault(other, value any) any {
	if value == nil || value == "" {
		return other
	}
	return value
}

// bounded is a buffer that takes so much and no more.
type bounded struct {
	buf   bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > b.limit {
		return 0, fmt.Errorf("more than %d bytes", b.limit)
	}
	return b.buf.Write(p)
}
