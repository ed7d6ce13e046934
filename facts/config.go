package facts

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Config holds the settings of a Collector. Start from DefaultConfig: a zero Timeout is a fault.
type Config struct {
	Dirs          []string      `yaml:"facts-dir" help:"directories of external facts; where two name the same fact, the earlier directory wins"`
	Timeout       time.Duration `yaml:"facts-timeout" help:"how long one program among the external facts may run"`
	Facter        bool          `yaml:"facter" help:"run facter and add what it knows and we do not"`
	FacterTimeout time.Duration `yaml:"facter-timeout" help:"how long facter may run"`
	ClassesFiles  []string      `yaml:"classes" help:"files that list the node's classes, one a line, such as Puppet's classes.txt"`
	Cloud         bool          `yaml:"cloud" help:"ask the cloud's metadata service, where DMI says that there is one"`
	CloudEvery    time.Duration `yaml:"cloud-interval" help:"how often cloud metadata is read again"`
	PuppetDirs    []string      `yaml:"puppet-dirs" help:"directories of Puppet's state, the first that exists is read"`
	Volatile      []string      `yaml:"volatile" help:"patterns of fact paths that change all the time and are published less often"`

	Root       string        `yaml:"-"` // the root of the file system that native facts are read from; empty: /
	Metadata   string        `yaml:"-"` // base URL that stands for every cloud metadata service, for tests; empty: the real ones
	Version    string        `yaml:"-"` // fettle.version
	NoPrograms bool          `yaml:"-"` // external facts come of files only; programs among them are not run
	Collective string        `yaml:"-"` // fettle.collective; empty: fettle
	Identity   fettle.NodeID `yaml:"-"` // fettle.identity; empty: no such fact
}

// Bounds of the settings.
const (
	maxTimeout    = 10 * time.Minute
	minCloudEvery = time.Minute
)

// DefaultConfig gives the settings that hold where nothing else is said.
func DefaultConfig() Config {
	return Config{
		Dirs:          defaultDirs(),
		Timeout:       10 * time.Second,
		FacterTimeout: time.Minute, // facter itself takes 2-3 s, its custom facts longer
		ClassesFiles:  defaultClassesFiles(),
		Cloud:         true,
		CloudEvery:    time.Hour,
		PuppetDirs:    defaultPuppetDirs(),
		Volatile:      DefaultVolatile(),
		Version:       "dev",
	}
}

// Validate reports every fault of c, each a fettle.Fault with its key.
func (c Config) Validate() error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	span := func(key string, d time.Duration) {
		if d <= 0 || d > maxTimeout {
			bad(key, "%s is not between 0 and %s", d, maxTimeout)
		}
	}
	span("facts-timeout", c.Timeout)
	if c.Facter {
		span("facter-timeout", c.FacterTimeout)
	}
	if c.Cloud && c.CloudEvery < minCloudEvery {
		bad("cloud-interval", "%s is below %s", c.CloudEvery, minCloudEvery)
	}
	for key, paths := range map[string][]string{"facts-dir": c.Dirs, "classes": c.ClassesFiles, "puppet-dirs": c.PuppetDirs} {
		for _, path := range paths {
			if path == "" {
				bad(key, "an empty path names nothing")
			}
		}
	}
	if _, err := NewVolatile(c.Volatile); err != nil {
		bad("volatile", "%v", err)
	}
	if c.Root != "" && !filepath.IsAbs(c.Root) {
		bad("root", "%q is not absolute", c.Root)
	}
	if c.Metadata != "" {
		if u, err := url.Parse(c.Metadata); err != nil || u.Host == "" {
			bad("metadata", "%q is no base URL", c.Metadata)
		}
	}
	return errors.Join(faults...)
}
