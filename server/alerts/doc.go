// Package alerts tells Alertmanager, mail and webhooks of verdicts that are not ok.
//
//	Source.Verdicts ─▶ book: what is wrong, since when ─▶ routes ─▶ one goroutine a receiver: what it has not been told yet
//	                     │                                             │
//	                     └──────────────── store ◀─────────────────────┘ what it was told, committed before it is forgotten here
//
// It looks at levels and never at edges: every few seconds it asks what is, compares that with what each receiver was told, and tells the
// difference. So nothing queues up while a receiver is away, a restart loses nothing, and what is sent a second time, because the server died
// between the receiver's answer and the commit, has the same id as the first time.
package alerts
