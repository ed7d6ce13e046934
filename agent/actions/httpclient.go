package actions

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func httpActions() []Action {
	return []Action{
		{Manifest: manifest("http.download"), Do: httpDownload},
		{Manifest: manifest("http.request"), Do: httpRequest},
	}
}

// maxBody bounds what is given back of an answer, in bytes.
const maxBody = 64 << 10

// httpClient gives a client for one call; done lets go of its connections.
func httpClient(call Call) (client *http.Client, done func()) {
	tr := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 256 << 10,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: inputBool(call, "insecure")}, //nolint:gosec // only where the caller says so
	}
	most := int(inputInt(call, "redirects"))
	follow := func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > most:
			return fmt.Errorf("more than %d redirections", most)
		case req.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https":
			return errors.New("a redirection from https to http")
		case req.URL.Scheme != "https" && req.URL.Scheme != "http":
			return fmt.Errorf("a redirection to %s", req.URL.Scheme)
		case req.URL.Host != via[0].URL.Host:
			for _, pair := range inputList(call, "secret_headers") { // they are meant for the one who was named
				name, _, _ := strings.Cut(pair, ":")
				req.Header.Del(name)
			}
		}
		return nil
	}
	return &http.Client{Transport: tr, CheckRedirect: follow}, tr.CloseIdleConnections
}

// httpOrder makes the request that a call asks for.
func httpOrder(ctx context.Context, call Call, method, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, inputString(call, "url"), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "fettle")
	for _, pair := range slices.Concat(inputList(call, "headers"), inputList(call, "secret_headers")) {
		name, value, _ := strings.Cut(pair, ":")
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

func httpRequest(ctx context.Context, call Call) Outcome {
	client, done := httpClient(call)
	defer done()
	req, err := httpOrder(ctx, call, inputString(call, "method"), inputString(call, "body"))
	if err != nil {
		return invalid("http.request: %v", err)
	}
	began := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return netFault(ctx, call, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return netFault(ctx, call, err)
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxRead-maxBody))
	if err != nil {
		return netFault(ctx, call, err)
	}
	took := time.Since(began)
	headers := map[string]any{}
	for name, values := range res.Header {
		headers[strings.ToLower(name)] = clip(strings.Join(values, ", "), 1024)
	}
	out := Outcome{Message: fmt.Sprintf("%s in %s", res.Status, tookMessage(took)), Data: map[string]any{
		"status": int64(res.StatusCode), "body": text(body), "headers": headers, "size": int64(len(body)) + rest, "took": millis(took),
	}}
	ok := inputList(call, "ok")
	if len(ok) == 0 && res.StatusCode >= 400 || len(ok) > 0 && !slices.Contains(ok, strconv.Itoa(res.StatusCode)) {
		out.Status = fettle.StatusFailed
	}
	return out
}

// httpDownload fetches a file. It is written beside its place, and put there when it is whole, on disk and what it ought to be.
func httpDownload(ctx context.Context, call Call) Outcome {
	path, wanted := filepath.Clean(inputString(call, "path")), strings.ToLower(inputString(call, "sha256"))
	before, err := sha256File(path)
	if err != nil {
		return failed("%v", err)
	}
	w := write{path: path, mode: defaultMode, uid: -1, gid: -1}
	if info, err := os.Stat(path); err == nil {
		w.mode = permissions(info.Mode())
		w.uid, w.gid = idsOf(info)
	}
	if fault := w.ownersOf(call); fault != nil {
		return *fault
	}
	if wanted != "" && before == wanted {
		if err := w.dress(path); err != nil {
			return failed("%v", err)
		}
		return Outcome{Message: path + " is there already", Data: map[string]any{"changed": false, "sha256": before, "before": before}}
	}
	began := time.Now()
	f, err := os.CreateTemp(filepath.Dir(path), ".fettle-*.new")
	if err != nil {
		return failed("%v", err)
	}
	digest, size, err := fetchTo(ctx, call, f)
	if err = errors.Join(err, f.Close()); err == nil && wanted != "" && digest != wanted {
		err = fmt.Errorf("it has SHA-256 %s, and ought to have %s", digest, wanted)
	}
	if err == nil {
		err = w.dress(f.Name())
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return netFault(ctx, call, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return failed("%v", err)
	}
	took := time.Since(began)
	return Outcome{Message: fmt.Sprintf("%s written, %d bytes in %s", path, size, tookMessage(took)), Data: map[string]any{
		"changed": before != digest, "sha256": digest, "before": before, "size": size, "took": millis(took),
	}}
}

// fetchTo writes what a URL gives to f, and has it on disk.
func fetchTo(ctx context.Context, call Call, f *os.File) (digest string, size int64, err error) {
	client, done := httpClient(call)
	defer done()
	req, err := httpOrder(ctx, call, http.MethodGet, "")
	if err != nil {
		return "", 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("the server answers %s", res.Status)
	}
	limit := inputInt(call, "limit") << 20
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(res.Body, limit+1))
	if err == nil && size > limit {
		err = fmt.Errorf("it has more than the %d MiB that are taken", limit>>20)
	}
	if err == nil {
		err = f.Sync()
	}
	return hex.EncodeToString(h.Sum(nil)), size, err
}
