//go:build !windows

package facts

// defaultDirs are where external facts lie: ours, and facter's.
func defaultDirs() []string { return []string{"/etc/fettle/facts.d", "/etc/facter/facts.d"} }

// defaultClassesFiles is where a node's classes may be listed by hand, and where Puppet lists them.
func defaultClassesFiles() []string {
	return []string{
		"/etc/fettle/classes.txt",
		"/opt/puppetlabs/puppet/cache/state/classes.txt",
		"/var/cache/puppet/state/classes.txt",
		"/var/lib/puppet/state/classes.txt",
	}
}

// defaultPuppetDirs are where Puppet keeps its state: as its makers pack it, as Debian does, and as both did before.
func defaultPuppetDirs() []string {
	return []string{"/opt/puppetlabs/puppet/cache", "/var/cache/puppet", "/var/lib/puppet"}
}
