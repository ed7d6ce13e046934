package actions

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

func gitActions() []Action {
	return []Action{{Manifest: manifest("git.checkout"), Do: gitCheckout}}
}

// gitFolder is a folder that git works in.
type gitFolder struct {
	program, path string
	user          *owner
	each          func(string, []byte)
}

// errKilled marks a git that was ended with its context.
var errKilled = errors.New("it was ended")

// run runs git in the folder. It never asks for a password, and takes only those ways to a repository that are for repositories.
func (g gitFolder) run(ctx context.Context, args ...string) (string, error) {
	env := setEnv(childEnv(g.user), []string{"GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND=ssh -o BatchMode=yes", "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file", "LC_ALL=C.UTF-8"})
	// The folder may belong to another user than the agent's: it is the one that we were asked to fill.
	argv := append([]string{"-c", "safe.directory=" + g.path, "-c", "advice.detachedHead=false", "-C", g.path}, args...)
	end, err := child{path: g.program, args: argv, env: env, user: g.user, stdout: keepStdout, stderr: keepStderr, each: g.each}.run(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot start git: %s", startFault(err))
	case end.killed:
		return "", errKilled
	case end.exit != 0:
		return "", fmt.Errorf("git %s: exit %d%s", args[0], end.exit, gitWhy(text(end.stderr)))
	}
	return strings.TrimRight(text(end.stdout), "\n"), nil
}

// gitWhy gives the line in which git says why, without the passwords that URLs may have.
func gitWhy(stderr string) string {
	for line := range strings.Lines(stderr) {
		for _, mark := range []string{"fatal: ", "error: ", "ERROR: "} {
			if why, is := strings.CutPrefix(strings.TrimSpace(line), mark); is {
				return ": " + withoutPasswords(clip(why, 300))
			}
		}
	}
	return withoutPasswords(lastWords(stderr))
}

var password = regexp.MustCompile(`(://)[^/@\s']*@`)

func withoutPasswords(s string) string { return password.ReplaceAllString(s, "$1***@") }

func gitCheckout(ctx context.Context, call Call) Outcome {
	user, err := userOf(inputString(call, "user"))
	if err != nil {
		return refusedOr(err, fettle.StatusInvalidInput)
	}
	program, err := lookPath("git")
	if err != nil {
		return failed("%v", err)
	}
	g := gitFolder{program: program, path: filepath.Clean(inputString(call, "path")), user: user, each: call.Stream}
	data, err := g.checkout(ctx, call)
	if err != nil {
		if ctx.Err() != nil {
			return ended(ctx, "git checkout", call.Timeout)
		}
		return Outcome{Status: fettle.StatusFailed, Message: err.Error(), Data: data}
	}
	commit, _ := data["commit"].(string)
	message := fmt.Sprintf("%s is at %s %s", g.path, commit[:min(10, len(commit))], data["subject"])
	return Outcome{Message: clip(message, 200), Data: data}
}

func (g gitFolder) checkout(ctx context.Context, call Call) (map[string]any, error) {
	from := inputString(call, "url")
	if err := g.prepare(ctx, from); err != nil {
		return nil, err
	}
	data := map[string]any{"before": ""}
	if before, err := g.run(ctx, "rev-parse", "--verify", "-q", "HEAD^{commit}"); err == nil {
		data["before"] = before
		dirty, err := g.run(ctx, "status", "--porcelain", "--untracked-files=no")
		if err != nil {
			return data, err
		}
		if dirty != "" && !inputBool(call, "clean") {
			files := strings.Split(dirty, "\n")
			data["dirty"] = files[:min(len(files), 100)]
			return data, fmt.Errorf("%s changed by hand in %s; clean=true throws that away", count(len(files), "file was", "files were"), g.path)
		}
	}
	if _, err := g.run(ctx, "fetch", "-q", "--prune", "--force", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"); err != nil {
		return data, err
	}
	ref, commit, err := g.resolve(ctx, inputString(call, "ref"))
	if err != nil {
		return data, err
	}
	data["ref"] = ref
	to := []string{"--detach", commit}
	if branch, is := strings.CutPrefix(ref, "refs/heads/"); is {
		to = []string{"-B", branch, commit}
	}
	if inputBool(call, "clean") {
		to = append([]string{"--force"}, to...)
	}
	if _, err := g.run(ctx, append([]string{"checkout", "-q"}, to...)...); err != nil {
		return data, err
	}
	if inputBool(call, "clean") {
		if _, err := g.run(ctx, "clean", "-ffdq"); err != nil {
			return data, err
		}
	}
	if inputBool(call, "submodules") {
		if _, err := g.run(ctx, "submodule", "update", "-q", "--init", "--recursive", "--force"); err != nil {
			return data, err
		}
	}
	log, err := g.run(ctx, "log", "-1", "--format=%H%n%cI%n%s")
	if err != nil {
		return data, err
	}
	lines := strings.SplitN(log+"\n\n", "\n", 4)
	data["commit"], data["date"], data["subject"] = lines[0], lines[1], lines[2]
	data["changed"] = data["before"] != lines[0]
	return data, nil
}

