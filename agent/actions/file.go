package actions

import (
	"context"
	"crypto/md5"  //nolint:gosec // a digest to compare with, not to trust
	"crypto/sha1" //nolint:gosec // a digest to compare with, not to trust
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

func fileActions(cfg Config) []Action {
	return []Action{
		{Manifest: manifest("file.checksum"), Do: fileChecksum},
		{Manifest: manifest("file.fetch"), Do: fileFetch},
		{Manifest: manifest("file.push"), Do: filePush},
		{Manifest: manifest("file.stat"), Do: fileStat},
		{Manifest: manifest("file.template"), Do: func(_ context.Context, call Call) Outcome { return fileTemplate(cfg, call) }},
	}
}

func fileStat(_ context.Context, call Call) Outcome {
	path := inputString(call, "path")
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Outcome{Message: "not there", Data: map[string]any{"exists": false}}
	}
	if err != nil {
		return failed("%v", err)
	}
	owner, group := ownersOf(info)
	data := map[string]any{
		"exists": true, "type": fileType(info.Mode()), "size": info.Size(), "mode": fmt.Sprintf("%04o", permissions(info.Mode())),
		"owner": owner, "group": group, "modified": info.ModTime().UTC().Format(time.RFC3339), "age": int64(time.Since(info.ModTime()).Seconds()),
	}
	if target, err := os.Readlink(path); err == nil {
		data["target"] = target
	}
	return Outcome{Message: fmt.Sprintf("%s, %d bytes", data["type"], info.Size()), Data: data}
}

func fileType(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symlink"
	case fs.ModeNamedPipe:
		return "pipe"
	case fs.ModeSocket:
		return "socket"
	}
	return "device"
}

// permissions gives the bits that chmod has, set-user-id and its like among them.
func permissions(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for special, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&special != 0 {
			bits |= bit
		}
	}
	return bits
}

// modeOf is the other way round.
func modeOf(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	for special, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if bits&bit != 0 {
			mode |= special
		}
	}
	return mode
}

// openRegular opens a file that is one: a pipe would wait for its other end, and a device might do anything.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is a %s, not a file", path, fileType(info.Mode()))
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func digester(algorithm string) hash.Hash {
	switch algorithm {
	case "sha512":
		return sha512.New()
	case "sha1":
		return sha1.New() //nolint:gosec // as above
	case "md5":
		return md5.New() //nolint:gosec // as above
	}
	return sha256.New()
}

func fileChecksum(ctx context.Context, call Call) Outcome {
	f, info, err := openRegular(inputString(call, "path"))
	if err != nil {
		return failed("%v", err)
	}
	defer f.Close()
	h := digester(inputString(call, "algorithm"))
	if _, err := io.Copy(h, untilDone{ctx, f}); err != nil {
		if ctx.Err() != nil {
			return ended(ctx, "reading the file", call.Timeout)
		}
		return failed("%v", err)
	}
	digest := hex.EncodeToString(h.Sum(nil))
	return Outcome{Message: digest, Data: map[string]any{"digest": digest, "size": info.Size()}}
}

func fileFetch(_ context.Context, call Call) Outcome {
	f, info, err := openRegular(inputString(call, "path"))
	if err != nil {
		return failed("%v", err)
	}
	defer f.Close()
	offset := inputInt(call, "offset")
	if offset < 0 {
		offset = max(0, info.Size()+offset)
	}
	content, err := io.ReadAll(io.NewSectionReader(f, offset, inputInt(call, "limit")))
	if err != nil {
		return failed("%v", err)
	}
	sum := sha256.Sum256(content)
	data := map[string]any{"size": info.Size(), "rest": max(0, info.Size()-offset-int64(len(content))), "sha256": hex.EncodeToString(sum[:])}
	if utf8.Valid(content) && !strings.ContainsRune(string(content), 0) {
		data["content"] = string(content)
	} else {
		data["base64"] = base64.StdEncoding.EncodeToString(content)
	}
	return Outcome{Message: fmt.Sprintf("%d of %d bytes", len(content), info.Size()), Data: data}
}

// sha256File gives the SHA-256 of a file; empty: there is none.
func sha256File(path string) (string, error) {
	f, _, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func filePush(_ context.Context, call Call) Outcome {
	text, isText := call.Inputs["content"].(string)
	encoded, isEncoded := call.Inputs["base64"].(string)
	content := []byte(text)
	switch {
	case isText && isEncoded:
		return invalid("file.push: content and base64 cannot both be given")
	case !isText && !isEncoded:
		return Outcome{Status: fettle.StatusMissingInput, Message: "file.push: input content or input base64 is needed"}
	case isEncoded:
		var err error
		if content, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), "")); err != nil {
			return invalid("file.push: input base64: %v", err)
		}
	}
	sum := sha256.Sum256(content)
	if want := inputString(call, "sha256"); want != "" && !strings.EqualFold(want, hex.EncodeToString(sum[:])) {
		return invalid("file.push: the content has SHA-256 %x, and ought to have %s", sum, strings.ToLower(want))
	}
	return putFile(call, content)
}
