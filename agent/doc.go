// Package agent is one node: it says what is true of it, answers tasks, keeps its checks, and gives every result back, once.
//
//	          collect ─▶ facts ─┐                                 ┌─▶ worker: begun in the ledger ─▶ action ─▶ result
//	link ──▶ inbox ──▶ loop ────┼─▶ hello, facts, beats ─▶ link   │                                              │
//	          ▲                 └─▶ intake ──▶ slots, queue ──────┘            checks.Run ─▶ action ─▶ result    │
//	          └──────────── receipts, workers that end ◀───────────────────────────────────────── spool ◀────────┘
//
// One goroutine, the loop, owns what the agent knows; everything else hands it something to do by the inbox and never waits for it.
//
// A task is executed at most once: "begun" is on disk before an action is, and one that was begun and has no result after a restart is
// reported as interrupted. Actions that are declared idempotent are exempt, and their results are not written down: the server asks again.
package agent
