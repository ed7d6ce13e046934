// Package facts collects what is true of this machine: native facts, facts.d, facter and cloud metadata.
//
// Native facts have the names, nesting, types and values of facter 4, so that what was written for Puppet holds here; docs/facts.md lists
// what differs. They are read from files and asked of the kernel: one collection takes a few milliseconds and starts no process. Other
// sources lie above or below them:
//
//	weight   source                              started by
//	lowest   facter --json (only where asked)    Collect: a process
//	         native facts                        Collect: no process
//	         cloud metadata                      Run: over HTTP, only where DMI names a cloud; Collect sees the last answer
//	highest  facts.d: .txt .json .yaml, programs Collect: a process for each program
//	apart    fettle.*: our own                   no other source can set them
//
// A source that fails, or that would make the document larger than a document may be, is left out and named in Snapshot.Errors, in the fact
// fettle.facts.errors and in the log; all others stay.
package facts
