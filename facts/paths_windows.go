package facts

// defaultDirs are where external facts lie: ours, and facter's.
func defaultDirs() []string {
	return []string{`C:\ProgramData\Fettle\facts.d`, `C:\ProgramData\PuppetLabs\facter\facts.d`}
}

// defaultClassesFiles is where a node's classes may be listed by hand, and where Puppet lists them.
func defaultClassesFiles() []string {
	return []string{`C:\ProgramData\Fettle\classes.txt`, `C:\ProgramData\PuppetLabs\puppet\cache\state\classes.txt`}
}

// defaultPuppetDirs are where Puppet keeps its state.
func defaultPuppetDirs() []string { return []string{`C:\ProgramData\PuppetLabs\puppet\cache`} }
