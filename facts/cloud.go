package facts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// metadataURL is where each of the clouds answers its guests, by address, so that no name server is asked.
const metadataURL = "http://169.254.169.254"

// Bounds of what a metadata service may take and give.
const (
	cloudLimit    = 30 * time.Second // for one whole look-up
	answerLimit   = 5 * time.Second  // for one answer
	maxAnswer     = 256 << 10        // bytes
	maxQuestions  = 1000             // in one look-up; EC2 answers leaf by leaf
	maxCloudLevel = 12               // of EC2's tree
	firstRetry    = 5 * time.Second  // after a look-up that failed; then twice as long each time, up to the interval
)

// errNoAnswer is what a service says of a leaf that does not exist.
var errNoAnswer = fmt.Errorf("no such metadata: %w", fettle.ErrNotFound)

// cloud keeps what the metadata service of this machine's cloud last said.
type cloud struct {
	base    string
	every   time.Duration
	retry   time.Duration
	client  *http.Client
	changed chan struct{} // holds one signal

	mu    sync.Mutex
	facts object // guarded by mu: of the last look-up that went well
	err   error  // guarded by mu: of the last look-up
}

func newCloud(cfg Config) *cloud {
	return &cloud{
		base:    strings.TrimSuffix(either(cfg.Metadata, metadataURL), "/"),
		every:   cfg.CloudEvery,
		retry:   firstRetry,
		changed: make(chan struct{}, 1),
		client: &http.Client{
			Timeout: answerLimit,
			Transport: &http.Transport{ // no proxy: the service answers those who ask from the machine itself
				DialContext:            (&net.Dialer{Timeout: time.Second}).DialContext,
				MaxIdleConnsPerHost:    1,
				IdleConnTimeout:        cloudLimit,
				MaxResponseHeaderBytes: 16 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// run asks the service of provider now, and then again and again until ctx ends. Without a provider it only waits.
func (c *cloud) run(ctx context.Context, provider string, log *slog.Logger) error {
	ask := map[string]func(context.Context) (object, error){"aws": c.ec2, "gce": c.gce, "azure": c.azure}[provider]
	if ask == nil {
		<-ctx.Done()
		return nil
	}
	defer c.client.CloseIdleConnections()
	wait := c.retry
	for {
		facts, err := c.lookUp(ctx, provider, ask)
		if ctx.Err() != nil {
			return nil
		}
		c.keep(facts, err)
		pause := c.every
		if err != nil {
			log.Debug("cloud metadata not read", "cloud", provider, "err", err)
			pause = min(wait, c.every)
			wait *= 2
		} else {
			wait = c.retry
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (c *cloud) lookUp(ctx context.Context, provider string, ask func(context.Context) (object, error)) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, cloudLimit)
	defer cancel()
	facts, err := ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the metadata service of %s: %w", provider, err)
	}
	facts["cloud"] = object{"provider": provider}
	return facts, nil
}

// keep remembers the outcome of a look-up, and tells who waits where the next document will differ.
func (c *cloud) keep(facts object, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := (err == nil) == (c.err == nil) && (err != nil || reflect.DeepEqual(facts, c.facts))
	if c.err = err; err == nil {
		c.facts = facts
	}
	if !same {
		select {
		case c.changed <- struct{}{}:
		default: // a signal is there already
		}
	}
}

// collect puts what is known into doc, each fact apart, as user data may be large.
func (c *cloud) collect(doc *document) {
	c.mu.Lock()
	facts, err := maps.Clone(c.facts), c.err
	c.mu.Unlock()
	if err != nil {
		doc.fail("cloud", err)
	}
	for _, key := range sortedKeys(facts) {
		doc.put(key, object{key: facts[key]})
	}
}

// gce asks Google Compute Engine, which answers in one document.
func (c *cloud) gce(ctx context.Context) (object, error) {
	raw, err := c.get(ctx, "/computeMetadata/v1/?recursive=true&alt=json", http.Header{"Metadata-Flavor": {"Google"}, "Accept": {"application/json"}})
	if err != nil {
		return nil, err
	}
	gce, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	if instance, ok := gce["instance"].(object); ok {
		shortNames(instance)
	}
	return object{"gce": gce}, nil
}

// shortNames cuts paths such as projects/1/zones/europe-west3-a to their ends, as facter does.
func shortNames(instance object) {
	short := func(o object, key string) {
		if path, ok := o[key].(string); ok {
			o[key] = path[strings.LastIndexByte(path, '/')+1:]
		}
	}
	for _, key := range []string{"image", "machineType", "zone"} {
		short(instance, key)
	}
	if cards, ok := instance["networkInterfaces"].([]any); ok && len(cards) > 0 {
		if card, ok := cards[0].(object); ok {
			short(card, "network")
		}
	}
}

// azure asks Azure, which answers in one document.
func (c *cloud) azure(ctx context.Context) (object, error) {
	raw, err := c.get(ctx, "/metadata/instance?api-version=2020-09-01", http.Header{"Metadata": {"true"}})
	if err != nil {
		return nil, err
	}
	metadata, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	return object{"az_metadata": metadata}, nil
}

func (c *cloud) get(ctx context.Context, path string, header http.Header) ([]byte, error) {
	return c.do(ctx, http.MethodGet, path, header)
}

// do asks one question. errNoAnswer: the service has no such thing.
func (c *cloud) do(ctx context.Context, method, path string, header http.Header) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	maps.Copy(request.Header, header)
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, path, fettle.ErrUnavailable, bare(err))
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	case response.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s %s: %w", method, path, errNoAnswer)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s %s: the answer is %s: %w", method, path, response.Status, fettle.ErrUnavailable)
	case len(raw) > maxAnswer:
		return nil, fmt.Errorf("%s %s: more than %d bytes: %w", method, path, maxAnswer, fettle.ErrInvalid)
	case !utf8.Valid(raw):
		return nil, fmt.Errorf("%s %s: %w", method, path, errText)
	}
	return raw, nil
}

// bare takes method and URL off an error of the client, as we name both ourselves.
func bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