// prepare makes the folder a repository that knows where it comes from. A folder that holds something else is left as it is.
func (g gitFolder) prepare(ctx context.Context, from string) error {
	entries, err := os.ReadDir(g.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) == 0 {
		if err := os.MkdirAll(g.path, 0o755); err != nil {
			return err
		}
		if err := giveTo(g.path, g.user); err != nil {
			return err
		}
		if _, err := g.run(ctx, "init", "-q"); err != nil {
			return err
		}
		_, err := g.run(ctx, "remote", "add", "origin", from)
		return err
	}
	if _, err := os.Stat(filepath.Join(g.path, ".git")); err != nil {
		return fmt.Errorf("%s is no folder of git, and is not empty", g.path)
	}
	now, err := g.run(ctx, "config", "--get", "remote.origin.url")
	if err != nil && errors.Is(err, errKilled) {
		return err
	}
	if !sameRepository(now, from) {
		return fmt.Errorf("%s comes from %s, not from %s", g.path, withoutPasswords(now), withoutPasswords(from))
	}
	_, err = g.run(ctx, "remote", "set-url", "origin", from) // a password may be another now
	return err
}

// sameRepository compares without user and password.
func sameRepository(a, b string) bool {
	plain := func(s string) string {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			u.User = nil
			s = u.String()
		}
		return strings.TrimSuffix(strings.TrimSuffix(s, "/"), ".git")
	}
	return plain(a) == plain(b)
}

// resolve gives what ref is: a branch, a tag, or a commit; of an empty one, the repository's own branch.
func (g gitFolder) resolve(ctx context.Context, ref string) (name, commit string, err error) {
	if ref == "" {
		head, err := g.run(ctx, "ls-remote", "--symref", "origin", "HEAD")
		if err != nil {
			return "", "", err
		}
		rest, is := strings.CutPrefix(head, "ref: refs/heads/")
		if ref, _, _ = strings.Cut(rest, "\t"); !is || ref == "" {
			return "", "", errors.New("the repository names no branch of its own; say which by ref")
		}
	}
	tries := []struct{ local, name string }{{"refs/remotes/origin/" + ref, "refs/heads/" + ref}, {"refs/tags/" + ref, "refs/tags/" + ref}}
	if commitName.MatchString(ref) { // anything else might be a branch of the folder's own, which nobody meant
		tries = append(tries, struct{ local, name string }{ref, ""})
		if len(ref) == 40 {
			_, _ = g.run(ctx, "fetch", "-q", "origin", ref) // one that no branch leads to; not every server gives it
		}
	}
	for _, try := range tries {
		commit, err := g.run(ctx, "rev-parse", "--verify", "-q", try.local+"^{commit}")
		if errors.Is(err, errKilled) {
			return "", "", err
		}
		if err == nil {
			return try.name, commit, nil
		}
	}
	return "", "", fmt.Errorf("the repository has no branch, tag or commit %s", ref)
}

var commitName = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
