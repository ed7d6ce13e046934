// Package passive tells a Nagios or an Icinga what Fettle knows, without being asked: verdicts, and where wanted the state of each check on each node.
//
//	verdicts, states ─▶ wanted ─▶ what differs, or was told too long ago ─▶ sender ─▶ command file │ NSCA │ Icinga 2
//	                      ▲                                                  │
//	                      └── what was told, and when ◀──── taken, refused ◀─┘
//
// It looks at what is, not at what happened: a result that could not be delivered is not kept, the one that holds when the target is back is sent.
package passive
