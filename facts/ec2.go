package facts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// ec2Root is the top of EC2's tree of metadata.
const ec2Root = "/latest/meta-data/"

// tokenText is what a token may be made of: base64. Its length is bounded by maxToken and not here, for a repetition is compiled as often as it
// may be repeated: a thousand states cost each start of the program milliseconds.
var tokenText = regexp.MustCompile(`^[A-Za-z0-9+/=_-]+$`)

// maxToken bounds the length of a token, in bytes.
const maxToken = 1000

// ec2 asks EC2 leaf by leaf, with a token where the service gives one (IMDSv2) and without where it does not.
func (c *cloud) ec2(ctx context.Context) (object, error) {
	header := http.Header{}
	token, err := c.do(ctx, http.MethodPut, "/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"100"}})
	if err == nil && len(token) <= maxToken && tokenText.Match(token) {
		header.Set("X-Aws-Ec2-Metadata-Token", string(token))
	}
	walk := ec2Walk{cloud: c, header: header}
	metadata, err := walk.below(ctx, ec2Root, 1)
	if err != nil {
		return nil, err
	}
	out := object{"ec2_metadata": metadata}
	userdata, err := c.get(ctx, "/latest/user-data", header)
	switch {
	case err == nil:
		set(out, "ec2_userdata", strings.TrimSpace(string(userdata)))
	case errors.Is(err, errNoAnswer), errors.Is(err, errText): // none, or compressed, which is no fact
	default:
		return nil, err
	}
	return out, nil
}

// ec2Walk is one walk through the tree.
type ec2Walk struct {
	*cloud
	header http.Header
	asked  int
}

// numbered is a line such as "0=key-of-web", which stands for the branch "0/".
var numbered = regexp.MustCompile(`^(\d+)=`)

// below gives what lies below a path that ends with a slash. Credentials are passed over: they are secrets, and no facts.
func (w *ec2Walk) below(ctx context.Context, path string, level int) (object, error) {
	if level > maxCloudLevel {
		return nil, fmt.Errorf("%s: more than %d levels: %w", path, maxCloudLevel, fettle.ErrInvalid)
	}
	listing, err := w.ask(ctx, path)
	if err != nil {
		return nil, err
	}
	out := object{}
	for name := range strings.Lines(listing) {
		name = strings.TrimSpace(name)
		if found := numbered.FindStringSubmatch(name); found != nil {
			name = found[1] + "/"
		}
		branch, isBranch := strings.CutSuffix(name, "/")
		if branch == "" || strings.Contains(branch, "/") || branch == "security-credentials" {
			continue
		}
		next := path + url.PathEscape(branch)
		if isBranch {
			child, err := w.below(ctx, next+"/", level+1)
			if err := unlessAbsent(err); err != nil {
				return nil, err
			}
			set(out, branch, child)
			continue
		}
		leaf, err := w.ask(ctx, next)
		if err := unlessAbsent(err); err != nil {
			return nil, err
		}
		if err == nil {
			out[branch] = strings.TrimSpace(leaf)
		}
	}
	return out, nil
}

func (w *ec2Walk) ask(ctx context.Context, path string) (string, error) {
	if w.asked++; w.asked > maxQuestions {
		return "", fmt.Errorf("more than %d leaves of metadata: %w", maxQuestions, fettle.ErrInvalid)
	}
	raw, err := w.get(ctx, path, w.header)
	return string(raw), err
}

// unlessAbsent passes over what the service lists and does not have.
func unlessAbsent(err error) error {
	if errors.Is(err, errNoAnswer) {
		return nil
	}
	return err
}
